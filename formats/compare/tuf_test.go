// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"encoding/json"
	"errors"

	rekortuf "github.com/sigstore/rekor/pkg/pki/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

func noTUFTool(string, submission) verdict {
	return notApplicable("TUF's tools are libraries")
}

// goTUFVerify asks go-tuf 2 as its own updater does: the last root verifies itself, then the document.
func goTUFVerify(_ string, s submission) verdict {
	if len(s.keys) != 1 {
		return notApplicable("one root at a time")
	}
	root := &metadata.Metadata[metadata.RootType]{}
	if _, err := root.FromBytes(s.keys[0]); err != nil {
		return refuse(err)
	}
	if err := root.VerifyDelegate("root", root); err != nil {
		return refuse(err)
	}
	if expired(root) {
		return refuse(errors.New("the root has expired"))
	}
	var head struct {
		Signed struct {
			Type string `json:"_type"`
		}
	}
	if err := json.Unmarshal(s.signature, &head); err != nil {
		return refuse(err)
	}
	switch head.Signed.Type {
	case "root":
		return verifyRole(root, s.signature, "root", &metadata.Metadata[metadata.RootType]{})
	case "targets":
		return verifyRole(root, s.signature, "targets", &metadata.Metadata[metadata.TargetsType]{})
	case "snapshot":
		return verifyRole(root, s.signature, "snapshot", &metadata.Metadata[metadata.SnapshotType]{})
	case "timestamp":
		return verifyRole(root, s.signature, "timestamp", &metadata.Metadata[metadata.TimestampType]{})
	}
	return refuse(errors.New("no role of that type"))
}

func verifyRole[T metadata.Roles](root *metadata.Metadata[metadata.RootType], raw []byte, role string, m *metadata.Metadata[T]) verdict {
	m, err := m.FromBytes(raw)
	if err != nil {
		return refuse(err)
	}
	if expired(m) {
		return refuse(errors.New("expired"))
	}
	return judged(root.VerifyDelegate(role, m))
}

func expired(m any) bool {
	switch m := m.(type) {
	case *metadata.Metadata[metadata.RootType]:
		return m.Signed.IsExpired(now)
	case *metadata.Metadata[metadata.TargetsType]:
		return m.Signed.IsExpired(now)
	case *metadata.Metadata[metadata.SnapshotType]:
		return m.Signed.IsExpired(now)
	case *metadata.Metadata[metadata.TimestampType]:
		return m.Signed.IsExpired(now)
	}
	return true
}

func rekorTUF(_ string, s submission) verdict {
	if len(s.keys) != 1 {
		return notApplicable("one root at a time")
	}
	sig, err := rekortuf.NewSignature(bytes.NewReader(s.signature))
	if err != nil {
		return refuse(err)
	}
	key, err := rekortuf.NewPublicKey(bytes.NewReader(s.keys[0]))
	if err != nil {
		return refuse(err)
	}
	return judged(sig.Verify(s.stream(), key))
}

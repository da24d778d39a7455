// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
)

// TestRekordLeaf: a rekord is a leaf where the submission that was verified is of its format and file, seen by its bytes, and where it is one byte for byte.
func TestRekordLeaf(t *testing.T) {
	digest := sha256.Sum256([]byte("file"))
	body, err := rekord.Body(rekord.Record{Whole: formats.Whole{Format: "ssh", Signature: []byte("signature"), Key: []byte("key")}, Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	verified := func(change func(*gateway.Submission)) gateway.Submission {
		s := gateway.Submission{SubmissionFields: gateway.SubmissionFields{
			Format: "ssh", Digests: []formats.Digest{{Algorithm: formats.SHA512, Value: make([]byte, 64)}, {Algorithm: formats.SHA256, Value: digest[:]}},
			Signatures: []gateway.RecordedSignature{{Signers: [][32]byte{{1}}, Evidence: formats.EvidenceBytes}},
		}}
		change(&s)
		return s
	}
	same := func(*gateway.Submission) {}
	l, err := newRekordLeaf(body, verified(same))
	if err != nil || l.kind != rekord.Kind || l.hash != rekord.LeafHash(body) || l.signers[0] != [32]byte{1} {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := newRekordLeaf(append(body, '\n'), verified(same)); err == nil {
		t.Errorf("with another byte: %+v", l)
	}
	for name, change := range map[string]func(*gateway.Submission){
		"another format":     func(s *gateway.Submission) { s.Format = "minisign" },
		"another file":       func(s *gateway.Submission) { s.Digests = s.Digests[:1] },
		"by a digest":        func(s *gateway.Submission) { s.Signatures[0].Evidence = formats.EvidenceDigest },
		"several signatures": func(s *gateway.Submission) { s.Signatures = append(s.Signatures, s.Signatures[0]) },
	} {
		if l, err := newRekordLeaf(body, verified(change)); !errors.Is(err, errOtherRekord) {
			t.Errorf("%s: %+v, %v", name, l, err)
		}
	}
}

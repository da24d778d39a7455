// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// m is a JSON object that a test makes up.
type m = map[string]any

// testKey is a key that tests sign with: metadata that no proper tool would make.
type testKey struct {
	id      string
	private crypto.Signer
	listed  m
}

func mintKey(t testing.TB) testKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return listKey(t, private, "ecdsa", "ecdsa-sha2-nistp256")
}

// listKey lists private under the id that its canonical form has.
func listKey(t testing.TB, private crypto.Signer, keyType, scheme string) testKey {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	k := testKey{private: private, listed: m{"keytype": keyType, "scheme": scheme, "keyval": m{"public": public}}}
	sum := sha256.Sum256(canonicalJSON(t, k.listed))
	k.id = hex.EncodeToString(sum[:])
	return k
}

// named is k under another id.
func (k testKey) named(id string) testKey { k.id = id; return k }

// twin is k as another kind of key, which go-tuf takes for the same.
func (k testKey) twin(t testing.TB) testKey {
	return listKey(t, k.private, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256")
}

func canonicalJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := cjson.EncodeCanonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (k testKey) sign(t testing.TB, signed any) m {
	t.Helper()
	message := canonicalJSON(t, signed)
	s, ok := findScheme(k.listed["scheme"].(string))
	if !ok {
		s.hash = formats.SHA256
	}
	var opts crypto.SignerOpts = s.hash.Hash()
	if s.hash != "" {
		h := s.hash.New()
		h.Write(message)
		message = h.Sum(nil)
	}
	var random io.Reader // none makes ECDSA deterministic, so that fuzzing can be repeated
	if s.projection == formats.RSAPSS {
		opts, random = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.hash.Hash()}, rand.Reader
	}
	sig, err := k.private.Sign(random, message, opts)
	if err != nil {
		t.Fatal(err)
	}
	return m{"keyid": k.id, "sig": hex.EncodeToString(sig)}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signedBy is a metadata file with those signatures.
func signedBy(t testing.TB, signed any, keys ...testKey) []byte {
	t.Helper()
	signatures := []any{}
	for _, k := range keys {
		signatures = append(signatures, k.sign(t, signed))
	}
	return encode(t, m{"signed": signed, "signatures": signatures})
}

func mintSigned(kind string) m {
	s := m{"_type": kind, "spec_version": "1.0.31", "version": 1, "expires": "2050-01-01T00:00:00Z"}
	switch kind {
	case "targets":
		s["targets"] = m{}
	case "snapshot", "timestamp":
		s["meta"] = m{kind + ".json": m{"version": 1}}
	}
	return s
}

// mintRoot lists keys for every role but for root, which is signer's, with that threshold.
func mintRoot(t testing.TB, signer testKey, threshold int, keys ...testKey) m {
	t.Helper()
	root := mintSigned("root")
	listed, ids := m{signer.id: signer.listed}, []string{}
	for _, k := range keys {
		listed[k.id] = k.listed
		ids = append(ids, k.id)
	}
	role := m{"keyids": ids, "threshold": threshold}
	root["keys"], root["consistent_snapshot"] = listed, true
	root["roles"] = m{"root": m{"keyids": []string{signer.id}, "threshold": 1}, "targets": role, "snapshot": role, "timestamp": role}
	return root
}

// goTUF verifies as go-tuf does, expiry aside.
func goTUF(root, doc []byte) error {
	r, err := (&metadata.Metadata[metadata.RootType]{}).FromBytes(root)
	if err != nil {
		return err
	}
	if err := r.VerifyDelegate("root", r); err != nil {
		return err
	}
	var kind struct {
		Signed struct {
			Type string `json:"_type"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(doc, &kind); err != nil {
		return err
	}
	switch kind.Signed.Type {
	case "root":
		return goTUFVerify[metadata.RootType](r, "root", doc)
	case "snapshot":
		return goTUFVerify[metadata.SnapshotType](r, "snapshot", doc)
	case "timestamp":
		return goTUFVerify[metadata.TimestampType](r, "timestamp", doc)
	}
	return goTUFVerify[metadata.TargetsType](r, "targets", doc)
}

func goTUFVerify[T metadata.Roles](root *metadata.Metadata[metadata.RootType], role string, doc []byte) error {
	d, err := (&metadata.Metadata[T]{}).FromBytes(doc)
	if err != nil {
		return err
	}
	return root.VerifyDelegate(role, d)
}

// SPDX-License-Identifier: Apache-2.0

package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

func skeleton() *receiptpb.Receipt {
	return &receiptpb.Receipt{
		VerifiedAt: timestamppb.Now(),
		Signature:  &receiptpb.Signature{Format: "pgp", Content: []byte("signature")},
		Signers:    []*receiptpb.Signer{{Spki: []byte("spki"), Fingerprint: "f"}},
		Artifact:   &receiptpb.Artifact{Digests: []*receiptpb.Digest{{Algorithm: "sha256", Value: make([]byte, 32), Evidence: receiptpb.Digest_BYTES}}},
	}
}

func TestAttestIsLoggable(t *testing.T) {
	s, err := New(Config{Active: filepath.Join(t.TempDir(), "key.pem"), Create: true, Verifier: statement.Verifier{Name: "n", Version: "v"}})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Attest(t.Context(), skeleton())
	if err != nil {
		t.Fatal(err)
	}
	entry, record := receipt.Attestation(signed)
	if _, err := hashedrekord.Body(record); err != nil {
		t.Error(err)
	}
	p := formats.Projection{
		Candidate: formats.Candidate{SPKI: s.SPKI(), Scheme: formats.ECDSA, Hash: formats.SHA256},
		Digest:    formats.Digest{Algorithm: formats.SHA256, Value: record.Digest}, Signature: record.Signature,
	}
	if err := p.VerifyDigest(); err != nil {
		t.Error(err)
	}
	if err := statement.Matches(entry.GetBundle().GetDsseEnvelope().GetPayload(), skeleton()); err == nil {
		t.Error("a statement matches a receipt of another time")
	}
	if _, err := s.Attest(t.Context(), &receiptpb.Receipt{}); err == nil {
		t.Error("an empty receipt is attested")
	}
}

// A probe is one that the log takes, another one each time, and nobody's receipt.
func TestProbe(t *testing.T) {
	s, err := New(Config{Active: filepath.Join(t.TempDir(), "key.pem"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 3 {
		signed, err := s.Probe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		entry, record := receipt.Attestation(signed)
		if _, err := hashedrekord.Body(record); err != nil {
			t.Error(err)
		}
		if err := statement.Matches(entry.GetBundle().GetDsseEnvelope().GetPayload(), skeleton()); err == nil {
			t.Error("a probe is a receipt's statement")
		}
		seen[string(signed.Payload)] = true
	}
	if len(seen) != 3 {
		t.Error("probes repeat")
	}
}

// Replicas that start at once on one folder must end up with one key.
func TestCreateOnce(t *testing.T) {
	c := Config{Active: filepath.Join(t.TempDir(), "key.pem"), Create: true}
	var running sync.WaitGroup
	spkis := make([][]byte, 8)
	for i := range spkis {
		running.Go(func() {
			s, err := New(c)
			if err != nil {
				t.Error(err)
				return
			}
			spkis[i] = s.SPKI()
		})
	}
	running.Wait()
	for _, got := range spkis {
		if !bytes.Equal(got, spkis[0]) {
			t.Error("two keys were made")
		}
	}
	info, err := os.Stat(c.Active)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(c.Active), ".key-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPassword(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_KEY_PASSWORD", "secret")
	c := Config{Active: filepath.Join(dir, "key.pem"), Create: true, Password: PasswordFromEnv("TEST_KEY_PASSWORD")}
	made, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(c.Active); !strings.Contains(string(b), "ENCRYPTED") {
		t.Error("the key is not encrypted")
	}
	c.Password = PasswordFromFile(file)
	again, err := New(c)
	if err != nil || !bytes.Equal(again.SPKI(), made.SPKI()) {
		t.Fatalf("another key, or %v", err)
	}
	for name, p := range map[string]Password{
		"none": nil, "unset": PasswordFromEnv("TEST_KEY_PASSWORD_UNSET"), "no file": PasswordFromFile(dir + "/none"),
		"wrong": func() ([]byte, error) { return []byte("wrong"), nil },
	} {
		c.Password = p
		if s, err := New(c); err == nil || s != nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	old, err := New(Config{Active: filepath.Join(dir, "old.pem"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	next, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(&next.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "next.pub"), public, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Active: filepath.Join(dir, "new.pem"), Create: true, Others: []string{filepath.Join(dir, "old.pem"), filepath.Join(dir, "next.pub")}})
	if err != nil {
		t.Fatal(err)
	}
	ids := s.IDs()
	if len(ids) != 3 || ids[0] != sha256.Sum256(s.SPKI()) || ids[1] != sha256.Sum256(old.SPKI()) {
		t.Errorf("identities %x", ids)
	}
}

func TestNewRefuses(t *testing.T) {
	dir := t.TempDir()
	rsaKey, _, err := cryptoutils.GeneratePEMEncodedRSAKeyPair(2048, nil)
	if err != nil {
		t.Fatal(err)
	}
	p384, _, err := cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P384(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p256, public, err := cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty": nil, "not PEM": []byte("key"), "RSA": rsaKey, "P-384": p384, "public": public,
		"two keys": append(bytes.Clone(p256), p256...), "too large": bytes.Repeat([]byte{'\n'}, maxKeyFile+1),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := New(Config{Active: path, Create: true}); err == nil || s != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(Config{Active: filepath.Join(dir, "missing")}); err == nil {
		t.Error("a missing key was made without being asked for")
	}
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// suffixed is a format as simple as can be: JSON with ECDSA P-256 signatures, each over the
// artifact followed by a suffix of its own. Weak ones pass as findings under a historical
// policy.
type suffixed struct{}

type suffixedFile struct {
	Threshold int
	Weak      bool
	Time      *time.Time
	Sigs      []struct{ Suffix, Sig []byte }
	policy    formats.Policy
	keys      [][]byte
}

func (suffixed) Name() string { return "suffixed" }

func (suffixed) Detect(b []byte) bool { return bytes.HasPrefix(b, []byte(`{"Threshold"`)) }

func (suffixed) Parse(_ context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	f := &suffixedFile{policy: p, keys: keys}
	if err := json.Unmarshal(signature, f); err != nil || len(f.Sigs) == 0 {
		return nil, formats.NewError(formats.ReasonMalformedSignature, "malformed", "")
	}
	if f.Weak && !p.Allows(formats.ExceptionSHA1) {
		return nil, formats.NewError(formats.ReasonWeakAlgorithm, "weak", "")
	}
	if len(keys) != len(f.Sigs) {
		return nil, formats.NewError(formats.ReasonKeyMismatch, "not as many keys as signatures", "")
	}
	for _, k := range keys {
		if err := p.CheckSigner(k); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *suffixedFile) Describe() formats.Description {
	d := formats.Description{
		Format: "suffixed", Variant: "test", Algorithm: "ECDSA P-256/SHA-256", Signers: f.signers(),
		ClaimedTime: f.Time, Threshold: f.Threshold, Notes: []string{"only a test"},
	}
	if f.Weak {
		d.Findings = []formats.Finding{{Reason: formats.ReasonWeakAlgorithm, Message: "weak", Exception: formats.ExceptionSHA1}}
	}
	return d
}

func (f *suffixedFile) signers() []formats.Signer {
	var list []formats.Signer
	for _, k := range f.keys {
		list = append(list, formats.Signer{SPKI: k, Fingerprint: "test", Algorithm: "ECDSA P-256"})
	}
	return list
}

func (f *suffixedFile) Verify(_ context.Context, a formats.Artifact) (*formats.Verified, error) {
	artifact, err := io.ReadAll(a.Reader())
	if err != nil {
		return nil, err
	}
	v := &formats.Verified{Size: int64(len(artifact)), Signers: f.signers(), Keys: f.keys, Canonical: []byte("x"), Checks: []string{"signature"}}
	sum := sha256.Sum256(artifact)
	v.Digests = []formats.ArtifactDigest{{Digest: formats.Digest{Algorithm: formats.SHA256, Value: sum[:]}, Evidence: formats.EvidenceBytes}}
	for i, s := range f.Sigs {
		digest := sha256.Sum256(append(slices.Clone(artifact), s.Suffix...))
		p := formats.Projection{
			Candidate: formats.Candidate{SPKI: f.keys[i], Scheme: formats.ECDSA, Hash: formats.SHA256},
			Digest:    formats.Digest{Algorithm: formats.SHA256, Value: digest[:]}, Signature: s.Sig,
			Recipe: formats.Recipe{Artifact: true, Suffix: s.Suffix},
		}
		if err := p.VerifyDigest(); err != nil {
			return nil, err
		}
		if !f.Weak {
			v.Projections = append(v.Projections, p)
		}
	}
	return v, nil
}

// signSuffixed signs artifact with each key.
func signSuffixed(tb testing.TB, artifact []byte, weak bool, keys ...*ecdsa.PrivateKey) []byte {
	tb.Helper()
	at := made.Add(-time.Hour)
	f := suffixedFile{Threshold: len(keys), Weak: weak, Time: &at}
	for i, k := range keys {
		suffix := []byte{'-', byte('0' + i)}
		digest := sha256.Sum256(append(slices.Clone(artifact), suffix...))
		sig, err := ecdsa.SignASN1(rand.Reader, k, digest[:])
		if err != nil {
			tb.Fatal(err)
		}
		f.Sigs = append(f.Sigs, struct{ Suffix, Sig []byte }{suffix, sig})
	}
	b, err := json.Marshal(f)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func spki(tb testing.TB, k *ecdsa.PrivateKey) []byte {
	tb.Helper()
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// A file of millions of small messages is refused before they are built: they take a hundred times its size.
func TestManyParts(t *testing.T) {
	for _, part := range []string{`{},`, `[],`, `"",`, `0,`} {
		b := []byte(`{"mediaType":"` + receipt.MediaType + `","entries":[` + strings.Repeat(part, 4<<20) + `{}]}`)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := receipt.Unmarshal(b)
		runtime.ReadMemStats(&after)
		if formats.ReasonOf(err) != receipt.ReasonMalformedReceipt {
			t.Errorf("%s: %v", part, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%s: %d MiB", part, took>>20)
		}
	}
}

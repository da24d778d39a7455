// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const origin = "log.example"

var (
	made     = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	registry = formats.NewRegistry(append([]formats.Format{suffixed{}}, all.Formats().All()...)...)
	artifact = []byte("a release\n")
)

// signed is a submission with its receipt.
type signed struct {
	log       *receipttest.Log
	format    string
	content   []byte // the artifact; nil when it is inside the signature, or only its digest is given
	digest    *formats.Digest
	signature []byte
	keys      [][]byte // as submitted, and as a verifier has them
	signers   [][sha256.Size]byte
	policy    formats.Policy
	receipt   *receiptpb.Receipt
}

// native is a raw ECDSA P-256 signature, logged as it is.
func native(tb testing.TB) *signed {
	tb.Helper()
	return nativeBy(tb, newKey(tb), crypto.SHA256)
}

// nativeBy is a raw signature by any key over a hash that the log takes with it.
func nativeBy(tb testing.TB, k crypto.Signer, o crypto.SignerOpts) *signed {
	tb.Helper()
	h := o.HashFunc().New()
	h.Write(artifact)
	sig, err := k.Sign(rand.Reader, h.Sum(nil), o)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		tb.Fatal(err)
	}
	s := &signed{format: "x509", content: artifact, signature: sig, keys: [][]byte{pemOf(der)}, signers: [][sha256.Size]byte{sha256.Sum256(der)}}
	s.record(tb, receiptpb.Receipt_NATIVE)
	return s
}

// projected is a signature of the test's own format by as many keys as asked for.
func projected(tb testing.TB, signers int) *signed {
	tb.Helper()
	var keys []*ecdsa.PrivateKey
	s := &signed{format: "suffixed", content: artifact}
	for range signers {
		k := newKey(tb)
		keys = append(keys, k)
		s.keys = append(s.keys, spki(tb, k))
	}
	s.signers = ids(tb, keys...)
	s.signature = signSuffixed(tb, artifact, false, keys...)
	s.record(tb, receiptpb.Receipt_PROJECTED)
	return s
}

func pemOf(spki []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
}

func ids(tb testing.TB, keys ...*ecdsa.PrivateKey) [][sha256.Size]byte {
	var out [][sha256.Size]byte
	for _, k := range keys {
		out = append(out, sha256.Sum256(spki(tb, k)))
	}
	return out
}

// record does what a gateway does.
func (s *signed) record(tb testing.TB, representation receiptpb.Receipt_Representation) {
	tb.Helper()
	facts, verified := s.facts(tb, representation)
	r := receipt.New(facts)
	var records []hashedrekord.Record
	for _, p := range verified.Projections {
		e, record, err := receipt.Project(p, false)
		if err != nil {
			tb.Fatal(err)
		}
		r.Entries = append(r.Entries, e)
		records = append(records, record)
	}
	s.complete(tb, r, records...)
}

func (s *signed) facts(tb testing.TB, representation receiptpb.Receipt_Representation) (receipt.Facts, *formats.Verified) {
	tb.Helper()
	if s.policy.Now.IsZero() {
		s.policy.Now = made
	}
	parsed, err := registry.Parse(tb.Context(), s.format, s.signature, s.keys, s.policy)
	if err != nil {
		tb.Fatal(err)
	}
	given := formats.Artifact{}
	if s.content != nil {
		given = formats.FromReader(bytes.NewReader(s.content))
	}
	if s.digest != nil {
		given = formats.FromDigest(*s.digest)
	}
	verified, err := parsed.Verify(tb.Context(), given)
	if err != nil {
		tb.Fatal(err)
	}
	return receipt.Facts{
		ID: "id", Signature: s.signature, Description: parsed.Describe(), Verified: verified,
		Policy: s.policy, Representations: []receiptpb.Receipt_Representation{representation},
	}, verified
}

func (s *signed) complete(tb testing.TB, r *receiptpb.Receipt, records ...hashedrekord.Record) {
	tb.Helper()
	s.log = receipttest.NewLog(tb, origin)
	var proofs []receipt.Proof
	for _, logged := range s.log.Add(records...) {
		raw, err := receipt.EncodeProof(logged)
		if err != nil {
			tb.Fatal(err)
		}
		proofs = append(proofs, receipt.Proof{Kind: receipt.KindTransparencyLogEntry, Bytes: raw, Body: logged.GetCanonicalizedBody()})
	}
	var err error
	if s.receipt, err = receipt.Complete(r, proofs); err != nil {
		tb.Fatal(err)
	}
}

// options are those of a verifier who expects the signer by key.
func (s *signed) options() receipt.Options {
	o := receipt.Options{
		Registry: registry, TrustedRoot: s.log.Root(), ExpectedKeys: s.keys, Now: s.policy.Now.Add(time.Hour), Digest: s.digest,
	}
	if s.content != nil {
		o.Artifact = bytes.NewReader(s.content)
	}
	return o
}

// refused verifies a changed receipt and checks the reason, which is the same with a memory, whatever that has seen.
func (s *signed) refused(t *testing.T, o receipt.Options, want formats.Reason, change func(*receiptpb.Receipt)) {
	t.Helper()
	r := proto.CloneOf(s.receipt)
	if change != nil {
		change(r)
	}
	report, wanted := s.verify(t, r, o)
	if wanted == nil || report != nil {
		t.Fatalf("accepted, want %s", want)
	}
	if got := formats.ReasonOf(wanted); got != want {
		t.Errorf("reason %s, want %s (%v)", got, want, wanted)
	}
	for _, seen := range []*receiptpb.Receipt{s.receipt, r} {
		o.Memory = receipt.NewMemory()
		_, _ = s.verify(t, seen, o) // which then knows what is good in it
		if report, err := s.verify(t, r, o); report != nil || !sameError(err, wanted) {
			t.Errorf("with a memory: %v, without: %v", err, wanted)
		}
	}
}

func sameError(a, b error) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Error() == b.Error() && formats.ReasonOf(a) == formats.ReasonOf(b))
}

func (s *signed) verify(t *testing.T, r *receiptpb.Receipt, o receipt.Options) (*receipt.Report, error) {
	if b, ok := o.Artifact.(*bytes.Reader); ok { // it may have been read
		b.Reset(s.content)
	}
	return receipt.Verify(t.Context(), r, o)
}

// record is what s has in the log.
func record(tb testing.TB, s *signed) hashedrekord.Record {
	tb.Helper()
	r, err := hashedrekord.Parse(s.receipt.Entries[0].Bundle.VerificationMaterial.TlogEntries[0].CanonicalizedBody)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

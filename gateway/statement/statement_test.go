// SPDX-License-Identifier: Apache-2.0

package statement

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

var verifier = Verifier{Name: "rekor-gateway", Version: "v1.2.3"}

func sample() *receiptpb.Receipt {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &receiptpb.Receipt{
		SubmissionId: "not stated", VerifiedAt: timestamppb.New(at),
		Signature: &receiptpb.Signature{
			Format: "pgp", Variant: "v4 <armored>", Algorithm: "EdDSA", Content: []byte("signature"),
			Keys: [][]byte{[]byte("key")}, ClaimedTime: timestamppb.New(at.Add(-time.Hour)),
		},
		Signers: []*receiptpb.Signer{{Spki: []byte("spki"), Fingerprint: "AB CD", Algorithm: "Ed25519"}},
		Artifact: &receiptpb.Artifact{Size: 9, Digests: []*receiptpb.Digest{
			{Algorithm: "sha256", Value: make([]byte, 32), Evidence: receiptpb.Digest_BYTES},
			{Algorithm: "blake2b-512", Value: make([]byte, 64), Evidence: receiptpb.Digest_DIGEST},
		}},
		Checks: []string{"signature"}, Notes: []string{"note"},
		Policy:   &receiptpb.Policy{SshNamespaces: []string{"file"}, TufRoots: [][]byte{{1, 2}}},
		Findings: nil,
	}
}

func build(tb testing.TB, r *receiptpb.Receipt) []byte {
	tb.Helper()
	b, err := Build(r, verifier)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestBuildIsAnInTotoStatement(t *testing.T) {
	b := build(t, sample())
	var s intoto.Statement
	if err := protojson.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	if again := build(t, sample()); !bytes.Equal(b, again) {
		t.Error("not the same bytes twice")
	}
	if strings.Contains(string(b), "not stated") {
		t.Error("the submission's id is stated")
	}
}

// Every fact of the receipt is in the statement: change one, and it no longer matches.
func TestMatches(t *testing.T) {
	b := build(t, sample())
	if err := Matches(b, sample()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*receiptpb.Receipt){
		"format":       func(r *receiptpb.Receipt) { r.Signature.Format = "ssh" },
		"variant":      func(r *receiptpb.Receipt) { r.Signature.Variant = "v6" },
		"algorithm":    func(r *receiptpb.Receipt) { r.Signature.Algorithm = "RSA" },
		"signature":    func(r *receiptpb.Receipt) { r.Signature.Content = []byte("x") },
		"key":          func(r *receiptpb.Receipt) { r.Signature.Keys[0] = []byte("x") },
		"claimed time": func(r *receiptpb.Receipt) { r.Signature.ClaimedTime = nil },
		"signer":       func(r *receiptpb.Receipt) { r.Signers[0].Spki = []byte("x") },
		"fingerprint":  func(r *receiptpb.Receipt) { r.Signers[0].Fingerprint = "x" },
		"key kind":     func(r *receiptpb.Receipt) { r.Signers[0].Algorithm = "x" },
		"digest":       func(r *receiptpb.Receipt) { r.Artifact.Digests[0].Value[0] = 1 },
		"one less":     func(r *receiptpb.Receipt) { r.Artifact.Digests = r.Artifact.Digests[:1] },
		"evidence":     func(r *receiptpb.Receipt) { r.Artifact.Digests[1].Evidence = receiptpb.Digest_BYTES },
		"size":         func(r *receiptpb.Receipt) { r.Artifact.Size = -1 },
		"checks":       func(r *receiptpb.Receipt) { r.Checks = nil },
		"notes":        func(r *receiptpb.Receipt) { r.Notes = nil },
		"findings":     func(r *receiptpb.Receipt) { r.Findings = []*receiptpb.Finding{{Reason: "WEAK_ALGORITHM"}} },
		"historical":   func(r *receiptpb.Receipt) { r.Policy.Historical = true },
		"namespaces":   func(r *receiptpb.Receipt) { r.Policy.SshNamespaces = nil },
		"roots":        func(r *receiptpb.Receipt) { r.Policy.TufRoots = nil },
		"verified at":  func(r *receiptpb.Receipt) { r.VerifiedAt.Seconds++ },
	} {
		r := sample()
		if change(r); Matches(b, r) == nil {
			t.Errorf("%s: still matches", name)
		}
	}
}

func TestPredicateTypeNamesTheSigners(t *testing.T) {
	a, b := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	types := map[string]bool{}
	for _, s := range [][][sha256.Size]byte{{a}, {b}, {a, b}, {}} {
		types[PredicateType(s, false)], types[PredicateType(s, true)] = true, true
	}
	if len(types) != 8 {
		t.Errorf("only %d different types", len(types))
	}
	if PredicateType([][sha256.Size]byte{a, b}, false) != PredicateType([][sha256.Size]byte{b, a, a}, false) {
		t.Error("the signers' order or repetition changes the type")
	}
	const want = "https://rekor-gateway.dev/attestation/signature-verified/v1/signer/sha256:" +
		"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
	if got := PredicateType([][sha256.Size]byte{a}, false); got != want {
		t.Errorf("type %s, want %s", got, want)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, change := range map[string]func(*receiptpb.Receipt){
		"no digest":      func(r *receiptpb.Receipt) { r.Artifact.Digests = nil },
		"claimed digest": func(r *receiptpb.Receipt) { r.Artifact.Digests[0].Evidence = 0 },
		"unknown digest": func(r *receiptpb.Receipt) { r.Artifact.Digests[0].Algorithm = "md5" },
		"digest twice":   func(r *receiptpb.Receipt) { r.Artifact.Digests[1] = r.Artifact.Digests[0] },
		"no signer":      func(r *receiptpb.Receipt) { r.Signers = nil },
		"too large":      func(r *receiptpb.Receipt) { r.Notes = []string{strings.Repeat("x", MaxSize)} },
	} {
		r := sample()
		change(r)
		if b, err := Build(r, verifier); err == nil || b != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(build(f, sample()))
	f.Add(bytes.Replace(build(f, sample()), []byte(`"format":"pgp"`), []byte(`"format":"x","format":"pgp"`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			if s != nil {
				t.Fatal("a statement beside an error")
			}
			return
		}
		again, err := encodeStatement(*s)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("encoding what was parsed gives something else: %v", err)
		}
		if Matches(b, sample()) == nil && !bytes.Equal(b, mustBuild(t, s.Predicate.Verifier)) {
			t.Fatal("another statement matches")
		}
	})
}

func mustBuild(t *testing.T, v Verifier) []byte {
	b, err := Build(proto.CloneOf(sample()), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A probe's predicate type is none that a reader of receipts takes, with signers or without.
func TestBuildProbe(t *testing.T) {
	payload, err := BuildProbe("nonce")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		PredicateType string
		Subject       []Subject
		Predicate     map[string]string
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	if s.PredicateType != TypeProbe || strings.HasPrefix(s.PredicateType, typeVerified) || strings.HasPrefix(s.PredicateType, typeHistorical) ||
		len(s.Subject) != 1 || s.Subject[0].Name != "probe" || s.Predicate["nonce"] != "nonce" || len(s.Predicate) != 1 {
		t.Errorf("the probe is %s", payload)
	}
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

func newGateway(tb testing.TB) *attest.Signer {
	tb.Helper()
	g, err := attest.New(attest.Config{
		Active: filepath.Join(tb.TempDir(), "key.pem"), Create: true,
		Verifier: statement.Verifier{Name: "rekor-gateway", Version: "test"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

// attested is a signature that g attests; a weak one under the historical policy.
func attested(tb testing.TB, g *attest.Signer, weak bool) *signed {
	tb.Helper()
	k := newKey(tb)
	s := &signed{format: "suffixed", content: artifact, keys: [][]byte{spki(tb, k)}, signers: ids(tb, k), signature: signSuffixed(tb, artifact, weak, k)}
	s.policy.Historical = formats.AllowAll(weak)
	facts, _ := s.facts(tb, receiptpb.Receipt_ATTESTED)
	s.attest(tb, g, receipt.New(facts))
	return s
}

func (s *signed) attest(tb testing.TB, g *attest.Signer, r *receiptpb.Receipt) {
	tb.Helper()
	signed, err := g.Attest(tb.Context(), r)
	if err != nil {
		tb.Fatal(err)
	}
	e, record := receipt.Attestation(signed)
	r.Entries = []*receiptpb.LogEntry{e}
	s.complete(tb, r, record)
}

// trust is in g's key from one index to another, both included; -1 for no end.
func trust(tb testing.TB, g interface{ SPKI() []byte }, from, to int64) *trustroot.Gateway {
	tb.Helper()
	k := trustroot.GatewayKey{SPKI: g.SPKI(), Logs: []trustroot.LogRange{{Origin: origin, From: from}}}
	if to >= 0 {
		k.Logs[0].To = &to
	}
	trusted, err := trustroot.NewGateway(k)
	if err != nil {
		tb.Fatal(err)
	}
	return trusted
}

func TestVerifyAttested(t *testing.T) {
	g := newGateway(t)
	s := attested(t, g, false)
	o := s.options()
	s.refused(t, o, receipt.ReasonNoGatewayTrust, nil)
	o.GatewayTrust = trust(t, newGateway(t), 0, -1)
	s.refused(t, o, receipt.ReasonUnknownGatewayKey, nil)
	o.GatewayTrust = trust(t, g, 0, 4) // the entry is at 5
	s.refused(t, o, receipt.ReasonRetiredGatewayKey, nil)
	o.GatewayTrust = trust(t, g, 6, -1)
	s.refused(t, o, receipt.ReasonRetiredGatewayKey, nil)

	o.GatewayTrust, o.Artifact = trust(t, g, 5, 5), bytes.NewReader(artifact)
	report, err := receipt.Verify(t.Context(), s.receipt, o)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(report.String(), "ATTESTED") || report.Entries[0].Index != 5 {
		t.Errorf("report:\n%s", report)
	}
}

func TestHistoricalNeedsConsent(t *testing.T) {
	g := newGateway(t)
	s := attested(t, g, true)
	o := s.options()
	o.GatewayTrust = trust(t, g, 0, -1)
	s.refused(t, o, receipt.ReasonHistoricalRefused, nil)
	// A receipt that hides the policy is no better.
	s.refused(t, o, receipt.ReasonSignatureInvalid, func(r *receiptpb.Receipt) { r.Policy = nil })

	o.Historical, o.Artifact = formats.AllowAll(true), bytes.NewReader(artifact)
	report, err := receipt.Verify(t.Context(), s.receipt, o)
	if err != nil || !strings.Contains(report.String(), "WEAK: weak") {
		t.Fatalf("%v\n%s", err, report)
	}
	s.refused(t, o, receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Findings = nil })
}

// TestHistoricalByException: a reader lets pass what he names and no more, and with a date what is older.
func TestHistoricalByException(t *testing.T) {
	g := newGateway(t)
	s := attested(t, g, true) // by SHA1
	claim := s.receipt.GetSignature().GetClaimedTime().AsTime()
	before := func(date time.Time) formats.Historical {
		return formats.Historical{Allow: formats.ExceptionSHA1, SignedBefore: date}
	}
	for name, test := range map[string]struct {
		historical formats.Historical
		known      []time.Time
		want       string // in the report; "" when it is refused
	}{
		"its own":                {formats.Historical{Allow: formats.ExceptionSHA1}, nil, "WEAK: weak"},
		"another":                {formats.Historical{Allow: formats.AllExceptions &^ formats.ExceptionSHA1}, nil, ""},
		"none":                   {formats.Historical{}, nil, ""},
		"too new":                {before(claim), nil, ""},
		"by the claim":           {before(claim.Add(time.Second)), nil, "signer's claim only"},
		"proven to be older":     {before(claim), []time.Time{claim.Add(-time.Minute)}, "it existed by"},
		"proven to be of before": {before(claim), []time.Time{claim}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := s.options()
			o.GatewayTrust, o.Historical, o.Artifact = trust(t, g, 0, -1), test.historical, bytes.NewReader(artifact)
			o.TimeSources = []receipt.TimeSource{knownTimes(test.known)}
			report, err := receipt.Verify(t.Context(), s.receipt, o)
			switch {
			case test.want == "" && formats.ReasonOf(err) != receipt.ReasonHistoricalRefused:
				t.Errorf("not refused: %v", err)
			case test.want != "" && (err != nil || !strings.Contains(report.String(), test.want)):
				t.Errorf("%v\n%s", err, report)
			}
		})
	}
}

func TestAttestedTampering(t *testing.T) {
	g := newGateway(t)
	s, stranger := attested(t, g, false), attested(t, g, false)
	o := s.options()
	o.GatewayTrust = trust(t, g, 0, -1)
	envelope := func(r *receiptpb.Receipt) []byte { return r.Entries[0].Bundle.GetDsseEnvelope().Payload }
	for name, test := range map[string]struct {
		want   formats.Reason
		change func(*receiptpb.Receipt)
	}{
		"statement altered":       {receipt.ReasonStatementInvalid, func(r *receiptpb.Receipt) { envelope(r)[100] ^= 1 }},
		"statement's signature":   {receipt.ReasonStatementInvalid, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetDsseEnvelope().Signatures[0].Sig[9] ^= 1 }},
		"statement on a stranger": {receipt.ReasonStatementMismatch, func(r *receiptpb.Receipt) { r.Entries = stranger.receipt.Entries }},
		"other entry":             {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { swapLogged(r, stranger.receipt) }},
		"no envelope":             {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.Content = nil }},
		"two signatures":          {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { twoSignatures(r) }},
		"payload type":            {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetDsseEnvelope().PayloadType = "x" }},
		"key id":                  {receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Bundle.GetDsseEnvelope().Signatures[0].Keyid = "x" }},
		"key":                     {receipt.ReasonUnknownGatewayKey, func(r *receiptpb.Receipt) { r.Entries[0].Spki = r.Signers[0].Spki }},
		"claimed to be projected": {receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Representation = receiptpb.Receipt_PROJECTED }},
		"display text":            {receipt.ReasonStatementMismatch, func(r *receiptpb.Receipt) { r.Signature.Algorithm = "RSA-16384" }},
		"checks":                  {receipt.ReasonStatementMismatch, func(r *receiptpb.Receipt) { r.Checks = append(r.Checks, "more") }},
		"time of verification":    {receipt.ReasonStatementMismatch, func(r *receiptpb.Receipt) { r.VerifiedAt.Seconds-- }},
		"evidence":                {receipt.ReasonStatementMismatch, func(r *receiptpb.Receipt) { r.Artifact.Digests[0].Evidence = receiptpb.Digest_DIGEST }},
		"recipe":                  {receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Recipe = new(receiptpb.Recipe) }},
		"proof (all reps. go here)": {receipt.ReasonProofInvalid, func(r *receiptpb.Receipt) {
			r.Entries[0].Bundle.VerificationMaterial.TlogEntries[0].InclusionProof.Hashes[0][0] ^= 1
		}},
	} {
		t.Run(name, func(t *testing.T) { s.refused(t, o, test.want, test.change) })
	}
}

func swapLogged(r, other *receiptpb.Receipt) {
	r.Entries[0].Bundle.VerificationMaterial.TlogEntries = other.Entries[0].Bundle.VerificationMaterial.TlogEntries
}

func twoSignatures(r *receiptpb.Receipt) {
	e := r.Entries[0].Bundle.GetDsseEnvelope()
	e.Signatures = append(e.Signatures, proto.CloneOf(e.Signatures[0]))
}

// A gateway that lies about what it verified is found out by the original signature.
func TestGatewayCannotInventASignature(t *testing.T) {
	g := newGateway(t)
	s := attested(t, g, false)
	r := proto.CloneOf(s.receipt)
	other := newKey(t)
	r.Entries, r.Signers[0].Spki, r.Signature.Keys = nil, spki(t, other), [][]byte{spki(t, other)}
	s.attest(t, g, r)
	s.keys = r.Signature.Keys
	o := s.options()
	o.GatewayTrust = trust(t, g, 0, -1)
	s.refused(t, o, receipt.ReasonSignatureInvalid, nil)
}

// Another predicate type, signed by the gateway's own key, is no statement of this kind.
func TestOtherPredicateType(t *testing.T) {
	g, err := ecdsa.GenerateKey(newKey(t).Curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := attested(t, newGateway(t), false)
	payload := bytes.Replace(s.receipt.Entries[0].Bundle.GetDsseEnvelope().Payload, []byte("signature-verified/v1"), []byte("release-approved/v1"), 1)
	digest := statement.Digest(payload)
	signature, err := ecdsa.SignASN1(rand.Reader, g, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	e, record := receipt.Attestation(receipt.SignedStatement{Payload: payload, Signature: signature, SPKI: spki(t, g)})
	r := proto.CloneOf(s.receipt)
	r.Entries = []*receiptpb.LogEntry{e}
	s.complete(t, r, record)
	o := s.options()
	if o.GatewayTrust, err = trustroot.NewGateway(trustroot.GatewayKey{SPKI: spki(t, g), Logs: []trustroot.LogRange{{Origin: origin}}}); err != nil {
		t.Fatal(err)
	}
	s.refused(t, o, receipt.ReasonStatementMismatch, nil)
}

func TestGatewayKeyIsNoSigner(t *testing.T) {
	s := projected(t, 1)
	o := s.options()
	var err error
	if o.GatewayTrust, err = trustroot.NewGateway(trustroot.GatewayKey{SPKI: s.keys[0]}); err != nil {
		t.Fatal(err)
	}
	s.refused(t, o, receipt.ReasonSignatureInvalid, nil)
}

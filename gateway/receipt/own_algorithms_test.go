// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// ownCase is a signature that a tool made, as the formats' tests have it, and what an own log records of it.
type ownCase struct {
	format, signature, key, artifact string
	as                               receiptpb.Receipt_Representation
	details                          string // that the record names
	shown                            bool   // the record has the message
}

const (
	ownNative    = receiptpb.Receipt_NATIVE
	ownProjected = receiptpb.Receipt_PROJECTED
)

// ownCases are what Rekor v2 has no algorithm for.
var ownCases = []ownCase{
	{"pgp", "rsa4096-SHA512.sig", "rsa4096.key", "artifact", ownProjected, "PKIX_RSA_PKCS1V5", false},
	{"pgp", "rsa2048-SHA384.sig", "rsa2048.key", "artifact", ownProjected, "PKIX_RSA_PKCS1V5", false},
	{"pgp", "ed25519.sig", "ed25519.key", "artifact", ownProjected, "PKIX_ED25519", true},
	{"pgp", "cleartext-ed25519.asc", "ed25519.key", "", ownProjected, "PKIX_ED25519", true},
	{"pgp", "v6-ed25519-text.asc", "v6-ed25519.key", "text", ownProjected, "PKIX_ED25519", true},
	{"ssh", "rsa.sig", "rsa.pub", "artifact.txt", ownProjected, "PKIX_RSA_PKCS1V5", false},
	{"ssh", "ed25519.sig", "ed25519.pub", "artifact.txt", ownProjected, "PKIX_ED25519", true},
	{"ssh", "sk-ed25519.sig", "sk-ed25519.pub", "artifact.txt", ownProjected, "PKIX_ED25519", false},
	{"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", ownProjected, "PKIX_ED25519", true},
	{"minisign", "legacy.minisig", "signer.pub", "artifact.txt", ownProjected, "PKIX_ED25519", false},
	{"minisign", "signify.sig", "release.pub", "artifact.txt", ownProjected, "PKIX_ED25519", false},
	{"minisign", "signify-embedded.sig", "release.pub", "", ownProjected, "PKIX_ED25519", false},
	{"minisign", "signify-gzip.tgz", "release.pub", "", ownProjected, "PKIX_ED25519", false},
	{"pkcs7", "rsa2048-sha512.der", "rsa2048-cert.pem", "artifact.bin", ownProjected, "PKIX_RSA_PKCS1V5", false},
	{"pkcs7", "rsa2048-pss.der", "rsa2048-cert.pem", "artifact.bin", ownProjected, "PKIX_RSA_PSS_2048_SHA256", false},
	{"pkcs7", "p384-sha256.der", "p384-cert.pem", "artifact.bin", ownProjected, "PKIX_ECDSA_P384_SHA_256", false},
	{"pkcs7", "kinds/ed25519.der", "kinds/ed25519-cert.pem", "artifact.bin", ownProjected, "PKIX_ED25519", false},
	{"pkcs7", "kinds/ed25519-noattr.der", "kinds/ed25519-cert.pem", "artifact.bin", ownProjected, "PKIX_ED25519", false},
	{"pkcs7", "kinds/ed25519-attached-noattr.der", "kinds/ed25519-cert.pem", "", ownProjected, "PKIX_ED25519", false},
	{"tuf", "snapshot.json", "root-1.json", "", ownProjected, "PKIX_ED25519", false},
	{"tuf", "timestamp.json", "root-1.json", "", ownProjected, "PKIX_RSA_PSS_2048_SHA256", false},
	{"x509", "rsa2560.sig", "rsa2560.pem", "artifact.bin", ownNative, "PKIX_RSA_PKCS1V5", false},
	{"x509", "rsa2048-sha512.sig", "rsa2048.pem", "artifact.bin", ownNative, "PKIX_RSA_PKCS1V5", false},
	{"x509", "rsa3072-pss.sig", "rsa3072.pem", "artifact.bin", ownNative, "PKIX_RSA_PSS", false},
	{"x509", "p521-sha256.sig", "p521.pem", "artifact.bin", ownNative, "PKIX_ECDSA_P521_SHA_256", false},
	{"x509", "ed25519.sig", "ed25519.pem", "artifact.bin", ownNative, "PKIX_ED25519", false},
	{"x509", "bundles/ed25519.json", "bundles/ed25519.pem", "artifact.bin", ownNative, "PKIX_ED25519", false},
}

func (c ownCase) batch(t *testing.T) *batched {
	t.Helper()
	data := func(name string) []byte {
		return readFile(t, filepath.Join("../../formats", c.format, "testdata", name))
	}
	s := &signed{format: c.format, signature: data(c.signature), keys: [][]byte{data(c.key)}}
	s.policy.Now = timeFor(c.format)
	if c.artifact != "" {
		s.content = data(c.artifact)
	}
	return batch(t, s, c.as)
}

// findCase returns the one of that signature file.
func findCase(t *testing.T, signature string) ownCase {
	t.Helper()
	i := slices.IndexFunc(ownCases, func(c ownCase) bool { return c.signature == signature })
	if i < 0 {
		t.Fatalf("there is no %s", signature)
	}
	return ownCases[i]
}

func (b *batched) parse(t *testing.T) hashedrekord.Record {
	t.Helper()
	r, err := hashedrekord.Own.Parse(b.record().GetBody())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	lineShown  = "record: it holds the message that was signed"
	lineHidden = "record: to check the signature in it takes the bytes that were signed"
)

// TestOwnAlgorithms: of everything that Rekor v2 has no algorithm for, an own log records the signer's own signature. The receipt says who
// can check it, and is refused with another artifact, with none, and with another key.
func TestOwnAlgorithms(t *testing.T) {
	for _, c := range ownCases {
		t.Run(c.format+" "+c.signature, func(t *testing.T) {
			b := c.batch(t)
			r := b.parse(t)
			if r.KeyDetails.String() != c.details || (r.Message != nil) != c.shown {
				t.Fatalf("recorded as %v, message %q", r.KeyDetails, r.Message)
			}
			pure := c.details == "PKIX_ED25519"
			if err := hashedrekord.Own.Verify(r, formats.Projection{}); (err == nil) != (!pure || c.shown) {
				t.Errorf("by the record alone: %v", err)
			}
			report, err := receipt.Verify(t.Context(), b.receipt, b.options())
			if err != nil {
				t.Fatal(err)
			}
			proven, unproven := strings.Join(report.Proven, "\n"), strings.Join(report.Unproven, "\n")
			if strings.Contains(proven, lineShown) != c.shown || strings.Contains(unproven, lineHidden) != (pure && !c.shown) {
				t.Errorf("report:\n%s", report)
			}
			b.refusedWithout(t)
		})
	}
}

// refusedWithout verifies with another artifact, without one, and with another key.
func (b *batched) refusedWithout(t *testing.T) {
	t.Helper()
	o := b.options()
	o.ExpectedKeys, o.ExpectedSigners = nil, ids(t, newKey(t))
	b.refused(t, o, receipt.ReasonSignerMismatch, nil)
	if b.content == nil {
		return
	}
	o = b.options()
	o.Artifact = nil
	b.refused(t, o, receipt.ReasonMissingArtifact, nil)
	b.content = append([]byte("x"), b.content...)
	b.refused(t, b.options(), formats.ReasonArtifactMismatch, nil)
	b.content = b.content[1:]
}

// TestOwnAlgorithmsAreNotRekors: what Rekor v2 has no algorithm for is no projection there, and a receipt that says so is refused.
func TestOwnAlgorithmsAreNotRekors(t *testing.T) {
	for _, c := range ownCases {
		b := c.batch(t)
		_, verified := b.facts(t, c.as)
		if _, _, err := receipt.Project(verified.Projections[0], false); err == nil {
			t.Errorf("%s: projected for Rekor v2", c.signature)
		}
	}
	for _, name := range []string{"rsa4096-SHA512.sig", "ed25519.sig", "legacy.minisig"} {
		b := findCase(t, name).batch(t)
		b.refused(t, b.options(), receipt.ReasonMalformedReceipt, func(r *receiptpb.Receipt) { r.Entries[0].Own = nil })
		// A log that has it all the same, as if it were one of its own entries.
		logged := b.log.AddBodies(b.record().GetBody())
		b.refused(t, b.options(), receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) {
			r.FormatVersion, r.Recorded[0].Way, r.Signature.ClaimedTime = 2, receiptpb.RecordedSignature_DIRECT, r.Recorded[0].GetClaimedTime()
			r.Entries[0].Own, r.Entries[0].Bundle.VerificationMaterial.TlogEntries = nil, logged
		})
	}
}

// relog puts another record of the same signature into the own log, proves it, and says the same in the bundle.
func (b *batched) relog(t *testing.T, change func(*hashedrekord.Record)) func(*receiptpb.Receipt) {
	t.Helper()
	record := b.parse(t)
	change(&record)
	body, err := hashedrekord.Own.Body(record)
	if err != nil {
		t.Fatal(err)
	}
	proof := b.own.Add(record, b.log)
	own := &receiptpb.OwnRecord{Body: body, Proof: proof.Own.GetProof(), Anchors: proof.Own.GetAnchors()}
	return func(r *receiptpb.Receipt) {
		r.Entries[0].Own = own
		m := r.Entries[0].Bundle.GetMessageSignature()
		m.MessageDigest.Digest, m.Signature = record.Digest, record.Signature
	}
}

// TestOwnMessageTampering: a record of the own log that is in it, and proven, and true of some signature, is refused when it is not what the
// submitted signature says.
func TestOwnMessageTampering(t *testing.T) {
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	another := []byte("another message")
	digest := sha256.Sum256(another)
	signed := func(r *hashedrekord.Record) { // by a key of the thief's
		r.SPKI, r.Message, r.Digest, r.Signature = spkiOf(t, stranger.Public()), another, digest[:], ed25519.Sign(stranger, another)
	}
	for _, name := range []string{"ed25519.sig", "prehashed.minisig"} {
		b := findCase(t, name).batch(t)
		for what, change := range map[string]func(*hashedrekord.Record){
			"another message":            func(r *hashedrekord.Record) { r.Message, r.Digest = another, digest[:] },
			"no message":                 func(r *hashedrekord.Record) { r.Message = nil },
			"another digest, no message": func(r *hashedrekord.Record) { r.Message, r.Digest = nil, digest[:] },
			"another signature":          func(r *hashedrekord.Record) { r.Signature = bytes.Repeat([]byte{1}, 64) },
			"by a stranger":              signed,
		} {
			t.Run(name+" "+what, func(t *testing.T) { b.refused(t, b.options(), receipt.ReasonEntryMismatch, b.relog(t, change)) })
		}
	}
	for _, name := range []string{"legacy.minisig", "bundles/ed25519.json", "sk-ed25519.sig"} {
		b := findCase(t, name).batch(t)
		b.refused(t, b.options(), receipt.ReasonEntryMismatch, b.relog(t, func(r *hashedrekord.Record) { r.Digest = digest[:] }))
		b.refused(t, b.options(), receipt.ReasonEntryMismatch, b.relog(t, signed))
		if b.format == "ssh" {
			continue // the artifact is not what was signed
		}
		// True, and not what a gateway records: the log would show what may be anybody's text.
		b.refused(t, b.options(), receipt.ReasonEntryMismatch, b.relog(t, func(r *hashedrekord.Record) { r.Message = b.content }))
	}
}

// TestOwnRecipeTampering: the recipe of a receipt is what the signature says.
func TestOwnRecipeTampering(t *testing.T) {
	for _, name := range []string{"ed25519.sig", "prehashed.minisig", "legacy.minisig"} {
		b := findCase(t, name).batch(t)
		for what, change := range map[string]func(*receiptpb.Recipe){
			"another hash": func(r *receiptpb.Recipe) { r.Hash = proto.String("sha256") },
			"no hash, or one more": func(r *receiptpb.Recipe) {
				if r.Hash == nil {
					r.Hash = proto.String("sha512")
				} else {
					r.Hash = nil
				}
			},
			"no artifact": func(r *receiptpb.Recipe) { r.Artifact = !r.GetArtifact() },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				b.refused(t, b.options(), receipt.ReasonClaimMismatch, func(r *receiptpb.Receipt) { change(r.Entries[0].Recipe) })
			})
		}
	}
}

// TestOwnMessageByDigest: a client that sends digests has PGP and minisign signatures recorded with their messages, too.
func TestOwnMessageByDigest(t *testing.T) {
	for _, name := range []string{"ed25519.sig", "prehashed.minisig", "rsa4096-SHA512.sig"} {
		c := findCase(t, name)
		b := c.batch(t)
		facts, verified := b.facts(t, c.as)
		parsed, err := registry.Parse(t.Context(), b.format, b.signature, b.keys, b.policy)
		if err != nil {
			t.Fatal(err)
		}
		given := formats.FromSignedDigest(verified.Projections[0].SignedDigest())
		if c.format == "minisign" {
			given = formats.FromDigest(verified.Projections[0].SignedDigest())
		}
		if facts.Verified, err = parsed.Verify(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		facts.Ways = []receiptpb.RecordedSignature_Way{receiptpb.RecordedSignature_BATCHED}
		r := receipt.New(facts)
		e, record := b.entry(t, r, facts.Verified, c.as)
		if !bytes.Equal(record.Message, b.parse(t).Message) || !bytes.Equal(record.Digest, b.parse(t).Digest) {
			t.Errorf("%s: another record", name)
		}
		r.Entries = []*receiptpb.LogEntry{e}
		b.complete(t, r, b.own.Add(record, b.log))
		if _, err := receipt.Verify(t.Context(), b.receipt, b.options()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b.refusedWithout(t)
	}
}

// TestFlippedMessageRecord changes every byte of a record that has a message: it is refused.
func TestFlippedMessageRecord(t *testing.T) {
	b := findCase(t, "ed25519.sig").batch(t)
	body := b.record().GetBody()
	o := b.options()
	for i := range body {
		bad := bytes.Clone(body)
		bad[i] ^= 1
		b.refused(t, o, receipt.ReasonEntryMismatch, func(r *receiptpb.Receipt) { r.Entries[0].Own.Body = bad })
	}
}

func spkiOf(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// leaf is a record as a stranger reads it who knows docs/trust.md and nothing of this program.
type leaf struct {
	Kind string
	Spec map[string]struct {
		Data struct {
			Algorithm       string
			Digest, Message []byte
		}
		Signature struct {
			Content  []byte
			Verifier struct {
				KeyDetails string
				PublicKey  struct{ RawBytes []byte }
			}
		}
	}
}

// verifies checks the signature in a record with the standard library alone.
func (l leaf) verifies(t *testing.T) bool {
	t.Helper()
	for _, s := range l.Spec {
		key, err := x509.ParsePKIXPublicKey(s.Signature.Verifier.PublicKey.RawBytes)
		if err != nil {
			t.Fatal(err)
		}
		hash := map[string]crypto.Hash{"SHA2_256": crypto.SHA256, "SHA2_384": crypto.SHA384, "SHA2_512": crypto.SHA512}[s.Data.Algorithm]
		details, sig := s.Signature.Verifier.KeyDetails, s.Signature.Content
		switch pub := key.(type) {
		case *rsa.PublicKey:
			if strings.HasPrefix(details, "PKIX_RSA_PSS") {
				return rsa.VerifyPSS(pub, hash, s.Data.Digest, sig, nil) == nil
			}
			return strings.HasPrefix(details, "PKIX_RSA_PKCS1V") && rsa.VerifyPKCS1v15(pub, hash, s.Data.Digest, sig) == nil
		case *ecdsa.PublicKey:
			return strings.HasPrefix(details, "PKIX_ECDSA_") && ecdsa.VerifyASN1(pub, s.Data.Digest, sig)
		case ed25519.PublicKey:
			sum := sha256.Sum256(s.Data.Message)
			return l.Kind == "signedmessage" && details == "PKIX_ED25519" && bytes.Equal(sum[:], s.Data.Digest) && ed25519.Verify(pub, s.Data.Message, sig)
		}
	}
	return false
}

// TestStrangerReadsRecords: what the documentation says of a record is enough to check the signature in it, where that is possible at all.
func TestStrangerReadsRecords(t *testing.T) {
	for _, c := range ownCases {
		b := c.batch(t)
		var l leaf
		if err := json.Unmarshal(b.record().GetBody(), &l); err != nil {
			t.Fatal(err)
		}
		if want := c.details != "PKIX_ED25519" || c.shown; l.verifies(t) != want {
			t.Errorf("%s %s: verifies %t\n%s", c.format, c.signature, !want, b.record().GetBody())
		}
	}
}

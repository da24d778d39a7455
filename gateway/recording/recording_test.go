// SPDX-License-Identifier: Apache-2.0

package recording_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/planning"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
)

// log takes what its list has.
type log hashedrekord.Algorithms

func (l log) Accepts(o gateway.Offer) error {
	return recording.Accepts(hashedrekord.Algorithms(l), o)
}

func read(t *testing.T, format, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../formats", format, "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// at is when all of the formats' test data is good.
func at(format string) time.Time {
	if format == "tuf" || format == "pgp" {
		return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	}
	return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
}

func parse(t *testing.T, format, signature, key string) formats.Parsed {
	t.Helper()
	p, err := all.Formats().Parse(t.Context(), format, read(t, format, signature), [][]byte{read(t, format, key)}, formats.Policy{Now: at(format)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func verify(t *testing.T, p formats.Parsed, format, artifact string) *formats.Verified {
	t.Helper()
	var a formats.Artifact
	if artifact != "" {
		a = formats.FromReader(bytes.NewReader(read(t, format, artifact)))
	}
	v, err := p.Verify(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWays lists how signatures that the formats' own tools made are recorded: in Rekor v2, and in a gateway's own log, in which kind of record.
func TestWays(t *testing.T) {
	const native, projected, attested = gateway.Native, gateway.Projected, gateway.Attested
	const hashed, message = hashedrekord.Kind, hashedrekord.MessageKind
	for _, c := range []struct {
		format, signature, key, artifact string
		direct, batched                  gateway.Representation
		kind                             string // of the record in the own log
	}{
		{"pgp", "rsa4096-SHA256.sig", "rsa4096.key", "artifact", projected, projected, hashed},
		{"pgp", "rsa4096-SHA512.sig", "rsa4096.key", "artifact", attested, projected, hashed},
		{"pgp", "rsa2048-SHA384.sig", "rsa2048.key", "artifact", attested, projected, hashed},
		{"pgp", "v3-SHA512.sig", "v3.key", "artifact", attested, projected, hashed},
		{"pgp", "ed25519.sig", "ed25519.key", "artifact", attested, projected, message},
		{"pgp", "v6-ed25519.sig", "v6-ed25519.key", "artifact", attested, projected, message},
		{"pgp", "cleartext-ed25519.asc", "ed25519.key", "", attested, projected, message},
		{"pgp", "p256-SHA512.sig", "p256.key", "artifact", attested, attested, ""}, // half of the digest is not signed
		{"ssh", "ecdsa-256.sig", "ecdsa-256.pub", "artifact.txt", projected, projected, hashed},
		{"ssh", "rsa.sig", "rsa.pub", "artifact.txt", attested, projected, hashed},
		{"ssh", "ed25519.sig", "ed25519.pub", "artifact.txt", attested, projected, message},
		{"ssh", "sk-ed25519.sig", "sk-ed25519.pub", "artifact.txt", attested, projected, hashed},
		{"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", attested, projected, message},
		{"minisign", "legacy.minisig", "signer.pub", "artifact.txt", attested, projected, hashed},
		{"minisign", "signify.sig", "release.pub", "artifact.txt", attested, projected, hashed},
		{"minisign", "signify-embedded.sig", "release.pub", "", attested, projected, hashed},
		{"pkcs7", "rsa2048-sha512.der", "rsa2048-cert.pem", "artifact.bin", attested, projected, hashed},
		{"pkcs7", "rsa2048-pss.der", "rsa2048-cert.pem", "artifact.bin", attested, projected, hashed},
		{"pkcs7", "kinds/ed25519.der", "kinds/ed25519-cert.pem", "artifact.bin", attested, projected, hashed},
		{"pkcs7", "kinds/ed25519-noattr.der", "kinds/ed25519-cert.pem", "artifact.bin", attested, projected, hashed},
		{"tuf", "targets.json", "root-1.json", "", projected, projected, hashed},
		{"tuf", "targets-mixed.json", "root-1.json", "", attested, projected, hashed},
		{"tuf", "timestamp.json", "root-1.json", "", attested, projected, hashed},
		{"x509", "p256.sig", "p256.pem", "artifact.bin", native, native, hashed},
		{"x509", "rsa2560.sig", "rsa2560.pem", "artifact.bin", attested, native, hashed},
		{"x509", "rsa2048-sha512.sig", "rsa2048.pem", "artifact.bin", attested, native, hashed},
		{"x509", "rsa2048-pss.sig", "rsa2048.pem", "artifact.bin", attested, native, hashed},
		{"x509", "p384-sha256.sig", "p384.pem", "artifact.bin", attested, native, hashed},
		{"x509", "ed25519ph.sig", "ed25519.pem", "artifact.bin", native, native, hashed},
		{"x509", "ed25519.sig", "ed25519.pem", "artifact.bin", attested, native, hashed},
	} {
		t.Run(c.format+" "+c.signature, func(t *testing.T) {
			p := parse(t, c.format, c.signature, c.key)
			v := verify(t, p, c.format, c.artifact)
			for list, want := range map[*hashedrekord.Algorithms]gateway.Representation{&hashedrekord.RekorV2: c.direct, &hashedrekord.Own: c.batched} {
				planner := planning.Planner{Logs: []planning.Acceptor{log(*list)}, Attests: true}
				plan, err := planner.Plan(p.Describe(), "")
				if err != nil {
					t.Fatal(err)
				}
				got, projections, err := planner.Choose(plan, "", v)
				if err != nil || got != want {
					t.Fatalf("recorded as %s, %v; want %s", got, err, want)
				}
				checkRecords(t, *list, projections, c.kind)
			}
		})
	}
}

// checkRecords: each projection is a record that reads back, of that kind in an own log, and verifies alone unless it is digest of what is needed.
func checkRecords(t *testing.T, list hashedrekord.Algorithms, projections []formats.Projection, kind string) {
	t.Helper()
	for _, projection := range projections {
		prepared, _, err := recording.Prepare("log", list, gateway.Offer{Projection: &projection})
		if err != nil {
			t.Fatal(err)
		}
		r, err := list.Parse(prepared.Body)
		if err != nil || prepared.Kind != kind || r.Kind() != kind || prepared.LeafHash != hashedrekord.LeafHash(prepared.Body) {
			t.Errorf("%s, %s: %v", prepared.Kind, prepared.Body, err)
		}
		want := formats.Reason("")
		if projection.Scheme == formats.Ed25519 && kind != hashedrekord.MessageKind {
			want = formats.ReasonNeedsBytes
		}
		if err := list.Verify(r, formats.Projection{}); formats.ReasonOf(err) != want {
			t.Errorf("alone: %v, want %q", err, want)
		}
	}
}

// TestOneEntryOfAlternatives: what a signature could turn out to be takes one entry.
func TestOneEntryOfAlternatives(t *testing.T) {
	planner := planning.Planner{Logs: []planning.Acceptor{log(hashedrekord.Own)}, Attests: true}
	plan, err := planner.Plan(parse(t, "x509", "ed25519.sig", "ed25519.pem").Describe(), "")
	if err != nil || plan.Option(gateway.Native).Entries != 1 || len(plan.Description.Candidates) != 2 {
		t.Errorf("%+v, %v", plan, err)
	}
}

// TestPrepareRefusesPure: nothing is recorded as a signature over bytes that nobody has verified it over.
func TestPrepareRefusesPure(t *testing.T) {
	good := verify(t, parse(t, "x509", "ed25519.sig", "ed25519.pem"), "x509", "artifact.bin").Projections[0]
	shown := verify(t, parse(t, "pgp", "ed25519.sig", "ed25519.key"), "pgp", "artifact").Projections[0]
	another := sha256.Sum256([]byte("another"))
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(stranger.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		p      formats.Projection
		change func(*formats.Projection)
		want   formats.Reason
	}{
		"not verified":            {good, func(p *formats.Projection) { *p = p.WithCheckOf(formats.Projection{}) }, formats.ReasonNeedsBytes},
		"another digest":          {good, func(p *formats.Projection) { p.Digest.Value = another[:] }, formats.ReasonNeedsBytes},
		"another key":             {good, func(p *formats.Projection) { p.SPKI = spki }, formats.ReasonNeedsBytes},
		"another signature":       {good, func(p *formats.Projection) { p.Signature = make([]byte, 64) }, formats.ReasonNeedsBytes},
		"another message":         {shown, func(p *formats.Projection) { p.Message = []byte("another") }, formats.ReasonSignatureInvalid},
		"another message, digest": {shown, func(p *formats.Projection) { p.Message, p.Digest.Value = []byte("another"), another[:] }, formats.ReasonSignatureInvalid},
		"by another key":          {shown, func(p *formats.Projection) { p.SPKI = spki }, formats.ReasonSignatureInvalid},
		"no message":              {shown, func(p *formats.Projection) { p.Message = nil }, formats.ReasonNeedsBytes},
	} {
		c.change(&c.p)
		if prepared, _, err := recording.Prepare("log", hashedrekord.Own, gateway.Offer{Projection: &c.p}); formats.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, %s", name, err, prepared.Body)
		}
	}
	for name, p := range map[string]formats.Projection{"pure": good, "with its message": shown} {
		if _, _, err := recording.Prepare("log", hashedrekord.RekorV2, gateway.Offer{Projection: &p}); formats.ReasonOf(err) != formats.ReasonNotProjectable {
			t.Errorf("%s, in Rekor v2: %v", name, err)
		}
	}
}

// TestPrepareRefusesLarge: a record is no larger than a log's.
func TestPrepareRefusesLarge(t *testing.T) {
	message := make([]byte, hashedrekord.MaxBody)
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	p, err := formats.Projection{
		Candidate: formats.Candidate{SPKI: spki, Scheme: formats.Ed25519, Hash: formats.SHA256}, Signature: ed25519.Sign(key, message), Message: message,
	}.CheckMessage(message)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := recording.Prepare("log", hashedrekord.Own, gateway.Offer{Projection: &p}); formats.ReasonOf(err) != formats.ReasonTooLarge {
		t.Error(err)
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build corpus

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"golang.org/x/mod/sumdb/note"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// ownVectors are recorded in a gateway's own log, which is anchored in a real one: in two with twoLogs.
var ownVectors = []vector{
	{
		name: "own-x509-p256", about: "batched: ECDSA P-256",
		format: "x509", signature: "p256.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Native, batched: true, also: "p256-cert.pem", logs: true,
	},
	{
		name: "own-pgp-rsa3072", about: "batched: version 4, binary; the own log's checkpoint is cosigned",
		format: "pgp", signature: "rsa3072-SHA256.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, batched: true, cosigned: true,
	},
	{
		name: "own-minisign", about: "batched: a statement in the own log",
		format: "minisign", signature: "prehashed.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested, batched: true, logs: true,
	},
	{
		name: "own-two-anchors", about: "batched: the own log's checkpoint is anchored in two logs",
		format: "ssh", signature: "ecdsa-256.sig", keys: "ecdsa-256.pub", artifact: "artifact.txt", want: gateway.Projected, batched: true, twoLogs: true,
	},
	{
		name: "own-pgp-mixed", about: "batched: two armors, one signature projected and one attested, both in the own log",
		format: "pgp", signature: "mixed.asc", keys: "rsa3072.key ed25519.key", also: "rsa3072.key ed25519.key", artifact: "artifact", want: gateway.Attested, batched: true,
	},
	{
		name: "own-pgp-known-alone", about: "batched: three signatures, of which only one is recorded",
		format: "pgp", signature: "three.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, batched: true, known: true,
	},
	{
		name: "own-tuf-targets", about: "batched: two of two signatures, a record each",
		format: "tuf", signature: "targets.json", keys: "root-1.json", want: gateway.Projected, batched: true,
	},
	{
		name: "own-pgp-historical-sha1", about: "batched: SHA-1, under the historical policy",
		format: "pgp", signature: "sha1.sig", keys: "rsa2048.key", artifact: "artifact", want: gateway.Attested, batched: true, policy: "historical", wrong: "p256.key",
	},
	{
		name: "own-pgp-rsa4096-sha512", about: "batched: RSA over SHA-512, gpg's default, projected",
		format: "pgp", signature: "rsa4096-SHA512.sig", keys: "rsa4096.key", artifact: "artifact", want: gateway.Projected, batched: true,
	},
	{
		name: "own-pgp-ed25519", about: "batched: EdDSA projected, with the digest that is its message",
		format: "pgp", signature: "ed25519.sig", keys: "ed25519.key", artifact: "artifact", want: gateway.Projected, batched: true,
	},
	{
		name: "own-ssh-ed25519", about: "batched: Ed25519 projected, with the SSHSIG blob",
		format: "ssh", signature: "ed25519.sig", keys: "ed25519.pub", artifact: "artifact.txt", want: gateway.Projected, batched: true,
	},
	{
		name: "own-ssh-sk-ed25519", about: "batched: a security key's Ed25519 projected, by a digest",
		format: "ssh", signature: "sk-ed25519.sig", keys: "sk-ed25519.pub", artifact: "artifact.txt", want: gateway.Projected, batched: true,
	},
	{
		name: "own-minisign-prehashed", about: "batched: prehashed, projected, with the BLAKE2b-512 digest that is its message",
		format: "minisign", signature: "prehashed.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Projected, batched: true,
	},
	{
		name: "own-minisign-legacy", about: "batched: legacy, projected, by a digest: who has not the file cannot check the record",
		format: "minisign", signature: "legacy.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Projected, batched: true,
	},
	{
		name: "own-x509-ed25519", about: "batched: pure Ed25519, by a digest: who has not the file cannot check the record",
		format: "x509", signature: "ed25519.sig", keys: "ed25519.pem", artifact: "artifact.bin", want: gateway.Native, batched: true,
	},
	{
		name: "own-x509-pss-sha512", about: "batched: RSA-PSS over SHA-512",
		format: "x509", signature: "rsa3072-pss.sig", keys: "rsa3072.pem", artifact: "artifact.bin", want: gateway.Native, batched: true,
	},
	{
		name: "own-pkcs7-ed25519", about: "batched: Ed25519 over signed attributes, by a digest",
		format: "pkcs7", signature: "kinds/ed25519.der", keys: "kinds/ed25519-cert.pem", artifact: "artifact.bin", want: gateway.Projected, batched: true,
	},
	{
		name: "own-tuf-ed25519", about: "batched: metadata signed with Ed25519, by a digest",
		format: "tuf", signature: "snapshot.json", keys: "root-1.json", want: gateway.Projected, batched: true,
	},
}

// newOwnLog returns the own log of a run.
func (m *maker) newOwnLog(n int) *receipttest.OwnLog {
	return receipttest.NewOwnLog(m.t, fmt.Sprintf("own-%d.corpus.test/log", n))
}

// useOwnLog anchors the own log for the first time, so that nothing of a receipt is at the first index of a log, where a key that is
// retired counts still.
func (m *maker) useOwnLog() {
	checkpoint := m.own.Checkpoint()
	for _, l := range m.anchors {
		m.anchorIn(l, checkpoint)
	}
}

// trustOwn adds the own log with that key to what a reader trusts of a gateway, and its anchor key up to an index.
func (m *maker) trustOwn(g *trustroot.Gateway, key string, to *int64) (*trustroot.Gateway, error) {
	g, err := g.WithOwnLog(m.own.Origin, key)
	from, last := map[string]int64{}, map[string]int64{}
	for _, s := range m.servers {
		if from[s.Origin()] = 0; to != nil {
			last[s.Origin()] = *to
		}
	}
	if err == nil {
		g, err = g.WithAnchorKey(m.own.Origin, m.own.AnchorSPKI(), from)
	}
	if err != nil {
		return nil, err
	}
	return g.RetireAnchorKey(m.own.Origin, m.own.AnchorSPKI(), last)
}

// batch makes the receipt that a gateway does of a batched signature.
func (m *maker) batch(t *testing.T, v vector) *receiptpb.Receipt {
	p := m.policy(v.policy)
	p.KnownOnly = v.known
	verified, description := v.verify(t, p, time.Now())
	facts := receipt.Facts{ID: v.name, Signature: corpusInput(t, v.format, v.signature), Description: description, Verified: verified, Policy: p}
	facts.Policy.Now = time.Now()
	for _, each := range verified.Each() {
		facts.Representations = append(facts.Representations, representationOf(each, v.want))
		facts.Ways = append(facts.Ways, receiptpb.RecordedSignature_BATCHED)
	}
	r := receipt.New(facts)
	var bodies [][]byte
	for at, each := range verified.Each() {
		entries, records := m.entries(t, r, at, each)
		for i, e := range entries {
			e.Signature = uint32(at)
			body, err := hashedrekord.Own.Body(records[i])
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, body)
		}
		r.Entries = append(r.Entries, entries...)
	}
	r, err := receipt.Complete(r, m.proveBodies(t, v, bodies))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// representationOf is the best one that a log has for a signature, or the one that is wanted of all. Where that is ATTESTED, Rekor v2's
// algorithms decide, as they did when the own log had no others.
func representationOf(each *formats.Verified, want gateway.Representation) receiptpb.Receipt_Representation {
	if want == gateway.Attested && len(each.Projections) > 0 && hashedrekordTakes(each.Projections[0]) {
		want = gateway.Projected
	}
	return receiptpb.Receipt_Representation(receiptpb.Receipt_Representation_value[string(want)])
}

func hashedrekordTakes(p formats.Projection) bool {
	_, err := hashedrekord.KeyDetails(p.Candidate)
	return err == nil
}

// entries are those of the signature at a position, with what is recorded of them.
func (m *maker) entries(t *testing.T, r *receiptpb.Receipt, at int, each *formats.Verified) (entries []*receiptpb.LogEntry, records []hashedrekord.Record) {
	if r.GetRecorded()[at].GetRepresentation() == receiptpb.Receipt_ATTESTED {
		signed, err := m.attester.Attest(t.Context(), receipt.ForSignature(r, at))
		if err != nil {
			t.Fatal(err)
		}
		e, record := receipt.Attestation(signed)
		return []*receiptpb.LogEntry{e}, []hashedrekord.Record{record}
	}
	for _, p := range each.Projections {
		e, record, err := receipt.ProjectFor(hashedrekord.Own, p, false)
		if err != nil {
			t.Fatal(err)
		}
		entries, records = append(entries, e), append(records, record)
	}
	return entries, records
}

// proveBodies puts records into the own log and anchors it.
func (m *maker) proveBodies(t *testing.T, v vector, bodies [][]byte) (proofs []receipt.Proof) {
	var indexes []uint64
	for _, body := range bodies {
		indexes = append(indexes, m.own.Append(body))
	}
	checkpoint, logs := m.own.Checkpoint(), m.anchors[:1]
	if v.twoLogs {
		logs = m.anchors
	}
	var anchors []*receiptpb.Anchor
	for _, l := range logs {
		anchors = append(anchors, m.anchorIn(l, checkpoint))
	}
	if v.cosigned {
		secret, _, err := note.GenerateKey(nil, "witness.corpus.test")
		if err != nil {
			t.Fatal(err)
		}
		witness, err := note.NewSigner(secret)
		if err != nil {
			t.Fatal(err)
		}
		checkpoint = m.own.Checkpoint(witness)
	}
	for i, body := range bodies {
		proofs = append(proofs, m.own.Record(indexes[i], body, checkpoint, anchors...))
	}
	return proofs
}

// anchorIn records a checkpoint of the own log in a real one.
func (m *maker) anchorIn(l *rekorv2.Log, checkpoint []byte) *receiptpb.Anchor {
	m.t.Helper()
	return receipttest.AnchorWith(m.t, checkpoint, m.own.Anchor, func(record hashedrekord.Record) *rekorpb.TransparencyLogEntry {
		p, err := record.Projection()
		if err != nil {
			m.t.Fatal(err)
		}
		prepared, _, err := l.Prepare(gateway.Offer{Projection: &p})
		if err != nil {
			m.t.Fatal(err)
		}
		inclusion, err := l.Add(m.t.Context(), l.Describe().Shard, prepared)
		if err != nil {
			m.t.Fatal(err)
		}
		var logged rekorpb.TransparencyLogEntry
		if err := proto.Unmarshal(inclusion.Proof, &logged); err != nil {
			m.t.Fatal(err)
		}
		logged.CanonicalizedBody = slices.Clone(prepared.Body)
		return &logged
	})
}

// ownEdits change what is new in a batched receipt.
var ownEdits = []edited{
	{name: "edited-own-version-3", of: "own-pgp-rsa3072", about: "called version 3", change: func(r *receiptpb.Receipt) { r.FormatVersion = 3 }},
	{name: "edited-own-version-2", of: "own-x509-p256", about: "called version 2", change: func(r *receiptpb.Receipt) { r.FormatVersion = 2 }},
	{name: "edited-version-4", of: "x509-bundle", about: "called version 4, with nothing of it", change: func(r *receiptpb.Receipt) { r.FormatVersion = 4 }},
	{name: "edited-way-batched", of: "x509-bundle", about: "called BATCHED", change: func(r *receiptpb.Receipt) {
		r.Recorded[0].Way = receiptpb.RecordedSignature_BATCHED
	}},
	{name: "edited-own-way", of: "own-pgp-rsa3072", about: "called DIRECT", change: func(r *receiptpb.Receipt) {
		r.Recorded[0].Way = receiptpb.RecordedSignature_DIRECT
	}},
	{name: "edited-own-way-of-one", of: "own-pgp-mixed", about: "one of two signatures called DIRECT", change: func(r *receiptpb.Receipt) {
		r.Recorded[1].Way = receiptpb.RecordedSignature_DIRECT
	}},
	{name: "edited-own-gone", of: "own-x509-p256", about: "the own log's record taken away", change: func(r *receiptpb.Receipt) { r.Entries[0].Own = nil }},
	{name: "edited-own-body", of: "own-x509-p256", about: "a record that is not canonical", change: func(r *receiptpb.Receipt) {
		ownOf(r).Body = append(ownOf(r).GetBody(), ' ')
	}},
	{name: "edited-own-body-swapped", of: "own-tuf-targets", about: "each of two records in the other's place", change: func(r *receiptpb.Receipt) {
		r.Entries[0].Own, r.Entries[1].Own = r.Entries[1].Own, r.Entries[0].Own
	}},
	{name: "edited-own-entry-gone", of: "own-tuf-targets", about: "one of two records taken away", change: func(r *receiptpb.Receipt) { r.Entries = r.Entries[:1] }},
	{name: "edited-own-index", of: "own-x509-p256", about: "another index", change: editProof(func(p *receipt.OwnProof) { p.Index++ })},
	{name: "edited-own-hash", of: "own-x509-p256", about: "another hash in the proof", change: editProof(func(p *receipt.OwnProof) { p.Hashes[0][0] ^= 1 })},
	{name: "edited-own-size", of: "own-x509-p256", about: "another tree size in the own log's checkpoint", change: editProof(func(p *receipt.OwnProof) {
		lines := bytes.SplitN(p.Checkpoint, []byte("\n"), 3)
		p.Checkpoint = bytes.Join([][]byte{lines[0], append(lines[1], '0'), lines[2]}, []byte("\n"))
	})},
	{name: "edited-own-spelling", of: "own-x509-p256", about: "the index with a leading zero", change: func(r *receiptpb.Receipt) {
		ownOf(r).Proof = strings.Replace(ownOf(r).GetProof(), "\nindex ", "\nindex 0", 1)
	}},
	{name: "edited-own-extra", of: "own-x509-p256", about: "extra data in the proof", change: func(r *receiptpb.Receipt) {
		ownOf(r).Proof = strings.Replace(ownOf(r).GetProof(), "\nindex ", "\nextra AAAA\nindex ", 1)
	}},
	{name: "edited-own-cosignature", of: "own-x509-p256", about: "a cosignature by an unknown witness on the own log's checkpoint", change: func(r *receiptpb.Receipt) {
		ownOf(r).Proof += "\u2014 witness.example AAAAAAAA\n"
	}},
	{name: "edited-own-cosignature-gone", of: "own-pgp-rsa3072", about: "the cosignature taken away", change: editProof(func(p *receipt.OwnProof) {
		p.Checkpoint, _ = receipt.AnchoredBytes(p.Checkpoint) // the corpus has none that fails
	})},
	{name: "edited-own-anchor-gone", of: "own-x509-p256", about: "the anchor taken away", change: func(r *receiptpb.Receipt) { ownOf(r).Anchors = nil }},
	{name: "edited-own-anchor-gone-of-two", of: "own-two-anchors", about: "one of two anchors taken away", change: func(r *receiptpb.Receipt) {
		ownOf(r).Anchors = ownOf(r).GetAnchors()[1:]
	}},
	{name: "edited-own-anchor-twice", of: "own-two-anchors", about: "one of two anchors in the other's place", change: func(r *receiptpb.Receipt) {
		ownOf(r).Anchors[1] = ownOf(r).GetAnchors()[0]
	}},
	{name: "edited-own-anchor-of-another", of: "own-x509-p256", about: "the anchor of another checkpoint of the same log", change: func(r *receiptpb.Receipt) {
		ownOf(r).Anchors = ownOf(readReceipt("own-minisign")).GetAnchors()
	}},
	{name: "edited-own-anchor-spki", of: "own-x509-p256", about: "the signer's key in place of the anchor key", change: func(r *receiptpb.Receipt) {
		ownOf(r).GetAnchors()[0].Spki = r.GetSigners()[0].GetSpki()
	}},
	{name: "edited-own-anchor-digest", of: "own-x509-p256", about: "another digest in the anchor's bundle", change: func(r *receiptpb.Receipt) {
		ownOf(r).GetAnchors()[0].GetBundle().GetMessageSignature().MessageDigest.Digest[0] ^= 1
	}},
	{name: "edited-own-anchor-index", of: "own-x509-p256", about: "another index of the anchor", change: func(r *receiptpb.Receipt) {
		t := ownOf(r).GetAnchors()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
		t.LogIndex, t.InclusionProof.LogIndex = t.LogIndex+1, t.InclusionProof.LogIndex+1
	}},
	{name: "edited-own-anchor-direct", of: "own-x509-p256", about: "the anchor's log entry beside the own log's record", change: func(r *receiptpb.Receipt) {
		r.Entries[0].Bundle.VerificationMaterial.TlogEntries = ownOf(r).GetAnchors()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()
	}},
	{name: "edited-own-checks-once", of: "own-pgp-historical-sha1", about: "the one signature's checks stand in the receipt alone, as they do since", change: func(r *receiptpb.Receipt) {
		r.Recorded[0].Checks = nil
	}},
	{name: "edited-own-checks-once-edited", of: "own-pgp-historical-sha1", about: "the same, against the statement", change: func(r *receiptpb.Receipt) {
		r.Recorded[0].Checks, r.Checks = nil, append(r.Checks, "all-of-them")
	}},
	{name: "edited-own-checks-gone", of: "own-pgp-historical-sha1", about: "no checks, against the statement", change: func(r *receiptpb.Receipt) {
		r.Recorded[0].Checks, r.Checks = nil, nil
	}},
	{name: "edited-own-checks-of-one", of: "own-pgp-mixed", about: "one of two signatures has no checks of its own, against the statement", change: func(r *receiptpb.Receipt) {
		r.Recorded[1].Checks = nil
	}},
}

// messageEdits change what the record of a pure Ed25519 signature says.
var messageEdits = []edited{
	{name: "edited-own-message", of: "own-pgp-ed25519", about: "another message in the record, with its digest", change: editRecord(func(r *hashedrekord.Record) {
		digest := sha256.Sum256([]byte("another"))
		r.Message, r.Digest = []byte("another"), digest[:]
	})},
	{name: "edited-own-message-gone", of: "own-minisign-prehashed", about: "the message taken out of the record", change: editRecord(func(r *hashedrekord.Record) { r.Message = nil })},
	{name: "edited-own-message-added", of: "own-minisign-legacy", about: "a message put into the record: the file that was signed", change: editRecord(func(r *hashedrekord.Record) {
		r.Message = mustRead("../../formats/minisign/testdata/artifact.txt")
	})},
	{name: "edited-own-message-of-another", of: "own-pgp-ed25519", about: "the record of another signature", change: func(r *receiptpb.Receipt) {
		ownOf(r).Body = ownOf(readReceipt("own-ssh-ed25519")).GetBody()
	}},
	{name: "edited-own-pure-digest", of: "own-x509-ed25519", about: "another digest in the record", change: editRecord(func(r *hashedrekord.Record) { r.Digest[0] ^= 1 })},
	{name: "edited-own-recipe-hash", of: "own-pgp-ed25519", about: "another hash in the recipe", change: func(r *receiptpb.Receipt) {
		r.Entries[0].Recipe.Hash = proto.String("sha256")
	}},
	{name: "edited-own-recipe-hash-added", of: "own-minisign-legacy", about: "a hash in a recipe that has none", change: func(r *receiptpb.Receipt) {
		r.Entries[0].Recipe.Hash = proto.String("blake2b-512")
	}},
}

// editRecord returns an edit of the first entry's record, and of its bundle's digest.
func editRecord(change func(*hashedrekord.Record)) func(*receiptpb.Receipt) {
	return func(r *receiptpb.Receipt) {
		record, err := hashedrekord.Own.Parse(ownOf(r).GetBody())
		if err != nil {
			panic(err)
		}
		change(&record)
		if ownOf(r).Body, err = hashedrekord.Own.Body(record); err != nil {
			panic(err)
		}
		r.Entries[0].Bundle.GetMessageSignature().MessageDigest.Digest = record.Digest
	}
}

func mustRead(name string) []byte {
	b, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return b
}

func ownOf(r *receiptpb.Receipt) *receiptpb.OwnRecord { return r.GetEntries()[0].GetOwn() }

// editProof returns an edit of the first entry's proof.
func editProof(change func(*receipt.OwnProof)) func(*receiptpb.Receipt) {
	return func(r *receiptpb.Receipt) {
		p, err := receipt.ParseOwnProof([]byte(ownOf(r).GetProof()))
		if err != nil {
			panic(err)
		}
		change(&p)
		text, err := receipt.FormatOwnProof(p)
		if err != nil {
			panic(err)
		}
		ownOf(r).Proof = string(text)
	}
}

// readReceipt reads one of the corpus.
func readReceipt(name string) *receiptpb.Receipt {
	b, err := os.ReadFile(filepath.Join(corpusDir, name, "receipt.json"))
	if err != nil {
		panic(err)
	}
	r, err := receipt.Unmarshal(b)
	if err != nil {
		panic(err)
	}
	return r
}

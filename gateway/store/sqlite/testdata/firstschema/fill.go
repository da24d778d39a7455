// SPDX-License-Identifier: Apache-2.0

// Command fill makes the files of this folder; it is built at commit a08c127, see README.md.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Submission is what store.json says of one.
type Submission struct {
	Name, ID, Tenant, OldKey, Format, Representation, State string
	CreatedAt                                               int64
	Digests, Signers                                        []string
	Labels                                                  map[string]string
	Receipt                                                 []byte // protobuf
	Entries                                                 []Entry
	// What the migration has to make of it.
	Needed    int
	Evidence  string
	Logs      []string
	Embedded  bool
	Container string
	Findings  []string
}

// Entry is what store.json says of one.
type Entry struct {
	ID                                  int64
	Log, LeafHash, State, Problem       string
	Body, Signature                     []byte
	NextAt, LastSentAt, Fence, Attempts int64
	InDoubt                             bool
	SentAtTreeSize                      *uint64
	Inclusion                           []byte // protobuf TransparencyLogEntry, body included
}

// spec is a submission to make.
type spec struct {
	name, tenant string
	at           time.Duration // after start
	entries      []string      // "log/name"; an entry named "odd" is not a hashedrekord
	change       func(*gateway.NewSubmission, *Submission)
}

var (
	start  = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	ctx    = context.Background()
	key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	bodies = make(map[string][]byte) // entries of one name are the same entry
)

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func body(name string) []byte {
	if name == "odd" {
		return []byte("this is no hashedrekord")
	}
	if bodies[name] == nil {
		digest := sha256.Sum256([]byte(name))
		bodies[name] = must(hashedrekord.Body(hashedrekord.Record{
			Digest: digest[:], Signature: must(ecdsa.SignASN1(rand.Reader, key, digest[:])),
			SPKI:       must(x509.MarshalPKIXPublicKey(&key.PublicKey)),
			KeyDetails: commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		}))
	}
	return bodies[name]
}

func plain(s *gateway.NewSubmission, want *Submission) {}

var specs = []spec{
	{"logged", "alice", 0, []string{"rekor/logged"}, plain},
	{"shared by alice", "alice", time.Second, []string{"rekor/shared"}, plain},
	{"shared by bob", "bob", time.Second, []string{"rekor/shared"}, plain},
	{"failed", "alice", 2 * time.Second, []string{"rekor/failed"}, plain},
	{"leased", "alice", 3 * time.Second, []string{"rekor/leased"}, plain},
	{"expired", "alice", 4 * time.Second, []string{"rekor/expired"}, plain},
	{"in doubt", "bob", 5 * time.Second, []string{"rekor/in doubt"}, plain},
	{"waiting", "alice", 6 * time.Second, []string{"rekor/waiting"}, plain},
	{"tuf", "bob", 7 * time.Second, []string{"rekor/tuf 1", "rekor/tuf 2", "rekor/tuf 3"}, func(s *gateway.NewSubmission, _ *Submission) {
		s.Format, s.Representation = "tuf", gateway.Projected
		s.Signers = [][32]byte{sha256.Sum256([]byte("tuf 1")), sha256.Sum256([]byte("tuf 2")), sha256.Sum256([]byte("tuf 3"))}
	}},
	{"two logs", "alice", 8 * time.Second, []string{"rekor/two logs", "other/two logs"}, func(_ *gateway.NewSubmission, want *Submission) {
		want.Needed, want.Logs = 2, []string{"other", "rekor"}
	}},
	{"embedded", "alice", 9 * time.Second, []string{"rekor/embedded"}, func(s *gateway.NewSubmission, want *Submission) {
		s.Receipt.Artifact.Embedded, want.Embedded = true, true
	}},
	{"container", "alice", 9 * time.Second, []string{"rekor/container"}, func(s *gateway.NewSubmission, want *Submission) {
		sum := sha256.Sum256([]byte("container"))
		s.Receipt.Artifact.Container = &receiptpb.Digest{Algorithm: "sha256", Value: sum[:]}
		want.Container = "sha256:" + hex.EncodeToString(sum[:])
	}},
	{"findings", "alice", 9 * time.Second, []string{"rekor/findings"}, func(s *gateway.NewSubmission, want *Submission) {
		s.Receipt.Findings = []*receiptpb.Finding{{Reason: "WEAK_ALGORITHM", Message: "weak"}, {Reason: "EXPIRED_KEY", Message: "expired"}}
		want.Findings = []string{"EXPIRED_KEY", "WEAK_ALGORITHM"}
		s.Representation = gateway.Attested
	}},
	{"digest", "bob", 9 * time.Second, []string{"rekor/digest"}, func(s *gateway.NewSubmission, want *Submission) {
		s.Digests = append(s.Digests, formats.Digest{Algorithm: formats.SHA512, Value: make([]byte, 64)})
		s.Receipt.Artifact.Digests = append(s.Receipt.Artifact.Digests, &receiptpb.Digest{
			Algorithm: "sha512", Value: make([]byte, 64), Evidence: receiptpb.Digest_DIGEST,
		})
		want.Evidence = "DIGEST"
	}},
	{"no digests", "bob", 9 * time.Second, []string{"rekor/no digests"}, func(s *gateway.NewSubmission, want *Submission) {
		s.Digests, s.Labels, s.Receipt.Artifact.Digests = nil, nil, nil
		s.Representation, want.Evidence = gateway.Native, "DIGEST"
	}},
	{"odd", "bob", 10 * time.Second, []string{"other/odd"}, func(s *gateway.NewSubmission, want *Submission) {
		s.Receipt, want.Evidence = nil, "DIGEST"
		s.Priority = 5
	}},
	{"pending", "alice", 11 * time.Second, []string{"rekor/pending"}, plain},
	// Older than others that are stored before it: the order of lists was that of time.
	{"late", "alice", 500 * time.Millisecond, []string{"rekor/late"}, plain},
}

func (s spec) make() (gateway.NewSubmission, *Submission) {
	digest := sha256.Sum256([]byte("artifact of " + s.name))
	n := gateway.NewSubmission{SubmissionFields: gateway.SubmissionFields{
		ID: must(uuid.NewV7()).String(), Tenant: s.tenant, Key: sha256.Sum256([]byte(s.tenant + s.name)),
		Format: "pgp", Representation: gateway.Projected,
		Digests: []formats.Digest{{Algorithm: formats.SHA256, Value: digest[:]}},
		Signers: [][32]byte{sha256.Sum256([]byte("signer of " + s.tenant))},
		Labels:  map[string]string{"name": s.name}, CreatedAt: start.Add(s.at),
		Receipt: &receiptpb.Receipt{
			MediaType: "test", Notes: []string{s.name},
			Artifact: &receiptpb.Artifact{Digests: []*receiptpb.Digest{{Algorithm: "sha256", Value: digest[:], Evidence: receiptpb.Digest_BYTES}}},
		},
	}}
	for _, e := range s.entries {
		logID, name, _ := strings.Cut(e, "/")
		b := body(name)
		n.Entries = append(n.Entries, gateway.NewEntry{Log: logID, LeafHash: hashedrekord.LeafHash(b), Body: b})
	}
	want := &Submission{Name: s.name, ID: n.ID, Tenant: s.tenant, Needed: 1, Evidence: "BYTES", Logs: []string{n.Entries[0].Log}}
	s.change(&n, want)
	return n, want
}

func main() {
	store := must(sqlite.Open(ctx, os.Args[1], sqlite.Options{}))
	var all []*Submission
	for _, s := range specs {
		n, want := s.make()
		must(store.Enqueue(ctx, []gateway.NewSubmission{n}))
		all = append(all, want)
	}
	work(store)
	check(store.KeepCheckpoint(ctx, "rekor.example", gateway.Checkpoint{Size: 9, Envelope: []byte("kept")}))
	check(store.KeepFork(ctx, "forked.example", gateway.Checkpoint{Size: 1, Envelope: []byte("a")}, gateway.Checkpoint{Size: 2, Envelope: []byte("b")}))
	for _, s := range all {
		read(store, s)
	}
	check(store.Close())
	slices.SortStableFunc(all, func(a, b *Submission) int { // newest first, as it was listed
		if a.CreatedAt != b.CreatedAt {
			return int(b.CreatedAt - a.CreatedAt)
		}
		return strings.Compare(b.ID, a.ID)
	})
	check(os.WriteFile(os.Args[2], append(must(json.MarshalIndent(all, "", " ")), '\n'), 0o644))
}

// work takes entries of log rekor as far as their names say.
func work(store *sqlite.Store) {
	claimed := must(store.Claim(ctx, gateway.ClaimParams{
		Log: "rekor", Now: start.Add(time.Minute), Lease: time.Minute, Limit: 100, InFlight: 100, TreeSize: 7,
	}))
	var outcomes []gateway.Outcome
	index := int64(7)
	for _, e := range claimed {
		o := gateway.Outcome{EntryID: e.ID, Fence: e.Fence}
		switch nameOf(e) {
		case "logged", "shared", "tuf 2", "embedded", "findings":
			o.Inclusion = inclusion(e, index)
			index++
		case "failed":
			o.Fail, o.Problem = true, "REFUSED"
		case "in doubt":
			o.RetryAt, o.InDoubt, o.Problem = start.Add(30*time.Minute), true, "UNAVAILABLE"
			o.SentAt = start.Add(50 * time.Second)
		case "waiting":
			o.RetryAt, o.Problem = start.Add(40*time.Minute), "OVERLOADED"
		case "leased":
			check(store.Extend(ctx, []gateway.Lease{{EntryID: e.ID, Fence: e.Fence}}, start.Add(90*time.Second), start.Add(time.Hour)))
			continue
		case "expired":
			continue
		default: // not sent, and due at once
			o.RetryAt = start.Add(time.Minute)
		}
		outcomes = append(outcomes, o)
	}
	must(store.Finish(ctx, outcomes))
}

func nameOf(e gateway.Entry) string {
	for name, b := range bodies {
		if string(b) == string(e.Body) {
			return name
		}
	}
	return ""
}

func inclusion(e gateway.Entry, index int64) *gateway.Inclusion {
	return &gateway.Inclusion{Entry: &rekorpb.TransparencyLogEntry{
		LogIndex: index, LogId: &commonpb.LogId{KeyId: []byte("log key")},
		KindVersion: &rekorpb.KindVersion{Kind: "hashedrekord", Version: "0.0.2"}, CanonicalizedBody: e.Body,
		InclusionProof: &rekorpb.InclusionProof{
			LogIndex: index, TreeSize: 20, RootHash: make([]byte, 32), Hashes: [][]byte{make([]byte, 32)},
			Checkpoint: &rekorpb.Checkpoint{Envelope: "rekor.example\n20\n"},
		},
	}}
}

// read fills want with what the store says.
func read(store *sqlite.Store, want *Submission) {
	s := must(store.Get(ctx, want.Tenant, want.ID))
	want.OldKey, want.Format, want.Representation = hex.EncodeToString(s.Key[:]), s.Format, string(s.Representation)
	want.State, want.CreatedAt, want.Labels = string(s.State), s.CreatedAt.UnixMilli(), s.Labels
	for _, d := range s.Digests {
		want.Digests = append(want.Digests, d.String())
	}
	for _, signer := range s.Signers {
		want.Signers = append(want.Signers, hex.EncodeToString(signer[:]))
	}
	if s.Receipt != nil {
		want.Receipt = must(proto.Marshal(s.Receipt))
	}
	for _, e := range s.Entries {
		entry := Entry{
			ID: e.ID, Log: e.Log, LeafHash: hex.EncodeToString(e.LeafHash[:]), State: string(e.State), Problem: e.Problem,
			Body: e.Body, NextAt: millis(e.NextAt), LastSentAt: millis(e.LastSentAt), Fence: e.Fence,
			Attempts: int64(e.Attempts), InDoubt: e.InDoubt, SentAtTreeSize: e.SentAtTreeSize,
		}
		if r, err := hashedrekord.Parse(e.Body); err == nil {
			entry.Signature = r.Signature
		}
		if e.Inclusion != nil {
			entry.Inclusion = must(proto.Marshal(e.Inclusion.Entry))
		}
		want.Entries = append(want.Entries, entry)
	}
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

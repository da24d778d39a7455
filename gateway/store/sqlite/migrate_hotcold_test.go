// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// firstSchema is when the clock of testdata/firstschema began.
var firstSchema = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// oldStored is a submission in testdata/firstschema/store.json, see fill.go there.
type oldStored struct {
	Name, ID, Tenant, OldKey, Format, Representation, State string
	CreatedAt                                               int64
	Digests, Signers                                        []string
	Labels                                                  map[string]string
	Receipt                                                 []byte
	Entries                                                 []oldStoredEntry

	Needed    int
	Evidence  string
	Logs      []string
	Embedded  bool
	Container string
	Findings  []string
}

type oldStoredEntry struct {
	ID                                  int64
	Log, LeafHash, State, Problem       string
	Body, Signature                     []byte
	NextAt, LastSentAt, Fence, Attempts int64
	InDoubt                             bool
	SentAtTreeSize                      *uint64
	Inclusion                           []byte
}

// copyFirstSchema returns the path of a copy of the first release's store, and what was in it,
// newest first.
func copyFirstSchema(t *testing.T) (string, []oldStored) {
	t.Helper()
	content, err := os.ReadFile("testdata/firstschema/store.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "store.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/firstschema/store.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []oldStored
	if err := json.Unmarshal(text, &all); err != nil || len(all) < 18 {
		t.Fatalf("%d submissions: %v", len(all), err)
	}
	return path, all
}

// openFirst opens a copy of the first release's store, some time after its clock began.
func openFirst(t *testing.T) (s *Store, all []oldStored) {
	t.Helper()
	path, all := copyFirstSchema(t)
	now := firstSchema.Add(2 * time.Minute)
	s = open(t, path, Options{Now: func() time.Time { return now }})
	t.Cleanup(func() { checkFile(t, path) })
	return s, all
}

// want is what o is now.
func (o *oldStored) want(t *testing.T) gateway.Submission {
	t.Helper()
	w := gateway.Submission{
		SubmissionFields: gateway.SubmissionFields{
			ID: o.ID, Tenant: o.Tenant, Key: o.newKey(t), Format: o.Format, Labels: o.Labels, Needed: o.Needed,
			Signatures: []gateway.RecordedSignature{{
				Representation: gateway.Representation(o.Representation), Way: gateway.Direct, Evidence: formats.Evidence(o.Evidence),
			}},
		},
		CreatedAt: time.UnixMilli(o.CreatedAt).UTC(), State: gateway.State(o.State),
	}
	for _, d := range o.Digests {
		digest, err := formats.ParseDigest(d)
		if err != nil {
			t.Fatal(err)
		}
		w.Digests = append(w.Digests, digest)
	}
	for _, signer := range o.Signers {
		w.Signatures[0].Signers = append(w.Signatures[0].Signers, unhex32(t, signer))
	}
	for _, e := range o.Entries {
		w.Entries = append(w.Entries, e.want(t))
	}
	return w
}

func (o *oldStored) newKey(t *testing.T) gateway.SubmissionKey {
	return gateway.FormerDedupKey(unhex32(t, o.OldKey), gateway.DedupForm{
		Way: gateway.Direct, Logs: o.Logs, Embedded: o.Embedded, Container: o.Container, Findings: o.Findings,
	})
}

func (o *oldStoredEntry) want(t *testing.T) gateway.Entry {
	w := gateway.Entry{
		ID: o.ID, Log: o.Log, LeafHash: unhex32(t, o.LeafHash), Kind: "hashedrekord/0.0.2", State: gateway.State(o.State),
		SentAtTreeSize: o.SentAtTreeSize, InDoubt: o.InDoubt, LastSentAt: ofMillis(o.LastSentAt), NextAt: ofMillis(o.NextAt),
		Attempts: int(o.Attempts), Fence: o.Fence, Problem: o.Problem,
	}
	if o.Inclusion != nil {
		index := uint64(o.logEntry(t).LogIndex)
		w.LogIndex = &index
	}
	return w
}

func (o *oldStoredEntry) logEntry(t *testing.T) *rekorpb.TransparencyLogEntry {
	t.Helper()
	e := new(rekorpb.TransparencyLogEntry)
	if err := proto.Unmarshal(o.Inclusion, e); err != nil {
		t.Fatal(err)
	}
	return e
}

func ofMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func unhex32(t *testing.T, s string) (b [32]byte) {
	t.Helper()
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(b) {
		t.Fatalf("%q: %v", s, err)
	}
	copy(b[:], raw)
	return b
}

// named returns the submission of a name, and its entries' first.
func named(t *testing.T, all []oldStored, name string) (*oldStored, oldStoredEntry) {
	t.Helper()
	i := slices.IndexFunc(all, func(o oldStored) bool { return o.Name == name })
	if i < 0 {
		t.Fatalf("no submission %q", name)
	}
	return &all[i], all[i].Entries[0]
}

// TestMoveHot: every submission of the first release is what it was, and in its place in lists.
func TestMoveHot(t *testing.T) {
	s, all := openFirst(t)
	listed := make(map[string][]string)
	for i := range all {
		o := &all[i]
		got, err := s.Get(t.Context(), o.Tenant, o.ID)
		if err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		if want := o.want(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", o.Name, got, want)
		}
		var states []gateway.EntryState
		for _, e := range got.Entries {
			states = append(states, gateway.EntryState{Log: e.Log, State: e.State})
		}
		if want := gateway.StateOf(states, got.Needed); got.State != want {
			t.Errorf("%s is %s, and would be %s", o.Name, got.State, want)
		}
		listed[o.Tenant] = append(listed[o.Tenant], o.ID)
	}
	for tenant, want := range listed {
		if got := listIDs(t, s, tenant, gateway.ListParams{PageSize: 3}); !slices.Equal(got, want) {
			t.Errorf("%s's are listed as %q, want %q", tenant, got, want)
		}
	}
}

func listIDs(t *testing.T, s *Store, tenant string, p gateway.ListParams) (all []string) {
	t.Helper()
	for {
		page, next, err := s.List(t.Context(), tenant, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, sub := range page {
			all = append(all, sub.ID)
		}
		if next == "" {
			return all
		}
		p.PageToken = next
	}
}

// TestMoveCold: receipts and bodies are byte for byte what they were, inclusions but for the body.
func TestMoveCold(t *testing.T) {
	s, all := openFirst(t)
	for i := range all {
		o := &all[i]
		got, err := s.Archived(t.Context(), o.Tenant, o.ID)
		if err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		receipt := new(receiptpb.Receipt)
		if err := proto.Unmarshal(o.Receipt, receipt); err != nil {
			t.Fatal(err)
		}
		if (got.Receipt == nil) != (o.Receipt == nil) || o.Receipt != nil && !proto.Equal(got.Receipt, receipt) {
			t.Errorf("%s: receipt is %v, want %v", o.Name, got.Receipt, receipt)
		}
		if len(got.Entries) != len(o.Entries) {
			t.Fatalf("%s: %d entries", o.Name, len(got.Entries))
		}
		for j, e := range o.Entries {
			wantMovedEntry(t, s, got.Entries[j], &e)
		}
	}
}

func wantMovedEntry(t *testing.T, s *Store, got gateway.ArchivedEntry, old *oldStoredEntry) {
	t.Helper()
	var signature []byte
	if err := s.readers.QueryRow(`SELECT signature FROM entry_blob WHERE entry = ?`, old.ID).Scan(&signature); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Body, old.Body) || !bytes.Equal(signature, old.Signature) || (signature == nil) != (old.Signature == nil) || got.Tokens != nil {
		t.Errorf("entry %d: body %x, signature %x, tokens %x", old.ID, got.Body, signature, got.Tokens)
	}
	if old.Inclusion == nil {
		if got.Inclusion != nil {
			t.Errorf("entry %d has an inclusion", old.ID)
		}
		return
	}
	want := old.logEntry(t)
	e := new(rekorpb.TransparencyLogEntry)
	if err := proto.Unmarshal(got.Inclusion.Proof, e); err != nil || e.CanonicalizedBody != nil {
		t.Errorf("entry %d: stored with body %x, %v", old.ID, e.CanonicalizedBody, err)
	}
	e.CanonicalizedBody = got.Body
	if !proto.Equal(e, want) || got.Inclusion.Kind != "rekor.v1.TransparencyLogEntry" || got.Inclusion.Index != uint64(want.LogIndex) {
		t.Errorf("entry %d: inclusion %+v of %v, want %v", old.ID, got.Inclusion, e, want)
	}
}

// TestMoveSearch: what is moved is found by what is searched.
func TestMoveSearch(t *testing.T) {
	s, all := openFirst(t)
	for i := range all {
		o := all[i].want(t)
		for _, d := range o.Digests {
			if got := listIDs(t, s, o.Tenant, gateway.ListParams{Artifact: &d}); !slices.Contains(got, o.ID) {
				t.Errorf("%s is not found by its digest", all[i].Name)
			}
		}
		for _, signer := range o.Signers() {
			p := gateway.ListParams{Signer: &signer, State: o.State}
			if got := listIDs(t, s, o.Tenant, p); !slices.Contains(got, o.ID) {
				t.Errorf("%s is not found by its signer", all[i].Name)
			}
		}
	}
}

// TestMoveKeys: what was stored by the first release is the same submission now, and its entries
// are shared.
func TestMoveKeys(t *testing.T) {
	s, all := openFirst(t)
	for i := range all {
		o := &all[i]
		again := batches(1)[0][0]
		again.Tenant, again.Key, again.Digests = o.Tenant, o.newKey(t), o.want(t).Digests
		got, err := s.Enqueue(t.Context(), []gateway.NewSubmission{again})
		if err != nil || !got[0].Submission.Existing || got[0].Submission.ID != o.ID {
			t.Errorf("%s, submitted again, is %+v: %v", o.Name, got, err)
		}
	}
	_, e := named(t, all, "leased")
	fresh := batches(1)[0][1]
	fresh.Entries[0].Log, fresh.Entries[0].LeafHash = e.Log, unhex32(t, e.LeafHash)
	got, err := s.Enqueue(t.Context(), []gateway.NewSubmission{fresh})
	if err != nil || got[0].Submission.Existing || got[0].Submission.Entries[0].ID != e.ID {
		t.Errorf("an entry is not shared: %+v, %v", got, err)
	}
	if ids := listIDs(t, s, fresh.Tenant, gateway.ListParams{}); !slices.Contains(ids, got[0].Submission.ID) {
		t.Errorf("a new submission is not listed: %q", ids)
	}
}

// TestMoveQueue: claims go on where they were, and fences hold.
func TestMoveQueue(t *testing.T) {
	s, all := openFirst(t)
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Pending["rekor"] != 12 || stats.Pending["other"] != 2 || stats.Leased["rekor"] != 1 ||
		stats.Oldest["other"] != 2*time.Minute-8*time.Second {
		t.Errorf("statistics are %+v, %v", stats, err)
	}
	shard := gateway.Shard{Origin: "rekor.example", KeyID: [32]byte{1}}
	p := gateway.ClaimParams{Log: "rekor", Lease: time.Minute, Limit: 100, InFlight: 100, Shard: shard, TreeSize: 99}
	claimed := claimAll(t, s, p)
	for _, name := range []string{"pending", "late", "container", "two logs"} {
		_, e := named(t, all, name)
		c := claimed[e.ID]
		if c.Fence != e.Fence+1 || c.InDoubt || c.Shard != shard || *c.SentAtTreeSize != 99 || !bytes.Equal(c.Body, e.Body) {
			t.Errorf("%s is claimed as %+v, sent at %d", name, c, *c.SentAtTreeSize)
		}
	}
	for _, name := range []string{"expired", "leased", "in doubt", "waiting", "logged", "failed"} {
		if _, e := named(t, all, name); claimed[e.ID].ID != 0 {
			t.Errorf("%s is claimed", name)
		}
	}
	_, expired := named(t, all, "expired")
	if _, err := s.Settle(t.Context(), []gateway.Settlement{{EntryID: expired.ID, Fence: expired.Fence, Resend: true}}); err != nil {
		t.Error(err)
	}
	if c := claimAll(t, s, p); len(c) != 1 || c[expired.ID].Fence != expired.Fence+1 {
		t.Errorf("claimed %+v, want the one whose lease ran out, once it is settled", c)
	}
	wantFences(t, s, all)
	doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: "rekor", Shard: shard, Unknown: true, Limit: 9})
	if err != nil || len(doubts) != 1 {
		t.Fatalf("in doubt is %+v, %v", doubts, err)
	}
	for _, d := range doubts {
		if _, e := named(t, all, "in doubt"); d.ID == e.ID && !d.LastSentAt.Equal(firstSchema.Add(50*time.Second)) || *d.SentAtTreeSize != 7 || !d.InDoubt {
			t.Errorf("in doubt is %+v", d)
		}
	}
}

func claimAll(t *testing.T, s *Store, p gateway.ClaimParams) map[int64]gateway.Claimed {
	t.Helper()
	got, err := s.Claim(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[int64]gateway.Claimed)
	for _, c := range got {
		all[c.ID] = c
	}
	return all
}

// wantFences finishes what the first release leased: one lease holds, the other is lost.
func wantFences(t *testing.T, s *Store, all []oldStored) {
	t.Helper()
	leased, held := named(t, all, "leased")
	_, lost := named(t, all, "expired")
	outcome := func(e oldStoredEntry) gateway.Outcome {
		return gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Inclusion: &gateway.Inclusion{Kind: "test", Proof: []byte("proof")}}
	}
	changed, err := s.Finish(t.Context(), []gateway.Outcome{outcome(held), outcome(lost)})
	if !errors.Is(err, gateway.ErrLeaseLost) || len(changed) != 1 || changed[0].ID != leased.ID {
		t.Errorf("finished %+v: %v", changed, err)
	}
}

// TestMoveLeavesNothing: the old tables are gone, the other half of the store is as it was, and the
// file is not said to be restored.
func TestMoveLeavesNothing(t *testing.T) {
	s, _ := openFirst(t)
	if n := count(t, s, `SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'old\_%' ESCAPE '\' OR sql LIKE '%old\_%' ESCAPE '\' OR name = 'queue'`); n != 0 {
		t.Errorf("%d things of the old schema are left", n)
	}
	for _, table := range []string{"checkpoint", "fork"} {
		if n := count(t, s, `SELECT COUNT(*) FROM `+table); n != 1 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if s.Incarnation().Restored {
		t.Error("restored")
	}
}

// TestMoveDamaged: what cannot be moved stops the migration, and the file stays as it was.
func TestMoveDamaged(t *testing.T) {
	for name, damage := range map[string]string{
		"inclusion":      `UPDATE entry SET inclusion = x'ff' WHERE id = 1`,
		"another body":   `UPDATE entry SET body = x'00' WHERE id = 1`,
		"digests":        `UPDATE submission SET digests = '["md5:00"]'`,
		"signers":        `UPDATE submission SET signers = x'00'`,
		"receipt":        `UPDATE submission SET receipt = x'ff'`,
		"representation": `UPDATE submission SET representation = ''`,
		"id":             `PRAGMA foreign_keys = OFF; UPDATE submission SET id = 'x' WHERE receipt IS NULL`,
		"foreign key":    `PRAGMA foreign_keys = OFF; UPDATE submission_entry SET entry = 999 WHERE entry = 1`,
	} {
		t.Run(name, func(t *testing.T) {
			path, all := copyFirstSchema(t)
			db := connect(t, writerDSN(path))
			if _, err := db.Exec(damage); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(t.Context(), path, Options{}); err == nil {
				s.Close()
				t.Fatal("opened")
			}
			var n int // by a column that only the old table has
			if err := db.QueryRow(`SELECT COUNT(signers) FROM submission`).Scan(&n); err != nil || n != len(all) {
				t.Errorf("%d of %d old rows are left: %v", n, len(all), err)
			}
		})
	}
}

// What waits is counted, not believed: the first schema's own count could be wrong.
func TestMigrateCountsThePending(t *testing.T) {
	for _, damage := range []string{`DELETE FROM queue`, `UPDATE queue SET pending = 1`, `UPDATE queue SET pending = 999`} {
		path, _ := copyFirstSchema(t)
		db := connect(t, writerDSN(path))
		var want int64
		if err := db.QueryRow(`SELECT COUNT(*) FROM entry WHERE state = 'PENDING'`).Scan(&want); err != nil || want == 0 {
			t.Fatal(want, err)
		}
		if _, err := db.Exec(damage); err != nil {
			t.Fatal(err)
		}
		stats, err := open(t, path, Options{}).Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got int64
		for _, n := range stats.Pending {
			got += int64(n)
		}
		if got != want {
			t.Errorf("%s: %d pending, %d are", damage, got, want)
		}
	}
}

// A row that could not be listed afterwards stops the migration, and the file stays as it was.
func TestMigrateRefusesBrokenLabels(t *testing.T) {
	path, _ := copyFirstSchema(t)
	db := connect(t, writerDSN(path))
	if _, err := db.Exec(`UPDATE submission SET labels = '{'`); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), path, Options{}); err == nil {
		_ = s.Close()
		t.Error("migrated")
	}
}

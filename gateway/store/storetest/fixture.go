// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const (
	logA   = "log-a"
	logB   = "log-b"
	tenant = "alice"
	other  = "bob"
)

// start is when the tests' clock begins.
var start = time.UnixMilli(1_800_000_000_123).UTC()

func after(d time.Duration) time.Time { return start.Add(d) }

// shard is what tests claim for.
var shard = gateway.Shard{Origin: "log.example/2026", KeyID: sha256.Sum256([]byte("log key"))}

// NewSubmission returns a submission of which everything is derived from tenant and name,
// but each entry from its own name in entries (name itself when there are none), in log.
func NewSubmission(tenant, name, log string, entries ...string) gateway.NewSubmission {
	if len(entries) == 0 {
		entries = []string{name}
	}
	digest := sha256.Sum256([]byte("artifact" + name))
	s := gateway.NewSubmission{
		SubmissionFields: gateway.SubmissionFields{
			ID:      newID(tenant + name),
			Tenant:  tenant,
			Key:     sha256.Sum256([]byte("key" + tenant + name)),
			Format:  "pgp",
			Digests: []formats.Digest{{Algorithm: formats.SHA256, Value: digest[:]}},
			Signatures: []gateway.RecordedSignature{{
				Signers:        [][32]byte{sha256.Sum256([]byte("signer"))},
				Representation: gateway.Projected, Way: gateway.Direct, Evidence: formats.EvidenceBytes,
			}},
			Labels: map[string]string{"name": name},
			Needed: 1,
		},
		Receipt: &receiptpb.Receipt{MediaType: "test", SubmissionId: name, Notes: []string{"a", "b"}},
	}
	for _, e := range entries {
		s.Entries = append(s.Entries, newEntry(log, e))
	}
	return s
}

// newID returns a UUID that is derived from a name.
func newID(name string) string {
	sum := sha256.Sum256([]byte("id" + name))
	return uuid.UUID(sum[:16]).String()
}

func newEntry(log, name string) gateway.NewEntry {
	return gateway.NewEntry{Prepared: gateway.Prepared{
		Log: log, LeafHash: sha256.Sum256([]byte("leaf" + name)), Kind: "test/1",
		Body: []byte("body of " + name), Signature: []byte("signature of " + name),
	}}
}

func newSubmission(name string) gateway.NewSubmission { return NewSubmission(tenant, name, logA) }

// NewInclusion returns an inclusion at index.
func NewInclusion(index int64) *gateway.Inclusion {
	return &gateway.Inclusion{Kind: "test proof", Index: uint64(index), Proof: fmt.Append(nil, "proof at ", index)}
}

func enqueueAll(t testing.TB, s gateway.Store, subs ...gateway.NewSubmission) []gateway.Submission {
	t.Helper()
	out, refused := tryEnqueue(t, s, subs...)
	for _, err := range refused {
		noError(t, err)
	}
	return out
}

// tryEnqueue returns what became of each submission, of which some may be refused.
func tryEnqueue(t testing.TB, s gateway.Store, subs ...gateway.NewSubmission) ([]gateway.Submission, []error) {
	t.Helper()
	results, err := s.Enqueue(t.Context(), subs)
	noError(t, err)
	if len(results) != len(subs) {
		t.Fatalf("%d submissions returned for %d", len(results), len(subs))
	}
	out, refused := make([]gateway.Submission, len(results)), make([]error, len(results))
	for i, r := range results {
		if out[i], refused[i] = r.Submission, r.Err; r.Err != nil && r.Submission.ID != "" {
			t.Errorf("submission %s beside the error %v", r.Submission.ID, r.Err)
		}
	}
	return out, refused
}

// claimEntries takes up to limit entries of logA at the given time, leased for a minute.
func claimEntries(t testing.TB, s *testStore, at time.Time, limit int) []gateway.Claimed {
	t.Helper()
	s.setClock(at)
	entries, err := s.Claim(t.Context(), claimParams(limit))
	noError(t, err)
	return entries
}

func claimParams(limit int) gateway.ClaimParams {
	return gateway.ClaimParams{Log: logA, Lease: time.Minute, Limit: limit, InFlight: 1000, Shard: shard, TreeSize: 7}
}

// claimOne claims exactly one entry.
func claimOne(t testing.TB, s *testStore, at time.Time) gateway.Claimed {
	t.Helper()
	entries := claimEntries(t, s, at, 1)
	if len(entries) != 1 {
		t.Fatalf("claimed %d entries, want 1", len(entries))
	}
	return entries[0]
}

// resendDoubtful says of all doubtful entries of logA that they are absent for good.
func resendDoubtful(t testing.TB, s *testStore) {
	t.Helper()
	var settlements []gateway.Settlement
	for _, d := range listDoubtful(t, s, shard) {
		settlements = append(settlements, gateway.Settlement{EntryID: d.ID, Fence: d.Fence, Resend: true})
	}
	settleEntries(t, s, settlements...)
}

func listDoubtful(t testing.TB, s *testStore, of gateway.Shard) []gateway.Doubt {
	t.Helper()
	doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: logA, Shard: of, Limit: 1000})
	noError(t, err)
	return doubts
}

func wantCounts(t testing.TB, s *testStore, want map[gateway.Shard]int) {
	t.Helper()
	if got, err := s.CountDoubtful(t.Context(), logA); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v in doubt, %v; want %v", got, err, want)
	}
}

func settleEntries(t testing.TB, s gateway.Store, settlements ...gateway.Settlement) []string {
	t.Helper()
	changed, err := s.Settle(t.Context(), settlements)
	noError(t, err)
	return wantProgress(t, s, changed)
}

// wantProgress checks that changed is what Progress says, and returns the IDs.
func wantProgress(t testing.TB, s gateway.Store, changed []gateway.Progress) []string {
	t.Helper()
	var ids []string
	said := map[string]gateway.Progress{}
	for _, p := range changed {
		ids = append(ids, p.ID)
		said[p.ID] = p
	}
	found, err := s.Progress(t.Context(), ids)
	noError(t, err)
	if len(found) != len(ids) {
		t.Fatalf("progress of %d of %d submissions", len(found), len(ids))
	}
	for _, p := range found {
		if !reflect.DeepEqual(p, said[p.ID]) {
			t.Errorf("progress is %+v, and was said to be %+v", p, said[p.ID])
		}
	}
	return ids
}

func leaseOf(c gateway.Claimed) gateway.Lease { return gateway.Lease{EntryID: c.ID, Fence: c.Fence} }

func finishEntries(t testing.TB, s gateway.Store, outcomes ...gateway.Outcome) []string {
	t.Helper()
	changed, err := s.Finish(t.Context(), outcomes)
	noError(t, err)
	return wantProgress(t, s, changed)
}

func loggedOutcome(c gateway.Claimed) gateway.Outcome {
	return gateway.Outcome{EntryID: c.ID, Fence: c.Fence, Inclusion: NewInclusion(c.ID)}
}

func failedOutcome(c gateway.Claimed) gateway.Outcome {
	return gateway.Outcome{EntryID: c.ID, Fence: c.Fence, Fail: true, Problem: "REFUSED"}
}

func retryOutcome(c gateway.Claimed, in time.Duration) gateway.Outcome {
	return gateway.Outcome{EntryID: c.ID, Fence: c.Fence, Retry: true, RetryIn: in, Problem: "OVERLOADED"}
}

func getSubmission(t testing.TB, s gateway.Store, tenant, id string) gateway.Submission {
	t.Helper()
	sub, err := s.Get(t.Context(), tenant, id)
	noError(t, err)
	return sub
}

func wantState(t testing.TB, s gateway.Store, sub gateway.Submission, want gateway.State) gateway.Submission {
	t.Helper()
	got := getSubmission(t, s, sub.Tenant, sub.ID)
	if got.State != want {
		t.Fatalf("submission is %s, want %s", got.State, want)
	}
	return got
}

func wantIDs(t testing.TB, got []string, want ...string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Fatalf("submissions %q, want %q", got, want)
	}
}

func wantPending(t testing.TB, s gateway.Store, log string, want int) {
	t.Helper()
	stats, err := s.Stats(t.Context())
	noError(t, err)
	if stats.Pending[log] != want {
		t.Fatalf("%d entries pending in %s, want %d", stats.Pending[log], log, want)
	}
}

func listIDs(subs []gateway.Submission) []string {
	all := make([]string, len(subs))
	for i, s := range subs {
		all[i] = s.ID
	}
	return all
}

// wantSame compares all but Existing.
func wantSame(t testing.TB, got, want gateway.Submission) {
	t.Helper()
	if got.ID != want.ID || got.Tenant != want.Tenant || got.Key != want.Key || got.Format != want.Format ||
		got.Needed != want.Needed || got.State != want.State {
		t.Errorf("fields differ:\n got %+v\nwant %+v", got, want)
	}
	if !sameTime(got.CreatedAt, want.CreatedAt) {
		t.Errorf("CreatedAt is %v, want %v", got.CreatedAt, want.CreatedAt)
	}
	if !maps.Equal(got.Labels, want.Labels) || !slices.EqualFunc(got.Digests, want.Digests, formats.Digest.Equal) ||
		!slices.EqualFunc(got.Signatures, want.Signatures, sameSignature) {
		t.Errorf("labels, digests or signatures differ:\n got %+v\nwant %+v", got, want)
	}
	if len(got.Entries) != len(want.Entries) {
		t.Fatalf("%d entries, want %d", len(got.Entries), len(want.Entries))
	}
	for i := range got.Entries {
		wantSameEntry(t, got.Entries[i], want.Entries[i])
	}
}

func sameSignature(a, b gateway.RecordedSignature) bool {
	return slices.Equal(a.Signers, b.Signers) && a.Representation == b.Representation && a.Way == b.Way && a.Evidence == b.Evidence
}

// sameTime compares moment and zone: what is stored comes back in UTC.
func sameTime(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }

func wantSameEntry(t testing.TB, got, want gateway.Entry) {
	t.Helper()
	a, b := got, want
	same := sameTime(a.LastSentAt, b.LastSentAt) && sameTime(a.NextAt, b.NextAt)
	a.LastSentAt, a.NextAt = b.LastSentAt, b.NextAt
	if !same || !reflect.DeepEqual(a, b) {
		t.Errorf("entry differs:\n got %+v (sent at %s)\nwant %+v (sent at %s)",
			got, formatNumber(got.SentAtTreeSize), want, formatNumber(want.SentAtTreeSize))
	}
}

func formatNumber(n *uint64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

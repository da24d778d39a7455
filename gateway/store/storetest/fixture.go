// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

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

// NewSubmission returns a submission of which everything is derived from tenant and name,
// but each entry from its own name in entries (name itself when there are none), in log.
func NewSubmission(tenant, name, log string, at time.Time, entries ...string) gateway.NewSubmission {
	if len(entries) == 0 {
		entries = []string{name}
	}
	id := sha256.Sum256([]byte("id" + tenant + name))
	digest := sha256.Sum256([]byte("artifact" + name))
	s := gateway.NewSubmission{
		SubmissionFields: gateway.SubmissionFields{
			ID:             fmt.Sprintf("%x", id[:16]),
			Tenant:         tenant,
			Key:            sha256.Sum256([]byte("key" + tenant + name)),
			Format:         "pgp",
			Representation: gateway.Projected,
			Digests:        []formats.Digest{{Algorithm: formats.SHA256, Value: digest[:]}},
			Signers:        [][32]byte{sha256.Sum256([]byte("signer"))},
			Labels:         map[string]string{"name": name},
			Receipt:        &receiptpb.Receipt{MediaType: "test", SubmissionId: name, Notes: []string{"a", "b"}},
			CreatedAt:      at,
		},
	}
	for _, e := range entries {
		s.Entries = append(s.Entries, newEntry(log, e))
	}
	return s
}

func newEntry(log, name string) gateway.NewEntry {
	return gateway.NewEntry{Log: log, LeafHash: sha256.Sum256([]byte("leaf" + name)), Body: []byte("body of " + name)}
}

func submission(name string) gateway.NewSubmission { return NewSubmission(tenant, name, logA, start) }

// NewInclusion returns an inclusion at index, proof aside.
func NewInclusion(index int64) *gateway.Inclusion {
	return &gateway.Inclusion{Entry: &rekorpb.TransparencyLogEntry{LogIndex: index, CanonicalizedBody: []byte("body")}}
}

func enqueue(t *testing.T, s gateway.Store, subs ...gateway.NewSubmission) []gateway.Submission {
	t.Helper()
	out, err := s.Enqueue(t.Context(), subs)
	noError(t, err)
	if len(out) != len(subs) {
		t.Fatalf("%d submissions returned for %d", len(out), len(subs))
	}
	return out
}

// claim takes up to limit entries of logA at the given time, leased for a minute.
func claim(t *testing.T, s gateway.Store, at time.Time, limit int) []gateway.Entry {
	t.Helper()
	entries, err := s.Claim(t.Context(), claimParams(at, limit))
	noError(t, err)
	return entries
}

func claimParams(at time.Time, limit int) gateway.ClaimParams {
	return gateway.ClaimParams{Log: logA, Now: at, Lease: time.Minute, Limit: limit, InFlight: 1000, TreeSize: 7}
}

// claimOne claims exactly one entry.
func claimOne(t *testing.T, s gateway.Store, at time.Time) gateway.Entry {
	t.Helper()
	entries := claim(t, s, at, 1)
	if len(entries) != 1 {
		t.Fatalf("claimed %d entries, want 1", len(entries))
	}
	return entries[0]
}

func finish(t *testing.T, s gateway.Store, outcomes ...gateway.Outcome) []string {
	t.Helper()
	ids, err := s.Finish(t.Context(), outcomes)
	noError(t, err)
	return ids
}

func logged(e gateway.Entry) gateway.Outcome {
	return gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Inclusion: NewInclusion(e.ID)}
}

func failed(e gateway.Entry) gateway.Outcome {
	return gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Fail: true, Problem: "REFUSED"}
}

func retry(e gateway.Entry, at time.Time) gateway.Outcome {
	return gateway.Outcome{EntryID: e.ID, Fence: e.Fence, RetryAt: at, Problem: "OVERLOADED"}
}

func get(t *testing.T, s gateway.Store, tenant, id string) gateway.Submission {
	t.Helper()
	sub, err := s.Get(t.Context(), tenant, id)
	noError(t, err)
	return sub
}

func wantState(t *testing.T, s gateway.Store, sub gateway.Submission, want gateway.State) gateway.Submission {
	t.Helper()
	got := get(t, s, sub.Tenant, sub.ID)
	if got.State != want {
		t.Fatalf("submission is %s, want %s", got.State, want)
	}
	return got
}

func wantIDs(t *testing.T, got []string, want ...string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Fatalf("submissions %q, want %q", got, want)
	}
}

func wantPending(t *testing.T, s gateway.Store, log string, want int) {
	t.Helper()
	stats, err := s.Stats(t.Context())
	noError(t, err)
	if stats.Pending[log] != want {
		t.Fatalf("%d entries pending in %s, want %d", stats.Pending[log], log, want)
	}
}

func ids(subs []gateway.Submission) []string {
	all := make([]string, len(subs))
	for i, s := range subs {
		all[i] = s.ID
	}
	return all
}

// wantSame compares all but Existing.
func wantSame(t *testing.T, got, want gateway.Submission) {
	t.Helper()
	if got.ID != want.ID || got.Tenant != want.Tenant || got.Key != want.Key || got.Format != want.Format ||
		got.Representation != want.Representation || got.State != want.State {
		t.Errorf("fields differ:\n got %+v\nwant %+v", got, want)
	}
	if !sameTime(got.CreatedAt, want.CreatedAt) {
		t.Errorf("CreatedAt is %v, want %v", got.CreatedAt, want.CreatedAt)
	}
	if !maps.Equal(got.Labels, want.Labels) || !slices.Equal(got.Signers, want.Signers) ||
		!slices.EqualFunc(got.Digests, want.Digests, formats.Digest.Equal) {
		t.Errorf("labels, signers or digests differ:\n got %+v\nwant %+v", got, want)
	}
	if !proto.Equal(got.Receipt, want.Receipt) {
		t.Errorf("receipt is %v, want %v", got.Receipt, want.Receipt)
	}
	if len(got.Entries) != len(want.Entries) {
		t.Fatalf("%d entries, want %d", len(got.Entries), len(want.Entries))
	}
	for i := range got.Entries {
		wantSameEntry(t, got.Entries[i], want.Entries[i])
	}
}

// sameTime asks for the same moment in the same zone: what is stored comes back in UTC.
func sameTime(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }

func wantSameEntry(t *testing.T, got, want gateway.Entry) {
	t.Helper()
	size := func(e gateway.Entry) string {
		if e.SentAtTreeSize == nil {
			return "none"
		}
		return fmt.Sprint(*e.SentAtTreeSize)
	}
	tle := func(e gateway.Entry) *rekorpb.TransparencyLogEntry {
		if e.Inclusion == nil {
			return nil
		}
		return e.Inclusion.Entry
	}
	same := got.ID == want.ID && got.Log == want.Log && got.LeafHash == want.LeafHash &&
		string(got.Body) == string(want.Body) && got.State == want.State && got.InDoubt == want.InDoubt &&
		sameTime(got.LastSentAt, want.LastSentAt) && got.Attempts == want.Attempts && got.Fence == want.Fence &&
		sameTime(got.NextAt, want.NextAt) && got.Problem == want.Problem && size(got) == size(want)
	if !same || !proto.Equal(tle(got), tle(want)) {
		t.Errorf("entry differs:\n got %+v (sent at %s)\nwant %+v (sent at %s)", got, size(got), want, size(want))
	}
}

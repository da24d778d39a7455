// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// unstorable make a good submission one that cannot be stored.
var unstorable = map[string]func(*gateway.NewSubmission){
	"no entries": func(s *gateway.NewSubmission) { s.Entries = nil },
	"needs none": func(s *gateway.NewSubmission) { s.Needed = 0 },
	"no UUID":    func(s *gateway.NewSubmission) { s.ID = "bad" },
	"taken ID":   func(s *gateway.NewSubmission) { s.ID = newSubmission("taken").ID },
	"digest": func(s *gateway.NewSubmission) {
		s.Digests = []formats.Digest{{Algorithm: "md5", Value: make([]byte, 16)}}
	},
	"NUL":         func(s *gateway.NewSubmission) { s.Labels = map[string]string{"a": "b\x00"} },
	"no UTF-8":    func(s *gateway.NewSubmission) { s.Format = "\xff" },
	"receipt":     func(s *gateway.NewSubmission) { s.Receipt = &receiptpb.Receipt{MediaType: "\xff"} },
	"kind of NUL": func(s *gateway.NewSubmission) { s.Entries[0].Kind = "\x00" },
	"priority":    func(s *gateway.NewSubmission) { s.Priority = 1 },
	"needs two of one log": func(s *gateway.NewSubmission) {
		s.Entries, s.Needed = append(s.Entries, newEntry(logA, "more")), 2
	},
}

// wantRefused fails the test unless exactly those submissions were refused, for want of room.
func wantRefused(t testing.TB, refused []error, want ...int) {
	t.Helper()
	for i, err := range refused {
		if full := errors.Is(err, gateway.ErrQueueFull); full != slices.Contains(want, i) || !full && err != nil {
			t.Errorf("submission %d: error is %v", i, err)
		}
	}
}

// limitedOpener opens stores whose queue is bounded in entries and bytes; 0 is no bound.
type limitedOpener func(t *testing.T, entries int, bytes int64) (s *testStore, reopen func() *testStore)

// Bytes are bounded as entries are: bodies, signatures and receipts of what is pending.
var byteTests = map[string]func(*testing.T, limitedOpener){
	"Bytes/new": func(t *testing.T, open limitedOpener) {
		s, _ := open(t, 0, 10_000)
		body, signature := newSubmission("body"), newSubmission("signature")
		body.Entries[0].Body, signature.Entries[0].Signature = make([]byte, 10_000), make([]byte, 10_000)
		_, refused := tryEnqueue(t, s, body, signature, newLarge("one"), newLarge("two"), newLarge("three"), newSubmission("small"))
		wantRefused(t, refused, 0, 1, 4)
		shares := newLarge("shares") // adds no entry
		shares.Entries = newLarge("one").Entries
		enqueueAll(t, s, newLarge("one"), shares)
		_, refused = tryEnqueue(t, s, newSubmission("none"))
		wantRefused(t, refused, 0)
	},

	// There is room for the anchors of own logs, also for one that has failed. They count like all else.
	"Bytes/anchor": func(t *testing.T, open limitedOpener) {
		s, _ := open(t, 1, 0)
		enqueueAll(t, s, newSubmission("one"))
		anchor := NewSubmission(gateway.AnchorTenant("own"), "anchor", logA)
		_, refused := tryEnqueue(t, s, newSubmission("two"), anchor)
		wantRefused(t, refused, 0)
		for _, c := range claimEntries(t, s, start, 2) {
			outcome := retryOutcome(c, 0)
			if c.LeafHash == anchor.Entries[0].LeafHash {
				outcome = failedOutcome(c)
			}
			finishEntries(t, s, outcome)
		}
		_, refused = tryEnqueue(t, s, anchor, newSubmission("two"))
		wantRefused(t, refused, 1)
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		_, refused = tryEnqueue(t, s, newSubmission("two"))
		wantRefused(t, refused, 0)
	},

	// What an entry weighed when it came in is what its end gives back, after a restart too.
	"Bytes/given back": func(t *testing.T, open limitedOpener) {
		s, reopen := open(t, 0, 10_000)
		enqueueAll(t, s, newLarge("one"), newLarge("two"))
		held := claimEntries(t, s, start, 2)
		finishEntries(t, s, retryOutcome(held[0], 0), failedOutcome(held[1])) // the first waits on
		s = reopen()
		_, refused := tryEnqueue(t, s, newLarge("three"), newLarge("four"))
		wantRefused(t, refused, 1)
		_, refused = tryEnqueue(t, s, newLarge("two")) // it failed
		wantRefused(t, refused, 0)
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		enqueueAll(t, s, newLarge("two"))
		for range 2 {
			finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		}
		_, refused = tryEnqueue(t, s, newLarge("five"), newLarge("six"), newLarge("seven"))
		wantRefused(t, refused, 2)
	},
}

// newLarge returns a submission with a receipt of about 4000 bytes.
func newLarge(name string) gateway.NewSubmission {
	s := newSubmission(name)
	s.Receipt.Signature = &receiptpb.Signature{Content: make([]byte, 4_000)}
	return s
}

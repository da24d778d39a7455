// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// newAttested returns a submission of two signatures, the second of which is attested.
func newAttested(tenant, name string) gateway.NewSubmission {
	s := NewSubmission(tenant, name, logA, name+" projected", name+" attested")
	s.Signatures = append(s.Signatures, gateway.RecordedSignature{
		Signers: [][32]byte{makeSigner(1)}, Representation: gateway.Attested, Way: gateway.Direct, Evidence: formats.EvidenceBytes,
	})
	s.Entries[1].Of = 1
	return s
}

var attestedTests = map[string]func(*testing.T, opener){
	// Of all tenants, in all states but Failed, each entry once, with what bounds its index.
	"EachAttested": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		wantAttested(t, s)
		shares := newAttested(other, "one")
		enqueueAll(t, s, newAttested(tenant, "one"), shares, newAttested(tenant, "two"), newSubmission("projected"), newAttested(tenant, "three"))
		held := claimEntries(t, s, start, 99)
		var outcomes []gateway.Outcome
		for i, c := range held {
			if i%2 == 0 { // the projected ones, and then others
				outcomes = append(outcomes, loggedOutcome(c))
				continue
			}
			outcomes = append(outcomes, retryOutcome(c, time.Second))
		}
		finishEntries(t, s, outcomes...)
		enqueueAll(t, s, newAttested(tenant, "four"))
		for _, s := range []*testStore{s, reopen()} {
			wantAttested(t, s, "four", "one", "three", "two")
		}
		stop := errors.New("stop")
		calls := 0
		err := s.EachAttested(t.Context(), func(gateway.Entry, []byte) error { calls++; return stop })
		if !errors.Is(err, stop) || calls != 1 {
			t.Errorf("stopped after %d calls: %v", calls, err)
		}
	},

	"EachAttested/failed": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newAttested(tenant, "one"))
		for _, c := range claimEntries(t, s, start, 2) {
			finishEntries(t, s, failedOutcome(c))
		}
		wantAttested(t, s)
	},

	"EachAttested/many": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		var subs []gateway.NewSubmission
		for i := range 2500 {
			subs = append(subs, newAttested(tenant, fmt.Sprint(i)))
		}
		enqueueAll(t, s, subs...)
		n := 0
		noError(t, s.EachAttested(t.Context(), func(gateway.Entry, []byte) error { n++; return nil }))
		if n != len(subs) {
			t.Errorf("%d attested entries, want %d", n, len(subs))
		}
	},
}

// wantAttested checks that the attested entries are those of the named submissions, as they are in
// those.
func wantAttested(t *testing.T, s *testStore, names ...string) {
	t.Helper()
	var got []string
	err := s.EachAttested(t.Context(), func(e gateway.Entry, body []byte) error {
		got = append(got, string(body))
		for _, name := range names {
			if string(body) == "body of "+name+" attested" {
				want := getSubmission(t, s, tenant, newID(tenant+name)).Entries[1]
				want.Of = 0
				wantSameEntry(t, e, want)
			}
		}
		return nil
	})
	noError(t, err)
	slices.Sort(got)
	var want []string
	for _, name := range names {
		want = append(want, "body of "+name+" attested")
	}
	if !slices.Equal(got, want) {
		t.Errorf("attested are %q, want %q", got, want)
	}
}

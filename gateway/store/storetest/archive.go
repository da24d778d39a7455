// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// wantArchived compares what is cold of a submission.
func wantArchived(t *testing.T, s gateway.Store, in gateway.NewSubmission, want ...gateway.ArchivedEntry) {
	t.Helper()
	got, err := s.Archived(t.Context(), in.Tenant, in.ID)
	noError(t, err)
	if !proto.Equal(got.Receipt, in.Receipt) {
		t.Errorf("receipt is %v, want %v", got.Receipt, in.Receipt)
	}
	if !reflect.DeepEqual(got.Entries, want) {
		t.Errorf("entries are %+v, want %+v", got.Entries, want)
	}
}

var archiveTests = map[string]func(*testing.T, opener){
	"Archived": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		in := NewSubmission(tenant, "one", logA, "e1", "e2")
		enqueueAll(t, s, in)
		first, second := gateway.ArchivedEntry{Body: []byte("body of e1")}, gateway.ArchivedEntry{Body: []byte("body of e2")}
		wantArchived(t, s, in, first, second)

		held := claimEntries(t, s, start, 2)
		outcome := loggedOutcome(held[0])
		outcome.Tokens = [][]byte{[]byte("a token"), {}, []byte("another")}
		finishEntries(t, s, outcome)
		first.Inclusion, first.Tokens = NewInclusion(held[0].ID), outcome.Tokens
		wantArchived(t, s, in, first, second)

		finishEntries(t, s, failedOutcome(held[1]))
		wantArchived(t, reopen(), in, first, second)
	},

	"Archived/not found": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		one := enqueueAll(t, s, newSubmission("one"))[0]
		for _, asked := range [][2]string{{other, one.ID}, {tenant, newID("none")}, {tenant, "none"}, {tenant, ""}} {
			got, err := s.Archived(t.Context(), asked[0], asked[1])
			wantError(t, err, gateway.ErrNotFound)
			if !reflect.DeepEqual(got, gateway.Archived{}) {
				t.Errorf("%+v beside an error", got)
			}
		}
	},

	// GetAll says of each what Get does, with what Archived says of those that are logged.
	"GetAll": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		logged, waits := NewSubmission(tenant, "logged", logA, "e1", "e2"), newSubmission("waits")
		foreign := NewSubmission(other, "foreign", logA)
		enqueueAll(t, s, logged)
		for _, c := range claimEntries(t, s, start, 2) {
			finishEntries(t, s, loggedOutcome(c))
		}
		enqueueAll(t, s, foreign)
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		enqueueAll(t, s, waits)

		upper := strings.ToUpper(logged.ID)
		got, err := s.GetAll(t.Context(), tenant, []string{waits.ID, foreign.ID, logged.ID, upper, newID("none"), "none", ""})
		noError(t, err)
		if len(got) != 3 {
			t.Errorf("%d submissions, want two, one of them by two names: %+v", len(got), got)
		}
		for id, in := range map[string]gateway.NewSubmission{waits.ID: waits, logged.ID: logged, upper: logged} {
			wantSame(t, got[id], getSubmission(t, s, tenant, in.ID))
		}
		if got[waits.ID].Archived != nil {
			t.Error("what is cold of one that waits was read")
		}
		want, err := s.Archived(t.Context(), tenant, logged.ID)
		noError(t, err)
		a := got[logged.ID].Archived
		if a == nil || !proto.Equal(a.Receipt, want.Receipt) || !reflect.DeepEqual(a.Entries, want.Entries) {
			t.Errorf("what is cold is %+v, want %+v", a, want)
		}
		none, err := s.GetAll(t.Context(), "nobody", []string{logged.ID})
		if err != nil || len(none) != 0 {
			t.Errorf("another tenant has %+v, %v", none, err)
		}
	},

	// What is cold is bounded by its bytes, and by one submission where that has more.
	"GetAll/bounded": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		var ids []string
		for i, size := range []int{gateway.MostArchived * 2, 10, 20, gateway.MostArchived, 30} {
			in := newSubmission(fmt.Sprint(i))
			in.Entries[0].Body = bytes.Repeat([]byte{'x'}, size)
			enqueueAll(t, s, in)
			ids = append(ids, in.ID)
		}
		for range ids {
			finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		}
		for from, want := range map[int][]string{0: ids[:1], 1: ids[1:3], 2: ids[2:3], 3: ids[3:4]} {
			all, err := s.GetAll(t.Context(), tenant, ids[from:])
			noError(t, err)
			var read []string
			for id, sub := range all {
				if sub.Archived != nil {
					read = append(read, id)
				}
			}
			if len(all) != len(ids)-from {
				t.Errorf("%d submissions of %d", len(all), len(ids)-from)
			}
			wantIDs(t, read, want...)
		}
	},

	// A shared entry has the body and the inclusion of the first one.
	"Archived/shared": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, NewSubmission(tenant, "a", logA, "shared"))
		c := claimOne(t, s, start)
		finishEntries(t, s, loggedOutcome(c))
		b := NewSubmission(other, "b", logA, "own", "shared")
		enqueueAll(t, s, b)
		wantArchived(t, s, b, gateway.ArchivedEntry{Body: []byte("body of own")},
			gateway.ArchivedEntry{Body: []byte("body of shared"), Inclusion: NewInclusion(c.ID)})
	},
}

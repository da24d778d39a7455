// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"reflect"
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

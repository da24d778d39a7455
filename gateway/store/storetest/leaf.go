// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var leafTests = map[string]func(*testing.T, opener){
	"ByLeaf": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		want := enqueueAll(t, s, newSubmission("one"), newSubmission("two"))[1]
		got, err := s.ByLeaf(t.Context(), tenant, logA, want.Entries[0].LeafHash)
		noError(t, err)
		wantSame(t, got, want)
		_, err = s.ByLeaf(t.Context(), tenant, logB, want.Entries[0].LeafHash)
		wantError(t, err, gateway.ErrNotFound)
		_, err = s.ByLeaf(t.Context(), tenant, logA, gateway.LeafHash{1})
		wantError(t, err, gateway.ErrNotFound)
	},
	// An entry that tenants share is found by each of them as his own submission's, and by nobody else.
	"ByLeafStaysInside": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		mine, theirs := newSubmission("shared"), NewSubmission("other", "shared", logA)
		stored := enqueueAll(t, s, mine, theirs)
		leaf := stored[0].Entries[0].LeafHash
		if leaf != stored[1].Entries[0].LeafHash {
			t.Fatal("they share no entry")
		}
		for i, owner := range []string{tenant, "other"} {
			got, err := s.ByLeaf(t.Context(), owner, logA, leaf)
			noError(t, err)
			wantSame(t, got, stored[i])
		}
		_, err := s.ByLeaf(t.Context(), "stranger", logA, leaf)
		wantError(t, err, gateway.ErrNotFound)
	},
}

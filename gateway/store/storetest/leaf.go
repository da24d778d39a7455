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
		got, err := s.ByLeaf(t.Context(), logA, want.Entries[0].LeafHash)
		noError(t, err)
		wantSame(t, got, want)
		_, err = s.ByLeaf(t.Context(), logB, want.Entries[0].LeafHash)
		wantError(t, err, gateway.ErrNotFound)
		_, err = s.ByLeaf(t.Context(), logA, gateway.LeafHash{1})
		wantError(t, err, gateway.ErrNotFound)
	},
}

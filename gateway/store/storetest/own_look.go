// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"math"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// lookAt returns one at the shard of that origin, for what a key has signed.
func lookAt(shard string, key byte, from, to uint64) gateway.OwnLook {
	return gateway.OwnLook{Shard: gateway.Shard{Origin: shard, KeyID: [32]byte{1}}, Key: [32]byte{key}, From: from, To: to}
}

func wantLooks(t testing.TB, s gateway.Store, log string, want ...gateway.OwnLook) {
	t.Helper()
	got, err := s.Looks(t.Context(), log)
	noError(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("looks of %s are %+v, want %+v", log, got, want)
	}
}

// ownLookTests are about how far logs were looked through.
var ownLookTests = map[string]func(testing.TB, opening){
	// It goes on, never back, save where more of the log is looked at from further below on; and whoever shares the store goes on with it.
	"Own/looks": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		keep := func(looks ...gateway.OwnLook) {
			t.Helper()
			noError(t, s.KeepLooks(t.Context(), ownLog, looks))
		}
		wantLooks(t, s, ownLog)
		keep()
		keep(lookAt("b", 1, 5, 5), lookAt("b", 0, 3, 7))
		keep(lookAt("a", 2, 0, 9))
		wantLooks(t, s.another(), ownLog, lookAt("a", 2, 0, 9), lookAt("b", 0, 3, 7), lookAt("b", 1, 5, 5))
		keep(lookAt("b", 0, 3, 20), lookAt("b", 1, 6, 99), lookAt("a", 2, 0, 8))
		wantLooks(t, s, ownLog, lookAt("a", 2, 0, 9), lookAt("b", 0, 3, 20), lookAt("b", 1, 5, 5))
		keep(lookAt("b", 0, 2, 4))
		wantLooks(t, s.another(), ownLog, lookAt("a", 2, 0, 9), lookAt("b", 0, 2, 4), lookAt("b", 1, 5, 5))
		wantLooks(t, s, noLog)
		noError(t, s.AddOwnLog(t.Context(), "second-log", "second.example"))
		wantLooks(t, s, "second-log")
		if l := readOwn(t, s, ownLog); l.Doubted {
			t.Errorf("a log that was only added is %+v", l)
		}
	},

	// What is no look is not noted.
	"Own/no looks": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		for _, l := range []gateway.OwnLook{lookAt("", 1, 0, 1), lookAt("a", 1, 2, 1), lookAt("a", 1, 0, math.MaxInt64+1)} {
			if err := s.KeepLooks(t.Context(), ownLog, []gateway.OwnLook{lookAt("c", 1, 0, 1), l}); err == nil {
				t.Errorf("noted %+v", l)
			}
		}
		wantError(t, s.KeepLooks(t.Context(), noLog, []gateway.OwnLook{lookAt("a", 1, 0, 1)}), gateway.ErrNotFound)
		wantLooks(t, s, ownLog)
	},
}

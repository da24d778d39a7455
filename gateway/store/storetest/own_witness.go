// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// cosignatureOf returns one of a witness, of so many seconds after others.
func cosignatureOf(witness string, after int64) gateway.Cosignature {
	return gateway.Cosignature{Witness: witness, Time: time.Unix(1_800_000_000+after, 0).UTC(), Line: "— " + witness + " " + strings.Repeat("A", int(after))}
}

func wantCosigned(t testing.TB, s gateway.Store, log string, size uint64, want ...gateway.Cosignature) {
	t.Helper()
	got, err := s.Cosignatures(t.Context(), log, size)
	noError(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("cosignatures of %d records of %s are %+v, want %+v", size, log, got, want)
	}
}

// ownWitnessTests are about cosignatures.
var ownWitnessTests = map[string]func(testing.TB, opening){
	// Of each witness, and of each anchored checkpoint, the newest is kept, and whoever shares the store sees it.
	"Own/cosigned": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		sequenceNames(t, s, numbered("record", 9)...)
		anchorAt(t, s, 4)
		anchorAt(t, s, 9)
		wantCosigned(t, s, ownLog, 4)
		for _, c := range []gateway.Cosignature{cosignatureOf("b", 1), cosignatureOf("a", 2), cosignatureOf("b", 3), cosignatureOf("a", 1)} {
			noError(t, s.KeepCosignature(t.Context(), ownLog, 4, c))
		}
		noError(t, s.KeepCosignature(t.Context(), ownLog, 9, cosignatureOf("c", 5)))
		wantCosigned(t, s, ownLog, 4, cosignatureOf("a", 2), cosignatureOf("b", 3))
		wantCosigned(t, s.another(), ownLog, 9, cosignatureOf("c", 5))
		wantCosigned(t, s, ownLog, 5)
		wantCosigned(t, s, noLog, 4)
		noError(t, s.AddOwnLog(t.Context(), "second-log", "second.example"))
		wantCosigned(t, s, "second-log", 4)
		wantSound(t, s, ownLog)
	},

	// What is not anchored has none, and what is none is not kept.
	"Own/not cosigned": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		sequenceNames(t, s, "one", "two")
		anchorAt(t, s, 1)
		for _, size := range []uint64{0, 2, 3} {
			wantError(t, s.KeepCosignature(t.Context(), ownLog, size, cosignatureOf("a", 1)), gateway.ErrNotFound)
			wantCosigned(t, s, ownLog, size)
		}
		wantError(t, s.KeepCosignature(t.Context(), noLog, 1, cosignatureOf("a", 1)), gateway.ErrNotFound)
		for _, change := range []func(*gateway.Cosignature){
			func(c *gateway.Cosignature) { c.Witness = "" },
			func(c *gateway.Cosignature) { c.Line = "" },
			func(c *gateway.Cosignature) { c.Line += "\n" },
			func(c *gateway.Cosignature) { c.Line = "\xff" },
			func(c *gateway.Cosignature) { c.Line = strings.Repeat("A", 9000) },
			func(c *gateway.Cosignature) { c.Time = time.Unix(0, 0) },
			func(c *gateway.Cosignature) { c.Time = c.Time.Add(time.Millisecond) },
		} {
			c := cosignatureOf("a", 1)
			if change(&c); s.KeepCosignature(t.Context(), ownLog, 1, c) == nil {
				t.Errorf("kept %+v", c)
			}
		}
		if err := s.KeepCosignature(t.Context(), ownLog, math.MaxUint64, cosignatureOf("a", 1)); err == nil {
			t.Error("kept one of no size")
		}
		if _, err := s.Cosignatures(t.Context(), ownLog, math.MaxUint64); err == nil {
			t.Error("read some of no size")
		}
		wantCosigned(t, s, ownLog, 1)
	},
}

// SPDX-License-Identifier: Apache-2.0

package run

import (
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
)

// TestCoarseTimes: where times of change are cut to the second, a file may change once more in that second and have the same stamp, so that it has not settled
// before the second is over; a receipt that was written there is not remembered unread.
func TestCoarseTimes(t *testing.T) {
	const device = 7
	at := time.Unix(1_700_000_000, 0)
	in := func(d time.Duration) int64 { return at.Add(d).UnixNano() }
	synced := func(since int64) *knownReceipts {
		k := new(knownReceipts)
		k.settled.since = map[uint64]int64{device: since}
		return k
	}
	coarse, fine := fileStamp{size: 1, changed: in(0), device: device}, fileStamp{size: 1, changed: in(time.Millisecond), device: device}
	if synced(in(999 * time.Millisecond)).settled.has(coarse) {
		t.Error("a file has settled that may change in the same second")
	}
	if !synced(in(time.Second)).settled.has(coarse) || !synced(in(time.Millisecond)).settled.has(fine) {
		t.Error("a file has not settled once its time is over")
	}
	k := synced(in(time.Hour))
	for stamp, want := range map[fileStamp]bool{fine: true, coarse: true, {size: 1, changed: in(2 * time.Hour), device: device}: false, {size: 1, changed: in(2*time.Hour + 1), device: device}: true, {}: false} {
		s := itemStamps{signature: fine}
		if got := k.areSettled(backfill.Item{Signature: "app.sig"}, found{stamp: stamp, written: true}, s); got != want {
			t.Errorf("a receipt that was written with the stamp %+v is remembered: %v", stamp, got)
		}
	}
}

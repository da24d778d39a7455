// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

func newShared(limits Limits) *budget {
	return newBudget("log", limits, Timing{}.withDefaults(), Metrics{}.withDefaults(), true)
}

func takeAll(b *budget) int {
	slots, _, _ := b.takeSlots(claimLimit)
	return len(slots)
}

// TestSharesOfABudget: three processes with a bound of ten have three, three and four slots, and nothing before a share was given.
func TestSharesOfABudget(t *testing.T) {
	whole, sum := gateway.Share{InFlight: 10}, 0
	for rank := range 3 {
		b := newShared(Limits{InFlight: 10})
		if b.hasShare() || takeAll(b) != 0 {
			t.Error("slots without a share")
		}
		b.useShare(share{Share: whole.Divide(3, rank), since: steady.Now(), replicas: 3})
		n := takeAll(b)
		if !b.hasShare() || n < 3 || n > 4 || b.boundOfAllLocked() != 10 {
			t.Errorf("number %d has %d slots, of %d", rank, n, b.boundOfAllLocked())
		}
		sum += n
		if b.useShare(share{Share: gateway.Share{InFlight: 1}, since: steady.Now(), replicas: 9}); b.heldShare().InFlight != int64(n) {
			t.Errorf("it says that it holds %d while %d are under way", b.heldShare().InFlight, n)
		}
	}
	if sum != 10 {
		t.Errorf("%d slots in all", sum)
	}
}

// TestShareBesideLeads: a process that may have nothing ahead has its part all the same, where others have as much ahead as they may.
func TestShareBesideLeads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const processes = 8
		whole, leased := gateway.Share{InFlight: 80}, 0
		for rank := range processes {
			b := newShared(Limits{InFlight: 80})
			b.useShare(share{Share: whole.Divide(processes, rank), since: steady.Now(), replicas: processes})
			if rank < processes-1 {
				leased += b.leases()
				continue
			}
			b.noteHeldBack()
			if room := b.leasesOfAll() - leased; b.leases() != 10 || room < 10 {
				t.Errorf("%d may be leased where others have %d of %d", room, leased, b.leasesOfAll())
			}
		}
	})
}

// TestShareEnds: a share ends by itself. Then nothing is claimed, and whatever else is sent keeps to an equal part, until it is renewed.
func TestShareEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShared(Limits{InFlight: 10})
		b.useShare(share{Share: gateway.Share{InFlight: 10}, since: steady.Now(), replicas: 3})
		time.Sleep(gateway.ReplicaLease - time.Millisecond)
		if !b.hasShare() {
			t.Error("it ended early")
		}
		time.Sleep(time.Millisecond)
		if b.hasShare() || takeAll(b) != 3 {
			t.Error("it goes on")
		}
		if !b.useShare(share{Share: gateway.Share{InFlight: 5}, since: steady.Now(), replicas: 2}) || !b.hasShare() || takeAll(b) != 2 {
			t.Error("renewed")
		}
	})
}

// TestShareOfARate: a part of a rate is not saved up at once, and no part of it lets nothing through. What nobody has configured is
// nobody's to share.
func TestShareOfARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newShared(Limits{InFlight: 1000, Rate: 40, Burst: 10})
		give := func(rate, burst int64) {
			b.useShare(share{Share: gateway.Share{InFlight: 1000, Rate: rate * 1000, Burst: burst}, since: steady.Now(), replicas: 2})
		}
		give(20, 5)
		if n := takeAll(b); n != 0 {
			t.Errorf("%d at once", n)
		}
		time.Sleep(time.Second)
		if n := takeAll(b); n != 5 {
			t.Errorf("%d after a second", n)
		}
		give(0, 0)
		time.Sleep(time.Second)
		if n := takeAll(b); n != 0 {
			t.Errorf("%d without a part", n)
		}
		open := newShared(Limits{})
		if !open.hasShare() || takeAll(open) == 0 {
			t.Error("a log without limits waits for a share")
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package run

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestMayWait: what is large, or would have to be fetched again, waits among the few that are under way.
func TestMayWait(t *testing.T) {
	for name, c := range map[string]struct {
		item backfill.Item
		list *backfill.Checked
		want bool
	}{
		"usual":           {backfill.Item{Signature: "t/a.asc", Name: "a.asc", Artifact: "t/a", Labels: map[string]string{"a": "b"}}, &backfill.Checked{Faults: make([]backfill.Listed, 3)}, true},
		"fetched":         {backfill.Item{Signature: "https://h/a.asc", Artifact: "t/a"}, nil, false},
		"large label":     {backfill.Item{Signature: "t/a.asc", Labels: map[string]string{"a": strings.Repeat("b", maxWaitingItem)}}, nil, false},
		"many keys":       {backfill.Item{Signature: "t/a.asc", Keys: slices.Repeat([]string{"t/key"}, maxWaitingItem)}, nil, false},
		"a list of files": {backfill.Item{Signature: "t/Release.gpg"}, &backfill.Checked{Faults: make([]backfill.Listed, 100)}, false},
	} {
		if got := mayWait(outcome{item: c.item, list: c.list}); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestNextAsk: when the gateway expects it, within bounds.
func TestNextAsk(t *testing.T) {
	now := time.Now()
	for eta, want := range map[time.Duration]time.Duration{-time.Hour: leastPoll, time.Second: time.Second, 9 * time.Second: 9 * time.Second, time.Hour: mostWait} {
		if got := nextAsk(&pb.Submission{Eta: timestamppb.New(now.Add(eta))}, now); got.Round(time.Millisecond) != want {
			t.Errorf("expected in %v: %v, want %v", eta, got, want)
		}
	}
	if got := nextAsk(&pb.Submission{}, now); got != usualPoll {
		t.Errorf("nothing expected: %v", got)
	}
}

// TestAskNeighbours: many are asked for beside one that is logged where a call asks for many, and else a few.
func TestAskNeighbours(t *testing.T) {
	older := &together{}
	older.off.Store(true)
	for name, c := range map[string]struct {
		together *together
		want     int
	}{"at once": {new(together), 2 * neighboursTogether}, "one by one": {nil, 2 * neighbours}, "an older gateway": {older, 2 * neighbours}} {
		w := &waiters{run: &runner{together: c.together}, ready: make(chan *waiting, maxWaiting)}
		all := make([]*waiting, 5*neighboursTogether)
		for i := range all {
			all[i] = new(waiting)
			all[i].at = w.all.PushBack(all[i])
		}
		w.askNeighbours(all[len(all)/2])
		if n := len(w.ready); n != c.want {
			t.Errorf("%s: %d, want %d", name, n, c.want)
		}
	}
}

// TestAskNeighboursAhead: of thousands that are logged one after the other, so many are asked for ahead that the next calls have enough, whatever was logged before.
func TestAskNeighboursAhead(t *testing.T) {
	w := &waiters{run: &runner{together: new(together)}, ready: make(chan *waiting, maxWaiting)}
	all := make([]*waiting, 4000)
	for i := range all {
		all[i] = new(waiting)
		all[i].at = w.all.PushBack(all[i])
	}
	w.askNow(all[0])
	answered := 0
	for ; len(w.ready) > 0; answered++ {
		one := <-w.ready
		w.askNeighbours(one)
		w.all.Remove(one.at)
		if ahead := len(w.ready); answered+ahead+1 < len(all) && ahead < enoughReady {
			t.Fatalf("%d wait to be asked for after %d, and the next call has none", ahead, answered)
		}
	}
	if answered != len(all) {
		t.Errorf("%d of %d were asked for", answered, len(all))
	}
}

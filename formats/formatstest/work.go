// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Bounds that every input is held to, honest or hostile.
const (
	fixedUnits = 50_000_000 // for the shortest input
	unitsPer   = 100_000    // for each byte more: a chain of a few certificates can cost a hundred checks with a large key

	fixedTime = slowdown * 10 * time.Second // what a busy machine may take
	timePer   = 100 * time.Microsecond

	// maxTime is how long MaxWork may take on a slow machine.
	maxTime = slowdown * 3 * time.Second
	// attempts are made to stay below maxTime, as others may use the machine meanwhile.
	attempts = 3
	// stopUnits is how much may still be done once the context has ended: a tenth of a second.
	stopUnits = 100_000_000
)

// CheckWork opens an account for a fuzz target's one Parse and Verify. When check is called, what was charged
// and the time that it took must be in proportion to the input.
func CheckWork(t testing.TB, input ...[]byte) (ctx context.Context, check func()) {
	size := 0
	for _, in := range input {
		size += len(in)
	}
	w, watch := formats.NewWork(formats.MaxWork), startStopwatch()
	return formats.WithWork(t.Context(), w), func() {
		t.Helper()
		if spent := w.Spent(); spent > fixedUnits+unitsPer*int64(size) {
			t.Errorf("%d bytes cost %d units", size, spent)
		}
		if took := watch.read(); took > fixedTime+timePer*time.Duration(size) {
			t.Errorf("%d bytes took %v", size, took)
		}
	}
}

// openAccount returns a context with an account of limit units.
func openAccount(ctx context.Context, limit int64) (context.Context, *formats.Work) {
	w := formats.NewWork(limit)
	return formats.WithWork(ctx, w), w
}

// submitUnder parses and verifies v under ctx.
func submitUnder(ctx context.Context, f formats.Format, v Vector) (*formats.Verified, error) {
	p, err := f.Parse(ctx, v.Signature, v.Keys, v.Policy)
	if err != nil {
		return nil, err
	}
	return p.Verify(ctx, v.wrapReader(bytes.NewReader(v.Artifact)))
}

// checkEnded: under a context that has ended, Parse and Verify return its error and nothing else.
func checkEnded(t testing.TB, s Suite, v Vector) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p, err := s.Format.Parse(ctx, v.Signature, v.Keys, v.Policy); p != nil || !isCancelled(err) {
		t.Errorf("Parse: got %v, want context.Canceled", err)
	}
	if v.Want != "" {
		return
	}
	p := mustParse(t, s, v)
	for _, a := range []formats.Artifact{v.wrapReader(bytes.NewReader(v.Artifact)), {}, formats.FromDigest(computeDigest(formats.SHA256, v.Artifact))} {
		if got, err := p.Verify(ctx, a); got != nil || !isCancelled(err) {
			t.Errorf("Verify: got %v, want context.Canceled", err)
		}
	}
}

func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) && formats.ReasonOf(err) == ""
}

// checkWorkLimited: with less than it costs, the vector is refused as too much work and as nothing else.
func checkWorkLimited(t testing.TB, s Suite, v Vector) {
	full := measureCost(t, s, v)
	if full == 0 || full > formats.MaxWork/4 {
		t.Fatalf("costs %d units, of %d", full, int64(formats.MaxWork))
	}
	const parts = 8
	for i := range int64(parts) {
		ctx, _ := openAccount(context.Background(), full*i/parts)
		got, err := submitUnder(ctx, s.Format, v)
		if got != nil || formats.ReasonOf(err) != formats.ReasonTooMuchWork {
			t.Errorf("with %d of %d units: %v", full*i/parts, full, err)
			continue
		}
		checkTyped(t, err)
	}
}

// measureCost returns the units that v costs.
func measureCost(t testing.TB, s Suite, v Vector) int64 {
	t.Helper()
	ctx, w := openAccount(context.Background(), formats.MaxWork)
	if _, err := submitUnder(ctx, s.Format, v); err != nil {
		t.Fatalf("refused: %v", err)
	}
	return w.Spent()
}

// checkWorkLinear: the same again costs the same again, and so do the same keys.
func checkWorkLinear(t testing.TB, s Suite, v Vector) {
	once := measureCost(t, s, v)
	for _, times := range []int{2, 4} {
		ctx, w := openAccount(context.Background(), formats.MaxWork)
		for range times {
			_, _ = submitUnder(ctx, s.Format, v)
		}
		if w.Spent() != int64(times)*once {
			t.Errorf("once costs %d units, %d times %d", once, times, w.Spent())
		}
		repeated := v
		repeated.Keys = slices.Repeat(v.Keys, times)
		ctx, w = openAccount(context.Background(), formats.MaxWork)
		_, _ = submitUnder(ctx, s.Format, repeated)
		if w.Spent() > int64(times)*once {
			t.Errorf("one copy of the keys costs %d units, %d copies %d", once, times, w.Spent())
		}
	}
}

// CheckHostile submits what is made to take long. Whatever becomes of it: it ends in time, within the account,
// with a refusal as good as any other, and soon after its context ends. It returns the refusal.
func CheckHostile(t *testing.T, f formats.Format, v Vector) error {
	t.Helper()
	looks, err := 0, error(nil)
	for attempt := range attempts {
		ctx, w := openAccount(context.Background(), formats.MaxWork)
		e := &ending{Context: ctx, left: -1, work: w}
		watch := startStopwatch()
		_, err = submitUnder(e, f, v)
		took := watch.read()
		t.Logf("%d units, %v: %v", w.Spent(), took, err)
		if looks = e.looks; took <= maxTime {
			break
		}
		if attempt == attempts-1 {
			t.Errorf("took %v", took)
		}
	}
	if err != nil {
		checkTyped(t, err)
	}
	for _, n := range []int{1, looks / 4, looks / 2, looks - 1} {
		checkStops(t, f, v, n)
	}
	return err
}

// checkStops ends the context at its n-th look.
func checkStops(t *testing.T, f formats.Format, v Vector, n int) {
	t.Helper()
	ctx, w := openAccount(context.Background(), formats.MaxWork)
	e := &ending{Context: ctx, left: max(n, 1), work: w}
	if _, err := submitUnder(e, f, v); !isCancelled(err) {
		t.Errorf("the context ended at look %d: %v", n, err)
		return
	}
	if more := w.Spent() - e.spent; more > stopUnits {
		t.Errorf("%d units were spent after the context had ended", more)
	}
}

// ending is a context that ends when it has been looked at for the last time, so that no test need wait.
type ending struct {
	context.Context
	left  int // looks before it ends; negative: never
	looks int
	work  *formats.Work
	spent int64 // when it ended
}

// Err implements context.Context.
func (e *ending) Err() error {
	e.looks++
	if e.left < 0 || e.looks < e.left {
		return nil
	}
	if e.spent == 0 {
		e.spent = e.work.Spent()
	}
	return context.Canceled
}

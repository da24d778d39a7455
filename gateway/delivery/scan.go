// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// splitDoubts tells those that can be looked for to the log's end in a few windows from those that have a
// longer way to go.
func splitDoubts(doubts []*doubt, size uint64) (near, far []*doubt) {
	for _, d := range doubts {
		if d.absentTo+nearWindows*scanWindow >= size {
			near = append(near, d)
		} else {
			far = append(far, d)
		}
	}
	return near, far
}

// searchDoubts looks for doubts, in windows, from where the first of them is proven absent to. After each
// window what it showed is stored: what was found is logged, and for the others how far they are absent. It
// ends at size, after so many windows, or with the first one that is cut short. Where the log cannot be read
// from some index on, it goes on with those that are to be looked for beyond: they do not wait for the others.
func (w *worker) searchDoubts(ctx context.Context, tree gateway.Shard, doubts []*doubt, size uint64, windows int, counts *settleCounts) error {
	if len(doubts) == 0 {
		return nil
	}
	var errs []error
	for from := nextStart(doubts, 0, size); windows > 0 && from < size; {
		to := min(from+scanWindow, size)
		reached, err := w.searchWindow(ctx, tree, doubts, from, to, counts)
		switch unreadable := errors.Is(err, gateway.ErrBadAnswer) || errors.Is(err, gateway.ErrUnavailable); {
		case unreadable && len(errs) < maxUnreadable && ctx.Err() == nil:
			errs = append(errs, err)
			from = nextStart(doubts, (from/bundleWidth+1)*bundleWidth, size)
			continue
		case err != nil || reached < to:
			return errors.Join(append(errs, err)...)
		}
		from, windows = to, windows-1
	}
	return errors.Join(errs...)
}

// A search passes over bundles of the log that cannot be read, each of so many entries, so often at most.
const (
	bundleWidth   = 256
	maxUnreadable = 16
)

// nextStart returns where, from an index on, the first search for one of doubts begins, and size where none does.
func nextStart(doubts []*doubt, from, size uint64) uint64 {
	start := size
	for _, d := range doubts {
		if !d.settled && d.absentTo >= from {
			start = min(start, d.absentTo)
		}
	}
	return start
}

// searchWindow looks for doubts at indexes from the first one given up to to, and returns how far it got. That is stored
// even where the search failed then.
func (w *worker) searchWindow(ctx context.Context, tree gateway.Shard, doubts []*doubt, from, to uint64, counts *settleCounts) (reached uint64, err error) {
	var leaves []gateway.LeafHash
	for _, d := range doubts {
		if !d.settled && d.absentTo < to {
			leaves = append(leaves, d.LeafHash)
		}
	}
	if len(leaves) == 0 {
		return to, nil
	}
	findCtx, cancel := context.WithTimeout(ctx, w.timing.AddTimeout)
	defer cancel()
	found, findErr := w.log.Find(findCtx, tree, leaves, from, to)
	counts.doubled += found.Doubled
	reached = min(found.AbsentTo, to)
	before := counts.found
	settlements := noteFound(doubts, found, from, reached, counts)
	ours, err := w.storeSettlements(ctx, settlements)
	if err != nil {
		return from, err
	}
	if !ours {
		counts.found = before
	}
	switch {
	case reached > from: // it goes on from there
		return reached, describeFailed(found.Failed)
	case findErr == nil:
		findErr = fmt.Errorf("%w: its size is less than %d", gateway.ErrUnavailable, from)
	}
	return reached, findErr
}

// describeFailed returns an error for the leaves that the log could not be asked for, and nil for none.
func describeFailed(failed map[gateway.LeafHash]error) error {
	for _, err := range failed {
		return fmt.Errorf("%d entries could not be asked for, one of them: %w", len(failed), err)
	}
	return nil
}

// noteFound notes what a search from an index on has shown, and returns what is to be stored of it. Absence
// is shown for those that were absent up to that index.
func noteFound(doubts []*doubt, found gateway.Found, from, reached uint64, counts *settleCounts) []gateway.Settlement {
	var settlements []gateway.Settlement
	for _, d := range doubts {
		s := gateway.Settlement{EntryID: d.ID, Fence: d.Fence}
		switch inclusion := found.Inclusions[d.LeafHash]; {
		case d.settled || found.Failed[d.LeafHash] != nil:
			continue
		case inclusion != nil:
			s.Inclusion, d.settled = inclusion, true
			counts.found++
		case d.absentTo >= from && d.absentTo < reached:
			s.AbsentTo, d.absentTo = reached, reached
		default:
			continue
		}
		settlements = append(settlements, s)
	}
	return settlements
}

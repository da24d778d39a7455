// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// tell counts what became of a signature, and says so.
func (b *runner) tell(o outcome) {
	if o.State == stateWaiting {
		return // it is told later
	}
	b.counts.of(o.State).Add(1)
	if o.State == statePending && o.delay != "" {
		b.delay.Store(&o.delay)
	}
	b.status.tell(o)
	if b.report == nil {
		return
	}
	if err := b.report.add(o); err != nil {
		b.stop(fault.Fail(fault.ReasonFile, fmt.Errorf("writing the report: %w", err), "make room, or name another file with --report"))
	}
}

// finish syncs what was written, and prints the summary. ended is what ended the run before its end, nil for none.
func (b *runner) finish(ended error) error {
	whole := ended == nil
	failed := ended
	if errors.Is(ended, context.Canceled) {
		failed = fault.Fail(fault.ReasonInterrupted, ended, "run the same command again: what was accepted is not lost")
	}
	if err := b.writer.sync(); err != nil {
		failed = errors.Join(failed, err)
	}
	if err := b.known.save(whole); err != nil {
		b.told.Say("note: what was verified is not remembered for the next run: %v", err)
	}
	path := ""
	if b.report != nil {
		var err error
		if path, err = b.report.finish(whole); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if failed == nil {
		failed = b.judgeCounts()
	}
	return b.status.summarize(path, failed)
}

// judgeCounts returns what is to be said of a run that came to its end.
func (b *runner) judgeCounts() error {
	refused, pending := b.counts.refused.Load(), b.counts.pending.Load()+b.counts.unsent.Load()
	switch {
	case pending > 0:
		err := fmt.Errorf("%d signatures are not logged yet", pending)
		if delay := b.delay.Load(); delay != nil {
			err = fmt.Errorf("%w; %s", err, *delay)
		}
		return fault.Fail(problem.ReasonNotLogged, err, "nothing is lost: run the same command again later")
	case refused > 0:
		return fault.Fail(fault.ReasonSomeRefused, fmt.Errorf("%d signatures were refused", refused), "see the line of each; what is mended is sent when the same command is run again")
	case b.counts.total() == 0:
		b.told.Say("note: no signature was found")
	}
	return nil
}

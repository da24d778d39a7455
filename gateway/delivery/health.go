// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"cmp"
	"errors"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// health is whether a log can be used, as its worker last saw it. It is safe for concurrent use.
type health struct {
	mu      sync.Mutex // guards what follows
	reading string     // a gateway.Problem of its checkpoints or tiles; "" is none
	writing string     // ProblemForbidden, or ""
	former  string     // TroubleFormerShard, or ""
}

// problemOfReading names what is wrong with a log that gives this error when it is read.
func problemOfReading(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, gateway.ErrFork):
		return gateway.ProblemFork
	case errors.Is(err, gateway.ErrBadAnswer):
		return gateway.ProblemBadAnswer
	default:
		return gateway.ProblemUnavailable
	}
}

// currentProblem returns why nothing can be sent now, a gateway.Problem, or "".
func (h *health) currentProblem() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return cmp.Or(h.reading, h.writing)
}

// canBeRead reports whether the log could be read when that was last tried.
func (h *health) canBeRead() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reading == ""
}

// isForbidden reports whether the log did not let this gateway in when it was last written to.
func (h *health) isForbidden() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.writing != ""
}

// describeProblem returns what callers are told: a gateway.Problem, or "".
func (h *health) describeProblem() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return cmp.Or(h.reading, h.writing, h.former)
}

// changeHealth applies change, and returns the problem before and after.
func (h *health) changeHealth(change func(*health)) (before, after string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before = cmp.Or(h.reading, h.writing)
	change(h)
	return before, cmp.Or(h.reading, h.writing)
}

// noteReading notes what came of reading the log. That its checkpoint could not be kept says nothing of it.
func (w *worker) noteReading(err error) {
	if errors.Is(err, gateway.ErrStoreUnavailable) {
		return
	}
	before, after := w.health.changeHealth(func(h *health) { h.reading = problemOfReading(err) })
	if forked := after == gateway.ProblemFork; forked != (before == gateway.ProblemFork) {
		w.metrics.Halted(w.id, forked)
	}
	w.tellHealth(before, after, err)
}

// noteWriting notes an outcome. What does not reach the log says nothing of whether it lets this gateway in.
func (w *worker) noteWriting(o gateway.Outcome, err error) {
	forbidden := o.Problem == gateway.ProblemForbidden
	if !forbidden && o.Inclusion == nil {
		return
	}
	before, after := w.health.changeHealth(func(h *health) {
		h.writing = ""
		if forbidden {
			h.writing = o.Problem
		}
	})
	w.tellHealth(before, after, err)
}

// noteIncluded notes that the log includes what it is sent, or that this is assumed until the next outcome. Nobody else would
// find out about a log to which nothing goes any more.
func (w *worker) noteIncluded() {
	w.stall.noteIncluded()
	before, after := w.health.changeHealth(func(h *health) { h.writing = "" })
	w.tellHealth(before, after, nil)
}

// tellStuck tells the operator of entries in doubt that wait for a person.
func (w *worker) tellStuck(n int) {
	former := ""
	if n > 0 {
		former = gateway.TroubleFormerShard
		w.logger.Warn("entries are in doubt in former shards of this log, and cannot be settled there as things stand; they wait", "entries", n,
			"remedy", "name each former shard under the log's former, and say closed: true once nothing more will be included in it")
	} else {
		w.logger.Info("no entries are stuck in former shards of this log any more")
	}
	w.health.mu.Lock()
	w.health.former = former
	w.health.mu.Unlock()
}

// tellHealth tells the operator when the log cannot be used any more, and when it can again.
func (w *worker) tellHealth(before, after string, err error) {
	if before == after {
		return
	}
	switch after {
	case "":
		w.logger.Info("the log can be used again")
	case gateway.ProblemForbidden:
		w.logger.Error("the log does not let this gateway in; entries wait", "error", err,
			"remedy", "see to the gateway's credentials and to what stands before the log")
	case gateway.ProblemFork:
		w.logger.Error("submissions to this log are stopped: it has forked; both checkpoints are kept as evidence", "error", err)
	default:
		w.logger.Warn("the log cannot be used; entries wait", "problem", after, "error", err)
	}
	w.tellDegraded()
}

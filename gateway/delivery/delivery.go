// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Delivery has one worker for each log.
type Delivery struct {
	workers map[string]*worker // by log ID
}

// New returns a delivery that sends nothing until Run.
func New(cfg Config) *Delivery {
	cfg.Timing, cfg.Metrics = cfg.Timing.withDefaults(), cfg.Metrics.withDefaults()
	d := &Delivery{workers: make(map[string]*worker, len(cfg.Logs))}
	for _, l := range cfg.Logs {
		d.workers[l.Describe().ID] = newWorker(l, cfg)
	}
	return d
}

// Run works until ctx ends, then lets what is under way finish for at most the drain time. What a
// crash interrupts is settled by the next Run, here or in another process, after its lease has
// expired.
func (d *Delivery) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, w := range d.workers {
		running.Go(func() { w.runWorker(ctx) })
	}
	running.Wait()
}

// Wake tells the workers of sub's logs that there may be work. It is only a shortcut: they also look
// by themselves now and then.
func (d *Delivery) Wake(sub gateway.Submission) {
	for _, e := range sub.Entries {
		if w := d.workers[e.Log]; w != nil && e.State == gateway.Pending {
			w.wakeWorker()
		}
	}
}

// Degraded returns the logs that cannot be used now, each with a gateway.Problem that says why. What is for
// them is accepted, and waits.
func (d *Delivery) Degraded() map[string]string {
	degraded := map[string]string{}
	for id, w := range d.workers {
		if problem := w.health.describeProblem(); problem != "" {
			degraded[id] = problem
		}
	}
	return degraded
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/lookup"
)

// domain is the rooms of the domain, joined: intake wakes delivery, delivery notifies the waiters.
type domain struct {
	*intake.Service
	*delivery.Waiters
	*lookup.Lookup
	*lookup.Estimator
	delivery *delivery.Delivery
	own      *ownLog
	facade   *facadeLog
	owns     *ownReaders // all that there are

	registry *formats.Registry
	store    gateway.Store
	recorded atomic.Pointer[recordedLogs]

	configured atomic.Pointer[[]string] // the IDs of all logs
	// room is how much may wait for a log that cannot be used before it is left out; 0 is any.
	roomEntries int
	roomBytes   int64
}

var _ api.Service = (*domain)(nil)

// joinRooms makes the rooms of both configurations, whose Committed and Changed it sets.
func joinRooms(store gateway.Store, own *ownLog, in intake.Config, out delivery.Config) *domain {
	d := &domain{Waiters: delivery.NewWaiters(store), registry: in.Formats, store: store, own: own}
	d.setRecorded(policies{Policies: in.Policies})
	if in.Now == nil {
		in.Now = wallClock
	}
	in.Queue, out.Changed = lookup.WithArchived(in.Queue), d.noteChanged
	d.Estimator = lookup.NewEstimator(lookup.EstimatorConfig{
		Stats: store.Stats, Lines: store.Lines, Now: in.Now, Degraded: func() map[string]string { return d.listDegraded() }, Own: own.estimates(),
		IntegrationDelay: func(log string) time.Duration { return d.delivery.IntegrationDelay(log) },
	})
	out.Metrics.Attempted = noteLogged(d.Estimator, out.Metrics.Attempted)
	d.delivery = delivery.New(out)
	in.Committed, in.Condition = d.noteStored, d.conditionOf
	d.Service = intake.New(in)
	d.configured.Store(listIDs(out.Logs))
	d.owns = newOwnReaders(store, own)
	d.Lookup = lookup.New(store, slices.Concat(d.listConfigured(), own.listIDs()), d.owns)
	return d
}

// noteLogged has attempted called, and the estimator told of what was logged.
func noteLogged(e *lookup.Estimator, attempted func(log, outcome string, d time.Duration)) func(log, outcome string, d time.Duration) {
	return func(log, outcome string, d time.Duration) {
		if attempted != nil {
			attempted(log, outcome, d)
		}
		if outcome == delivery.Logged {
			e.NoteLogged(log, d)
		}
	}
}

// Run commits submissions and works them off until ctx ends, then drains.
func (d *domain) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { d.Service.Run(ctx) })
	running.Go(func() { d.delivery.Run(ctx) })
	running.Go(func() { d.own.run(ctx) })
	running.Go(func() { d.facade.run(ctx) })
	running.Wait()
}

// noteStored has what was stored delivered, or sequenced.
func (d *domain) noteStored(sub gateway.Submission) {
	d.delivery.Wake(sub)
	d.own.noteStored(sub)
}

// noteChanged tells those who wait what delivery has done; an anchor is the own log's.
func (d *domain) noteChanged(changed []gateway.Progress) {
	d.Notify(changed)
	d.own.noteChanged(changed)
	d.facade.noteChanged(changed)
}

// hear goes by what another process on the store tells.
func (d *domain) hear(s gateway.Signal) {
	d.facade.hear(s)
	if s.Missed {
		d.delivery.WakeLogs()
		d.own.noteLogs()
		d.NoteMissed()
		return
	}
	if len(s.Logs) > 0 {
		d.delivery.WakeLogs(s.Logs...)
		d.own.noteLogs(s.Logs...)
	}
	d.NoteChanged(s.Changed)
}

// Formats implements api.Service.
func (d *domain) Formats() *formats.Registry { return d.registry }

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/audit"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// Bounds on the audit trail.
const (
	auditQueue = 4096            // refusals on their way into the store
	auditBatch = 256             // refusals in one transaction
	auditPause = time.Second     // between two of them
	auditTrim  = time.Minute     // between two looks at what is old
	trimBatch  = 1000            // records that are removed in one transaction
	auditGrace = 5 * time.Second // for what is left when the gateway stops
)

// auditor records what becomes of submissions, and what the operator does. A nil one records nothing.
type auditor struct {
	file   *audit.File // nil: none
	refuse bool        // submissions, while the file cannot be written
	stored bool        // what authenticated callers send is recorded in the store
	keep   time.Duration

	isAnonymous func(gateway.Caller) bool
	logger      *slog.Logger
	metrics     *auditMetrics
	refusals    chan gateway.AuditRecord // on their way into the store
	denials     *sample
	noRoom      *sample // refusals for want of room: each record would take some more
}

// openAudit opens the file, where there is one.
func (s *Server) openAudit(c config.Audit) (err error) {
	s.audit = &auditor{
		refuse: c.OnFailure != config.OnFailureContinue, stored: c.Store, keep: c.Keep, logger: s.logger, metrics: s.metrics.audit,
		isAnonymous: func(caller gateway.Caller) bool { _, strangers := s.quotas.limitOf(caller); return strangers },
		refusals:    make(chan gateway.AuditRecord, auditQueue), denials: newSample(), noRoom: newSample(),
	}
	if c.File != "" {
		if s.audit.file, err = audit.Open(c.File, s.audit.metrics.countLost("file")); err != nil {
			return fmt.Errorf("audit.file: %w", err)
		}
	}
	return nil
}

// ReopenAudit has the audit trail go on in the file that is at its path now. It is for what rotates files.
func (s *Server) ReopenAudit() error {
	if s.audit.file == nil {
		return nil
	}
	return s.audit.file.Reopen()
}

// checkTaking is intake.Config.CheckDisk: why submissions are not taken.
func (s *Server) checkTaking() error {
	if err := s.disk.checkDisk(); err != nil {
		return err
	}
	if s.audit != nil && s.audit.refuse {
		return s.audit.check()
	}
	return nil
}

// check returns gateway.ErrAuditFailing while the file cannot be written. It tries to.
func (a *auditor) check() error {
	if a == nil || a.file == nil {
		return nil
	}
	err := a.file.Check()
	a.metrics.setFailing(err != nil)
	if err != nil {
		return gateway.ErrAuditFailing
	}
	return nil
}

// originOf is intake.Config.Origin: nil where no record is kept in the store.
func (a *auditor) originOf(ctx context.Context) *gateway.AuditOrigin {
	caller := gateway.CallerFrom(ctx)
	if !a.stored || caller.Name == "" || a.isAnonymous(caller) {
		return nil
	}
	origin := newOrigin(ctx)
	return &origin
}

func newOrigin(ctx context.Context) gateway.AuditOrigin {
	return gateway.AuditOrigin{
		Caller: gateway.CallerFrom(ctx).Name, Address: gateway.NoteFrom(ctx).Facts().Address, RequestID: gateway.RequestID(ctx),
	}
}

// noteStored records a submission that was stored, now or before; the store has its record with it.
func (a *auditor) noteStored(ctx context.Context, sub *gateway.Submission) {
	if a == nil {
		return
	}
	event := gateway.AuditAccepted
	if sub.Existing {
		event = gateway.AuditRepeated
	}
	if a.file == nil { // the store has it
		a.metrics.records.WithLabelValues(string(event)).Inc()
		return
	}
	a.write(gateway.AuditRecord{
		Event: event, AuditOrigin: newOrigin(ctx), Tenant: sub.Tenant, Submission: sub.ID, Signers: sub.Signers(), Artifacts: sub.Digests,
	})
}

// noteLeft is intake.Config.Left: who leaves before the answer is refused, and what he has sent is stored nonetheless.
func (a *auditor) noteLeft(ctx context.Context, sub gateway.Submission) { a.noteStored(ctx, &sub) }

// noteRefused records a submission that was not taken, and why. That into the store does not wait for it.
func (a *auditor) noteRefused(ctx context.Context, err error) {
	if a == nil {
		return
	}
	r := gateway.AuditRecord{
		Event: gateway.AuditRefused, AuditOrigin: newOrigin(ctx), Tenant: gateway.CallerFrom(ctx).Tenant, Reason: problem.FromError(err).Reason,
	}
	if errors.Is(err, gateway.ErrDiskLow) || errors.Is(err, gateway.ErrAuditFailing) {
		a.writeSampled(r, a.noRoom)
		return
	}
	a.write(r)
	if a.originOf(ctx) == nil {
		return
	}
	select {
	case a.refusals <- r:
	default:
		a.metrics.countLost("store")()
	}
}

// noteDenied records a request whose sender is not known, or may not do that: as many as denials lets through.
func (a *auditor) noteDenied(ctx context.Context, err error) {
	if a == nil || err == nil {
		return
	}
	a.writeSampled(gateway.AuditRecord{Event: gateway.AuditDenied, AuditOrigin: newOrigin(ctx), Reason: problem.FromError(err).Reason}, a.denials)
}

// writeSampled counts a record, and writes it when it is its turn.
func (a *auditor) writeSampled(r gateway.AuditRecord, sample *sample) {
	if r.Count = sample.takeSample(); r.Count == 0 {
		a.metrics.records.WithLabelValues(string(r.Event)).Inc()
		return
	}
	a.write(r)
}

// noteOperator records what the operator has done.
func (a *auditor) noteOperator(event gateway.AuditEvent, detail string, err error) {
	if err != nil {
		detail += ": faulty, what was in use before stays so"
	}
	a.write(gateway.AuditRecord{Event: event, Detail: detail})
}

// write writes a record to the file. What cannot be written waits there.
func (a *auditor) write(r gateway.AuditRecord) {
	if a == nil {
		return
	}
	a.metrics.records.WithLabelValues(string(r.Event)).Inc()
	if a.file == nil {
		return
	}
	r.Time = time.Now()
	err := a.file.Write(r)
	if a.metrics.setFailing(err != nil) {
		a.logger.Error("the audit trail cannot be written", "error", err)
	}
}

// run keeps refusals in the store, and removes what is older than it is kept, until ctx ends.
func (a *auditor) run(ctx context.Context, store gateway.AuditTrail) {
	pause, trim := time.NewTicker(auditPause), time.NewTicker(auditTrim)
	defer pause.Stop()
	defer trim.Stop()
	var waiting []gateway.AuditRecord
	for {
		select {
		case <-ctx.Done():
			a.flush(context.WithoutCancel(ctx), store, waiting)
			return
		case <-pause.C:
			waiting = a.keepRefusals(ctx, store, waiting)
		case <-trim.C:
			a.trim(ctx, store)
		}
	}
}

// keepRefusals keeps the next ones, and returns those that have to be tried again.
func (a *auditor) keepRefusals(ctx context.Context, store gateway.AuditTrail, batch []gateway.AuditRecord) []gateway.AuditRecord {
	for {
		batch = a.collect(batch)
		if len(batch) == 0 {
			return nil
		}
		err := store.RecordAudit(ctx, batch)
		if errors.Is(err, gateway.ErrStoreUnavailable) || ctx.Err() != nil {
			return batch
		}
		if err != nil {
			a.logger.Error("records of the audit trail are lost", "records", len(batch), "error", err)
			a.metrics.lost.WithLabelValues("store").Add(float64(len(batch)))
		}
		batch = nil
	}
}

func (a *auditor) collect(batch []gateway.AuditRecord) []gateway.AuditRecord {
	for len(batch) < auditBatch {
		select {
		case r := <-a.refusals:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

func (a *auditor) flush(ctx context.Context, store gateway.AuditTrail, waiting []gateway.AuditRecord) {
	ctx, cancel := context.WithTimeout(ctx, auditGrace)
	defer cancel()
	left := a.keepRefusals(ctx, store, waiting)
	a.metrics.lost.WithLabelValues("store").Add(float64(len(left) + len(a.refusals)))
}

func (a *auditor) trim(ctx context.Context, store gateway.AuditTrail) {
	for n := trimBatch; n == trimBatch; {
		var err error
		if n, err = store.TrimAudit(ctx, a.keep, trimBatch); err != nil {
			a.logger.Warn("old records of the audit trail are not removed", "error", err)
		}
	}
}

// close closes the file.
func (a *auditor) close() error {
	if a == nil || a.file == nil {
		return nil
	}
	return a.file.Close()
}

// authorize refuses what the caller of ctx may not do, and records that.
func (s *Server) authorize(check func(context.Context, gateway.Right) error) func(context.Context, gateway.Right) error {
	return func(ctx context.Context, right gateway.Right) error {
		err := check(ctx, right)
		s.audit.noteDenied(ctx, err)
		return err
	}
}

// signerNames are keys as a record's detail has them.
func signerNames(keys [][32]byte) (names string) {
	for _, k := range keys {
		names += " " + formats.Digest{Algorithm: formats.SHA256, Value: k[:]}.String()
	}
	return names
}

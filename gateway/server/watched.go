// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// watchedDomain is the domain as the listeners see it: what becomes of a submission is counted, and taken down in its
// request's note.
type watchedDomain struct {
	*domain
	metrics *submissionMetrics
	audit   *auditor
}

// Begin implements api.Service.
func (d watchedDomain) Begin(ctx context.Context, r gateway.Request) (gateway.Draft, error) {
	started := time.Now()
	draft, err := d.domain.Begin(ctx, r)
	if err != nil {
		d.metrics.countRefused(d.nameFormat(r.Format), "", err)
		d.metrics.countOfCaller(ctx, false, err)
		d.audit.noteRefused(ctx, err)
		return nil, err
	}
	return &watchedDraft{draft, d.metrics, d.audit, started}, nil
}

// nameFormat returns "" for what is no format's name.
func (d watchedDomain) nameFormat(name string) string {
	for _, known := range d.registry.Names() {
		if name == known {
			return name
		}
	}
	return ""
}

type watchedDraft struct {
	gateway.Draft
	metrics *submissionMetrics
	audit   *auditor
	started time.Time
}

// Submit implements gateway.Draft.
func (d *watchedDraft) Submit(ctx context.Context, artifact formats.Artifact) (gateway.Submission, error) {
	stored, err := d.Draft.Submit(ctx, artifact)
	d.metrics.countOfCaller(ctx, stored.Existing, err)
	if err != nil {
		plan := d.Plan()
		d.metrics.countRefused(plan.Description.Format, plan.Chosen, err)
		d.audit.noteRefused(ctx, err)
		return stored, err
	}
	d.metrics.countStored(stored, time.Since(d.started))
	gateway.NoteFrom(ctx).NoteStored(stored)
	d.audit.noteStored(ctx, &stored)
	return stored, nil
}

// observeStep is intake.Config.Observe.
func (s *Server) observeStep(ctx context.Context, step string) (context.Context, func(error)) {
	started := time.Now()
	ctx, end := s.tracing.startStep(ctx, step)
	return ctx, func(err error) {
		s.metrics.submissions.observeStep(step, time.Since(started))
		end(err)
	}
}

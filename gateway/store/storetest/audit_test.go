// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// forgetful is a store whose audit trail is not what it should be.
type forgetful struct {
	gateway.Store
	enqueue func(ctx context.Context, s gateway.Store, subs []gateway.NewSubmission) ([]gateway.Enqueued, error)
	record  func(ctx context.Context, s gateway.Store, records []gateway.AuditRecord) error
	list    func(ctx context.Context, s gateway.Store, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error)
	trim    func(ctx context.Context, s gateway.Store, age time.Duration, limit int) (int, error)
}

// Enqueue implements gateway.Store.
func (f forgetful) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	if f.enqueue != nil {
		return f.enqueue(ctx, f.Store, subs)
	}
	return f.Store.Enqueue(ctx, subs)
}

// RecordAudit implements gateway.AuditTrail.
func (f forgetful) RecordAudit(ctx context.Context, records []gateway.AuditRecord) error {
	if f.record != nil {
		return f.record(ctx, f.Store, records)
	}
	return f.Store.RecordAudit(ctx, records)
}

// ListAudit implements gateway.Store.
func (f forgetful) ListAudit(ctx context.Context, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
	if f.list != nil {
		return f.list(ctx, f.Store, tenant, p)
	}
	return f.Store.ListAudit(ctx, tenant, p)
}

// TrimAudit implements gateway.AuditTrail.
func (f forgetful) TrimAudit(ctx context.Context, age time.Duration, limit int) (int, error) {
	if f.trim != nil {
		return f.trim(ctx, f.Store, age, limit)
	}
	return f.Store.TrimAudit(ctx, age, limit)
}

// losing returns a store that has no records of these.
func losing(lost func(gateway.AuditRecord) bool) forgetful {
	return forgetful{list: func(ctx context.Context, s gateway.Store, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
		all, next, err := s.ListAudit(ctx, tenant, p)
		return slices.DeleteFunc(all, lost), next, err
	}}
}

// changing returns a store whose records are not what was recorded.
func changing(change func(*gateway.AuditRecord)) forgetful {
	return forgetful{list: func(ctx context.Context, s gateway.Store, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
		all, next, err := s.ListAudit(ctx, tenant, p)
		for i := range all {
			change(&all[i])
		}
		return all, next, err
	}}
}

// auditMutants each break a promise of the audit trail.
var auditMutants = map[string]forgetful{
	"loses what is accepted": losing(func(r gateway.AuditRecord) bool { return r.Event == gateway.AuditAccepted }),
	"loses repeats":          losing(func(r gateway.AuditRecord) bool { return r.Event == gateway.AuditRepeated }),
	"loses refusals":         losing(func(r gateway.AuditRecord) bool { return r.Event == gateway.AuditRefused }),
	"loses one of a batch": {enqueue: func(ctx context.Context, s gateway.Store, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
		fewer := slices.Clone(subs)
		for i := range fewer[1:] {
			fewer[1+i].Audit = nil
		}
		return s.Enqueue(ctx, fewer)
	}},
	"records what was not stored": {enqueue: func(ctx context.Context, s gateway.Store, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
		all, err := s.Enqueue(ctx, subs)
		for i, e := range all {
			if e.Err != nil && subs[i].Audit != nil {
				err = errors.Join(err, s.RecordAudit(ctx, []gateway.AuditRecord{{Event: gateway.AuditAccepted, AuditOrigin: *subs[i].Audit, Tenant: subs[i].Tenant}}))
			}
		}
		return all, err
	}},
	"takes repeats for new":  changing(func(r *gateway.AuditRecord) { r.Event = gateway.AuditAccepted }),
	"forgets when":           changing(func(r *gateway.AuditRecord) { r.Time = start }),
	"forgets the address":    changing(func(r *gateway.AuditRecord) { r.Address = "" }),
	"forgets the caller":     changing(func(r *gateway.AuditRecord) { r.Caller = "" }),
	"forgets the submission": changing(func(r *gateway.AuditRecord) { r.Submission = "" }),
	"forgets the signers":    changing(func(r *gateway.AuditRecord) { r.Signers = nil }),
	"forgets the artifacts":  changing(func(r *gateway.AuditRecord) { r.Artifacts = nil }),
	"forgets the reason":     changing(func(r *gateway.AuditRecord) { r.Reason = "" }),
	"shows another tenant's": {list: func(ctx context.Context, s gateway.Store, _ string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
		return s.ListAudit(ctx, tenant, p)
	}},
	"shows the oldest first": {list: func(ctx context.Context, s gateway.Store, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
		all, next, err := s.ListAudit(ctx, tenant, p)
		slices.Reverse(all)
		return all, next, err
	}},
	"has no second page": {list: func(ctx context.Context, s gateway.Store, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
		all, _, err := s.ListAudit(ctx, tenant, p)
		return all, "", err
	}},
	"begins again by a bad page token": {list: func(ctx context.Context, s gateway.Store, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
		all, next, err := s.ListAudit(ctx, tenant, p)
		if errors.Is(err, gateway.ErrBadPageToken) {
			p.PageToken = ""
			return s.ListAudit(ctx, tenant, p)
		}
		return all, next, err
	}},
	"keeps the good half of a batch": {record: func(ctx context.Context, s gateway.Store, records []gateway.AuditRecord) (err error) {
		for _, r := range records {
			err = errors.Join(err, s.RecordAudit(ctx, []gateway.AuditRecord{r}))
		}
		return err
	}},
	"keeps everything": {trim: func(context.Context, gateway.Store, time.Duration, int) (int, error) { return 0, nil }},
	"keeps nothing": {trim: func(ctx context.Context, s gateway.Store, _ time.Duration, limit int) (int, error) {
		return s.TrimAudit(ctx, 0, limit)
	}},
	"removes without bound": {trim: func(ctx context.Context, s gateway.Store, age time.Duration, _ int) (int, error) {
		return s.TrimAudit(ctx, age, 1000)
	}},
}

// TestAuditMutants: a store that loses a record, or something of it, fails a test; one that keeps all passes.
func TestAuditMutants(t *testing.T) {
	breaker := func(f forgetful) func() func(gateway.Store) gateway.Store {
		return func() func(gateway.Store) gateway.Store {
			return func(s gateway.Store) gateway.Store {
				own := f
				own.Store = s
				return own
			}
		}
	}
	if failed := findFailure(t, breakStores(breaker(forgetful{})), "", auditTests); failed != "" {
		t.Errorf("a good store fails: %q", failed)
	}
	for name, f := range auditMutants {
		t.Run(name, func(t *testing.T) {
			failed := findFailure(t, breakStores(breaker(f)), "", auditTests)
			if failed == "" {
				t.Error("passes")
			}
			t.Log("fails", failed)
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// miscounting is a store that counts what is new in another way.
type miscounting struct {
	gateway.Store
	before func(m *miscounting, s *gateway.NewSubmission)                                            // as it is stored
	after  func(m *miscounting, ctx context.Context, s gateway.NewSubmission, got *gateway.Enqueued) // as it is answered
	name   string                                                                                    // no other store of the test has it
}

// Enqueue implements gateway.Store. Submissions come one at a time, so that what after does counts for the next.
func (m *miscounting) Enqueue(ctx context.Context, subs []gateway.NewSubmission) (all []gateway.Enqueued, err error) {
	for _, sent := range subs {
		stored := sent
		stored.Quotas = append([]gateway.Quota(nil), sent.Quotas...)
		if m.before != nil {
			m.before(m, &stored)
		}
		got, err := m.Store.Enqueue(ctx, []gateway.NewSubmission{stored})
		if err != nil {
			return nil, err
		}
		if m.after != nil {
			m.after(m, ctx, sent, &got[0])
		}
		all = append(all, got[0])
	}
	return all, nil
}

// countMore stores something else that counts against the quotas of s, for a tenant.
func (m *miscounting) countMore(ctx context.Context, s gateway.NewSubmission, tenant string) {
	if len(s.Quotas) == 0 {
		return
	}
	_, _ = m.Store.Enqueue(ctx, []gateway.NewSubmission{withQuotas(NewSubmission(tenant, uuid.NewString(), logB), s.Quotas...)})
}

// eachQuota returns a change of each quota.
func eachQuota(change func(m *miscounting, q *gateway.Quota)) func(*miscounting, *gateway.NewSubmission) {
	return func(m *miscounting, s *gateway.NewSubmission) {
		for i := range s.Quotas {
			change(m, &s.Quotas[i])
		}
	}
}

// eachRefusal returns a change of each refusal for a quota.
func eachRefusal(change func(m *miscounting, e *gateway.QuotaError)) func(*miscounting, context.Context, gateway.NewSubmission, *gateway.Enqueued) {
	return func(m *miscounting, _ context.Context, _ gateway.NewSubmission, got *gateway.Enqueued) {
		var quota *gateway.QuotaError
		if errors.As(got.Err, &quota) {
			change(m, quota)
		}
	}
}

// quotaMutants each break a promise of gateway.Quota.
var quotaMutants = map[string]miscounting{
	"counts nothing":        {before: func(_ *miscounting, s *gateway.NewSubmission) { s.Quotas = nil }},
	"forgets submissions":   {before: eachQuota(func(_ *miscounting, q *gateway.Quota) { q.Submissions = 0 })},
	"forgets bytes":         {before: eachQuota(func(_ *miscounting, q *gateway.Quota) { q.Bytes = 0 })},
	"forgets pending":       {before: eachQuota(func(_ *miscounting, q *gateway.Quota) { q.Pending = 0 })},
	"counts the first only": {before: func(_ *miscounting, s *gateway.NewSubmission) { s.Quotas = s.Quotas[:min(1, len(s.Quotas))] }},
	"counts the last only":  {before: func(_ *miscounting, s *gateway.NewSubmission) { s.Quotas = s.Quotas[max(0, len(s.Quotas)-1):] }},
	"lets one more in": {
		before: eachQuota(func(_ *miscounting, q *gateway.Quota) { q.Submissions += min(1, q.Submissions) }),
		after:  eachRefusal(func(_ *miscounting, e *gateway.QuotaError) { e.Limit-- }),
	},
	"counts all subjects together": {
		before: func(_ *miscounting, s *gateway.NewSubmission) {
			for i := range s.Quotas[:min(1, len(s.Quotas))] {
				s.Quotas[i].Subject = "all"
			}
		},
		after: eachRefusal(func(_ *miscounting, e *gateway.QuotaError) {
			e.Subject = strings.Replace(e.Subject, "all", "caller a", 1)
		}),
	},
	"each gateway counts for itself, and a restart forgets": {
		before: eachQuota(func(m *miscounting, q *gateway.Quota) { q.Subject += m.name }),
		after:  eachRefusal(func(m *miscounting, e *gateway.QuotaError) { e.Subject = strings.TrimSuffix(e.Subject, m.name) }),
	},
	"says nothing of midnight": {after: eachRefusal(func(_ *miscounting, e *gateway.QuotaError) { e.RetryAfter = 0 })},
	"counts a repeat": {after: func(m *miscounting, ctx context.Context, s gateway.NewSubmission, got *gateway.Enqueued) {
		if got.Err == nil && got.Submission.Existing {
			m.countMore(ctx, s, s.Tenant)
		}
	}},
	"counts what cannot be stored": {after: func(m *miscounting, ctx context.Context, s gateway.NewSubmission, got *gateway.Enqueued) {
		if errors.Is(got.Err, gateway.ErrUnstorable) {
			m.countMore(ctx, s, s.Tenant)
		}
	}},
	"counts for all tenants": {after: func(m *miscounting, ctx context.Context, s gateway.NewSubmission, got *gateway.Enqueued) {
		if got.Err == nil && !got.Submission.Existing && s.Tenant == tenant {
			m.countMore(ctx, s, other)
		}
	}},
	"refuses what is known": {after: func(_ *miscounting, _ context.Context, s gateway.NewSubmission, got *gateway.Enqueued) {
		if got.Err == nil && got.Submission.Existing && len(s.Quotas) > 0 {
			got.Err = &gateway.QuotaError{Subject: s.Quotas[0].Subject, Kind: gateway.QuotaSubmissions, Limit: s.Quotas[0].Submissions}
		}
	}},
}

// TestQuotaMutants: a store that counts in another way fails a test; one that counts as it should, one submission at a time, passes.
func TestQuotaMutants(t *testing.T) {
	breaker := func(m miscounting) func() func(gateway.Store) gateway.Store {
		return func() func(gateway.Store) gateway.Store {
			opened := 0
			return func(s gateway.Store) gateway.Store {
				own := m
				opened++
				own.Store, own.name = s, fmt.Sprint(" of ", opened)
				return &own
			}
		}
	}
	if failed := findFailure(t, breakStores(breaker(miscounting{})), "", quotaTests); failed != "" {
		t.Errorf("a good store fails: %q", failed)
	}
	for name, m := range quotaMutants {
		t.Run(name, func(t *testing.T) {
			failed := findFailure(t, breakStores(breaker(m)), "", quotaTests)
			if failed == "" {
				t.Error("passes")
			}
			t.Log("fails", failed)
		})
	}
}

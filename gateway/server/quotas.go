// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"sync/atomic"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// quotas are what each caller is held to, by the configuration in use. Before there is one, nobody is. Requests share no lock.
type quotas struct {
	inUse atomic.Pointer[quotaTable]
}

// quotaTable does not change once it is in use.
type quotaTable struct {
	callers   map[string]callerQuotas // by name
	perSigner int64                   // submissions a day
}

type callerQuotas struct {
	rate      ratelimit.Limit
	anonymous bool
	quota     gateway.Quota // the zero one: none
}

// use has the limits be those of cfg.
func (q *quotas) use(cfg *config.Config) {
	t := &quotaTable{callers: make(map[string]callerQuotas, len(cfg.Callers)), perSigner: cfg.Limits.SignerSubmissionsPerDay}
	for _, c := range cfg.Callers {
		t.callers[c.Name] = newCallerQuotas(c, cfg.Limits.RequestBurst)
	}
	q.inUse.Store(t)
}

func newCallerQuotas(c config.Caller, burst int) callerQuotas {
	q, l := callerQuotas{anonymous: c.Anonymous}, c.Limits
	if l.RequestsPerMinute > 0 {
		q.rate = ratelimit.Limit{PerMinute: l.RequestsPerMinute, Burst: cmp.Or(l.Burst, burst)}
	}
	if l.SubmissionsPerDay > 0 || l.BytesPerDay > 0 || l.Pending > 0 {
		q.quota = gateway.Quota{
			Subject: gateway.SubjectOfCaller(c.Name), Submissions: l.SubmissionsPerDay, Bytes: int64(l.BytesPerDay), Pending: l.Pending,
		}
	}
	return q
}

// limitOf is middleware.RateLimit.OwnLimit.
func (q *quotas) limitOf(c gateway.Caller) (own ratelimit.Limit, strangers bool) {
	t := q.inUse.Load()
	if t == nil {
		return own, false
	}
	of := t.callers[c.Name]
	return of.rate, of.anonymous
}

// listQuotas is intake.Config.Quotas.
func (q *quotas) listQuotas(ctx context.Context, f *gateway.SubmissionFields) []gateway.Quota {
	t := q.inUse.Load()
	if t == nil {
		return nil
	}
	var all []gateway.Quota
	if own := t.callers[gateway.CallerFrom(ctx).Name].quota; own.Subject != "" {
		all = append(all, own)
	}
	if t.perSigner > 0 {
		for _, signer := range f.Signers() {
			all = append(all, gateway.Quota{Subject: gateway.SubjectOfSigner(signer), Submissions: t.perSigner})
		}
	}
	return all
}

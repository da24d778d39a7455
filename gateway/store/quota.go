// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// QuotaKey is what is counted together: a subject, with its tenant's row.
type QuotaKey struct {
	Tenant  int64
	Subject string
}

// Use is how much of a quota is used.
type Use struct {
	Submissions, Bytes int64 // on the day
	Pending            int   // counted up to the quota
}

func (u Use) plus(more Use) Use {
	return Use{u.Submissions + more.Submissions, u.Bytes + more.Bytes, u.Pending + more.Pending}
}

// Uses are what the quotas of one Enqueue are used by. What others store meanwhile is not in it.
type Uses struct {
	now    int64 // milliseconds
	before map[QuotaKey]Use
	added  map[QuotaKey]Use // by the submissions of this Enqueue
}

const millisPerDay = int64(24 * time.Hour / time.Millisecond)

// pendingPatience is when to ask again where too much is pending: entries are logged in seconds, as a rule.
const pendingPatience = 10 * time.Second

// NewUses returns the uses at a time, in milliseconds, of which none is known yet.
func NewUses(now int64) *Uses {
	return &Uses{now: now, before: make(map[QuotaKey]Use), added: make(map[QuotaKey]Use)}
}

// Day is the day that is counted, in days since 1970 (UTC).
func (u *Uses) Day() int64 { return u.now / millisPerDay }

// Note notes what was used before.
func (u *Uses) Note(k QuotaKey, use Use) { u.before[k] = use }

// Knows reports whether Note was called for k.
func (u *Uses) Knows(k QuotaKey) bool {
	_, ok := u.before[k]
	return ok
}

// Check returns nil, or the *gateway.QuotaError of the first quota that would not bear a submission of so many bytes.
func (u *Uses) Check(tenant int64, quotas []gateway.Quota, bytes int64) error {
	for _, q := range quotas {
		k := QuotaKey{tenant, q.Subject}
		after := u.before[k].plus(u.added[k]).plus(Use{1, bytes, 1})
		for _, c := range []struct {
			kind        string
			used, limit int64
			patience    time.Duration
		}{
			{gateway.QuotaSubmissions, after.Submissions, q.Submissions, u.untilTomorrow()},
			{gateway.QuotaBytes, after.Bytes, q.Bytes, u.untilTomorrow()},
			{gateway.QuotaPending, int64(after.Pending), int64(q.Pending), pendingPatience},
		} {
			if c.limit > 0 && c.used > c.limit {
				return &gateway.QuotaError{Subject: q.Subject, Kind: c.kind, Limit: c.limit, RetryAfter: c.patience}
			}
		}
	}
	return nil
}

func (u *Uses) untilTomorrow() time.Duration {
	return time.Duration((u.Day()+1)*millisPerDay-u.now) * time.Millisecond
}

// Charge counts a submission of so many bytes.
func (u *Uses) Charge(tenant int64, quotas []gateway.Quota, bytes int64) {
	for _, q := range quotas {
		k := QuotaKey{tenant, q.Subject}
		u.added[k] = u.added[k].plus(Use{1, bytes, 1})
	}
}

// Added is what was charged, in the order of the keys.
func (u *Uses) Added() (keys []QuotaKey, uses []Use) {
	for k := range u.added {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareQuotaKeys)
	for _, k := range keys {
		uses = append(uses, u.added[k])
	}
	return keys, uses
}

func compareQuotaKeys(a, b QuotaKey) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), strings.Compare(a.Subject, b.Subject))
}

// PendingOf returns the quota of a submission that bounds what is pending, or nil.
func PendingOf(quotas []gateway.Quota) *gateway.Quota {
	for i := range quotas {
		if quotas[i].Pending > 0 {
			return &quotas[i]
		}
	}
	return nil
}

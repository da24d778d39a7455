// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// perDay returns the submission of that name, which counts against a quota of so many a day.
func perDay(name string, submissions int64) gateway.NewSubmission {
	return withQuotas(newSubmission(name), gateway.Quota{Subject: "caller a", Submissions: submissions})
}

func withQuotas(s gateway.NewSubmission, quotas ...gateway.Quota) gateway.NewSubmission {
	s.Quotas = quotas
	return s
}

// wantOverQuota fails the test unless exactly those submissions were refused for a quota of that kind.
func wantOverQuota(t testing.TB, refused []error, kind string, want ...int) {
	t.Helper()
	over := map[int]bool{}
	for _, i := range want {
		over[i] = true
	}
	for i, err := range refused {
		var quota *gateway.QuotaError
		if is := errors.As(err, &quota); is != over[i] || is && quota.Kind != kind || !is && err != nil {
			t.Errorf("submission %d: error is %v", i, err)
		}
	}
}

func tryQuota(t testing.TB, s *testStore, kind string, over []int, subs ...gateway.NewSubmission) {
	t.Helper()
	_, refused := tryEnqueue(t, s, subs...)
	wantOverQuota(t, refused, kind, over...)
}

// midnight is the end of the day of start.
var midnight = start.Truncate(24 * time.Hour).Add(24 * time.Hour)

var quotaTests = map[string]func(testing.TB, opening){
	"Quota/submissions a day": func(t testing.TB, o opening) {
		s, reopen := o.openBound(0)
		tryQuota(t, s, gateway.QuotaSubmissions, []int{4}, perDay("1", 3), perDay("1", 3), perDay("2", 3), perDay("3", 3), perDay("4", 3))
		s = reopen()
		tryQuota(t, s, gateway.QuotaSubmissions, []int{0}, perDay("4", 3), perDay("1", 3)) // what is known passes
		tryQuota(t, s, "", nil, newSubmission("free"), perDay("4", 4))
		s.setClock(midnight.Add(-time.Millisecond))
		tryQuota(t, s, gateway.QuotaSubmissions, []int{0}, perDay("5", 4))
		s.setClock(midnight)
		tryQuota(t, s, gateway.QuotaSubmissions, []int{1}, perDay("5", 1), perDay("6", 1))
	},

	"Quota/until midnight": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		s.setClock(midnight.Add(-time.Minute))
		_, refused := tryEnqueue(t, s, perDay("1", 1), perDay("2", 1))
		want := gateway.QuotaError{Subject: "caller a", Kind: gateway.QuotaSubmissions, Limit: 1, RetryAfter: time.Minute}
		var got *gateway.QuotaError
		if !errors.As(refused[1], &got) || *got != want {
			t.Errorf("error is %#v, want %#v", got, want)
		}
	},

	// What is stored weighs as the bound on pending bytes has it.
	"Quota/bytes a day": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		large := func(name string) gateway.NewSubmission {
			return withQuotas(newLarge(name), gateway.Quota{Subject: "caller a", Bytes: 10_000})
		}
		tryQuota(t, s, gateway.QuotaBytes, []int{3}, large("one"), large("one"), large("two"), large("three"))
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		tryQuota(t, s, gateway.QuotaBytes, []int{0}, large("three"))
	},

	"Quota/pending": func(t testing.TB, o opening) {
		s, reopen := o.openBound(0)
		waiting := func(name string) gateway.NewSubmission {
			return withQuotas(newSubmission(name), gateway.Quota{Subject: "caller a", Pending: 2})
		}
		tryQuota(t, s, gateway.QuotaPending, []int{2}, waiting("1"), waiting("2"), waiting("3"))
		s = reopen()
		tryQuota(t, s, gateway.QuotaPending, []int{0}, waiting("3"), waiting("2"))
		held := claimEntries(t, s, start, 2)
		finishEntries(t, s, loggedOutcome(held[0]), failedOutcome(held[1]))
		tryQuota(t, s, gateway.QuotaPending, []int{2}, waiting("3"), waiting("4"), waiting("5"))
	},

	// Each quota is counted, and each tenant's and subject's own.
	"Quota/several": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		both := func(tenant, name string) gateway.NewSubmission {
			return withQuotas(NewSubmission(tenant, name, logA),
				gateway.Quota{Subject: "caller a", Submissions: 9}, gateway.Quota{Subject: "signer b", Submissions: 1})
		}
		tryQuota(t, s, gateway.QuotaSubmissions, []int{1}, both(tenant, "1"), both(tenant, "2"), both(other, "1"))
		tryQuota(t, s, gateway.QuotaSubmissions, []int{1}, perDay("3", 2), perDay("4", 2))
		tryQuota(t, s, "", nil, withQuotas(newSubmission("5"), gateway.Quota{Subject: "caller c", Submissions: 1}))
	},

	// What is refused for another reason, or by the store, counts nothing.
	"Quota/refused": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		bad := perDay("bad", 2)
		bad.Needed = 0
		_, _ = tryEnqueue(t, s, bad, perDay("1", 2))
		full, _ := o.openBound(1)
		_, refused := tryEnqueue(t, full, newSubmission("fills"), perDay("1", 1))
		wantRefused(t, refused, 1)
		finishEntries(t, full, loggedOutcome(claimOne(t, full, start)))
		tryQuota(t, full, "", nil, perDay("1", 1))
		tryQuota(t, s, gateway.QuotaSubmissions, []int{1}, perDay("2", 2), perDay("3", 2))
	},

	"Quota/shared by replicas": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		beside := s.another()
		tryQuota(t, s, "", nil, perDay("1", 3), perDay("2", 3))
		tryQuota(t, beside, gateway.QuotaSubmissions, []int{2}, perDay("1", 3), perDay("3", 3), perDay("4", 3))
		tryQuota(t, s, gateway.QuotaSubmissions, []int{0}, perDay("4", 3))
	},

	// Whatever is sent, in whatever batches, as many are counted as are new.
	"Quota/charge is what is new": func(t testing.TB, o opening) {
		s, reopen := o.openBound(0)
		const limit = 40
		random := rand.New(rand.NewPCG(1, 2))
		known := map[string]bool{}
		for range 60 {
			batch := make([]gateway.NewSubmission, 1+random.IntN(5))
			for i := range batch {
				batch[i] = perDay(fmt.Sprint(random.IntN(60)), limit)
				if random.IntN(5) == 0 {
					batch[i].Format = "\xff" // cannot be stored
				}
			}
			subs, refused := tryEnqueue(t, s, batch...)
			for i, err := range refused {
				name := batch[i].Labels["name"]
				var quota *gateway.QuotaError
				switch over := errors.As(err, &quota); {
				case over != (!known[name] && len(known) == limit && batch[i].Format != "\xff"):
					t.Fatalf("%s: %v, with %d of %d used", name, err, len(known), limit)
				case err == nil && subs[i].Existing != known[name]:
					t.Fatalf("%s: existing %v", name, subs[i].Existing)
				case err == nil:
					known[name] = true
				}
			}
			if random.IntN(10) == 0 {
				s = reopen()
			}
		}
		if len(known) != limit {
			t.Errorf("%d of %d are stored", len(known), limit)
		}
	},
}

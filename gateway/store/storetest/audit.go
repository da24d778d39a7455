// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// audited returns the submission, of which a record is kept.
func audited(s gateway.NewSubmission, request string) gateway.NewSubmission {
	s.Audit = &gateway.AuditOrigin{Caller: "farm", Address: "192.0.2.1:9", RequestID: request}
	return s
}

// recordOf is what is kept of a submission that was accepted.
func recordOf(sub gateway.Submission, event gateway.AuditEvent, request string, at time.Time) gateway.AuditRecord {
	return gateway.AuditRecord{
		Time: at, Event: event, AuditOrigin: gateway.AuditOrigin{Caller: "farm", Address: "192.0.2.1:9", RequestID: request},
		Tenant: sub.Tenant, Submission: sub.ID, Signers: sub.Signers(), Artifacts: sub.Digests,
	}
}

func refusalOf(tenant, request string) gateway.AuditRecord {
	return gateway.AuditRecord{
		Event: gateway.AuditRefused, AuditOrigin: gateway.AuditOrigin{Caller: "farm", Address: "192.0.2.1:9", RequestID: request}, Tenant: tenant, Reason: "TOO_LARGE",
	}
}

// wantAudit fails the test unless these are all of a tenant's records, the newest first.
func wantAudit(t testing.TB, s *testStore, tenant string, want ...gateway.AuditRecord) {
	t.Helper()
	got, next, err := s.ListAudit(t.Context(), tenant, gateway.AuditParams{})
	noError(t, err)
	if next != "" || len(got) != len(want) {
		t.Fatalf("%d records of %s, want %d: %+v", len(got), tenant, len(want), got)
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("record %d of %s is\n%+v, want\n%+v", i, tenant, got[i], want[i])
		}
	}
}

var auditTests = map[string]func(testing.TB, opening){
	// A record is there if and only if what it is about is.
	"Audit/of what is accepted": func(t testing.TB, o opening) {
		s, reopen := o.openBound(3)
		bad := audited(newSubmission("bad"), "0")
		bad.Needed = 0
		subs, _ := tryEnqueue(t, s, audited(newSubmission("one"), "1"), bad, audited(newSubmission("one"), "2"), newSubmission("silent"),
			audited(NewSubmission(other, "one", logB), "3"), audited(newSubmission("too many"), "4"))
		s.setClock(after(time.Hour))
		s = reopen()
		again := enqueueAll(t, s, audited(newSubmission("one"), "5"))[0]
		wantAudit(t, s, tenant, recordOf(again, gateway.AuditRepeated, "5", after(time.Hour)),
			recordOf(subs[0], gateway.AuditRepeated, "2", start), recordOf(subs[0], gateway.AuditAccepted, "1", start))
		wantAudit(t, s, other, recordOf(subs[4], gateway.AuditAccepted, "3", start))
		wantAudit(t, s, "nobody")
	},

	"Audit/of what is refused": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		noError(t, s.RecordAudit(t.Context(), []gateway.AuditRecord{refusalOf(tenant, "1"), refusalOf(other, "2"), refusalOf(tenant, "3")}))
		first, last := refusalOf(tenant, "1"), refusalOf(tenant, "3")
		first.Time, last.Time = start, start
		wantAudit(t, s, tenant, last, first)
		odd := refusalOf(tenant, "4\x00")
		if err := s.RecordAudit(t.Context(), []gateway.AuditRecord{refusalOf(tenant, "5"), odd}); err == nil {
			t.Error("a record with a NUL is kept")
		}
		wantAudit(t, s, tenant, last, first)
	},

	"Audit/pages": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		var records []gateway.AuditRecord
		for i := range 25 {
			records = append(records, refusalOf([]string{tenant, other}[i%2], fmt.Sprint(i)))
		}
		noError(t, s.RecordAudit(t.Context(), records))
		token, seen := "", ""
		for pages := 0; pages == 0 || token != ""; pages++ {
			page, next, err := s.ListAudit(t.Context(), tenant, gateway.AuditParams{PageSize: 5, PageToken: token})
			noError(t, err)
			for _, r := range page {
				seen += r.RequestID + " "
			}
			token = next
			if pages > 3 {
				t.Fatal("there is no last page")
			}
			if _, _, err := s.ListAudit(t.Context(), other, gateway.AuditParams{PageToken: next}); next != "" {
				wantError(t, err, gateway.ErrBadPageToken)
			}
			if _, _, err := s.List(t.Context(), tenant, gateway.ListParams{PageToken: next}); next != "" {
				wantError(t, err, gateway.ErrBadPageToken)
			}
		}
		if seen != "24 22 20 18 16 14 12 10 8 6 4 2 0 " {
			t.Errorf("pages have %s", seen)
		}
	},

	"Audit/retention": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		for i := range 5 {
			s.setClock(after(time.Duration(i) * time.Hour))
			noError(t, s.RecordAudit(t.Context(), []gateway.AuditRecord{refusalOf([]string{tenant, other}[i%2], fmt.Sprint(i))}))
		}
		for _, want := range []int{2, 1, 0} {
			if n, err := s.TrimAudit(t.Context(), 90*time.Minute, 2); err != nil || n != want {
				t.Errorf("%d removed, %v; want %d", n, err, want)
			}
		}
		left := refusalOf(tenant, "4")
		left.Time = after(4 * time.Hour)
		wantAudit(t, s, tenant, left)
	},

	// What a clock has recorded that was ahead holds up nothing: it goes with what came after it.
	"Audit/retention after a clock was ahead": func(t testing.TB, o opening) {
		s, _ := o.openBound(0)
		for i, at := range []time.Duration{24 * 365 * time.Hour, 0, 0, 0, 24 * 365 * time.Hour, 2 * time.Hour} {
			s.setClock(after(at))
			noError(t, s.RecordAudit(t.Context(), []gateway.AuditRecord{refusalOf(tenant, fmt.Sprint(i))}))
		}
		for _, want := range []int{2, 2, 0} {
			if n, err := s.TrimAudit(t.Context(), time.Hour, 2); err != nil || n != want {
				t.Errorf("%d removed, %v; want %d", n, err, want)
			}
		}
		ahead, last := refusalOf(tenant, "4"), refusalOf(tenant, "5")
		ahead.Time, last.Time = after(24*365*time.Hour), after(2*time.Hour)
		wantAudit(t, s, tenant, last, ahead)
	},
}

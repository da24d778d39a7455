// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// AuditRow is a row of the audit trail.
type AuditRow struct {
	Seq, At    int64
	Event      string
	Submission *int64
	gateway.AuditOrigin
	Reason string
}

// CheckAudit refuses a record that is not one of a submission that was refused, or whose texts not every database takes.
func CheckAudit(r *gateway.AuditRecord) error {
	if r.Event != gateway.AuditRefused || r.Tenant == "" {
		return fmt.Errorf("audit record of %s is not of a tenant's refused submission", r.Event)
	}
	for _, text := range []string{r.Tenant, r.Caller, r.Address, r.RequestID, string(r.Reason)} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("audit record has a text that is not UTF-8, or has a NUL")
		}
	}
	return nil
}

// Record returns what r says, of a tenant, with the submission that it is about, if there is one.
func (r *AuditRow) Record(tenant string, sub *gateway.SubmissionFields) gateway.AuditRecord {
	record := gateway.AuditRecord{
		Time: FromMillis(r.At), Event: gateway.AuditEvent(r.Event), AuditOrigin: r.AuditOrigin, Tenant: tenant, Reason: formats.Reason(r.Reason),
	}
	if sub != nil {
		record.Submission, record.Signers, record.Artifacts = sub.ID, sub.Signers(), sub.Digests
	}
	return record
}

// AuditPage returns the records of a page from rows, of which there may be one more than the page holds, and the token of the
// next one. found are the submissions that the rows are about, by their numbers.
func AuditPage(tenant string, rows []AuditRow, found map[int64]gateway.Submission, size int) (page []gateway.AuditRecord, next string) {
	if len(rows) > size {
		rows = rows[:size]
		next = AuditToken(tenant, rows[size-1].Seq)
	}
	for i := range rows {
		var sub *gateway.SubmissionFields
		if seq := rows[i].Submission; seq != nil {
			fields := found[*seq].SubmissionFields
			sub = &fields
		}
		page = append(page, rows[i].Record(tenant, sub))
	}
	return page, next
}

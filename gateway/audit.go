// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// AuditEvent is what an AuditRecord is about.
type AuditEvent string

// The events. Those of submissions are kept in the store as well, the others are the operator's alone.
const (
	AuditAccepted AuditEvent = "ACCEPTED" // a submission was stored
	AuditRepeated AuditEvent = "REPEATED" // one that was stored before was sent again
	AuditRefused  AuditEvent = "REFUSED"  // a submission was not taken

	AuditDenied   AuditEvent = "ACCESS_DENIED"   // a request whose sender is not known, or may not do that
	AuditStarted  AuditEvent = "STARTED"         // the gateway serves
	AuditReloaded AuditEvent = "CONFIG_RELOADED" // callers, policy or logs are read again
	AuditKeys     AuditEvent = "KEYS_CHANGED"    // the trusted keys of the logs
)

// AuditRecord is one line of the audit trail. It has no token, key or signature.
type AuditRecord struct {
	Time  time.Time // by the store's clock where it is in the store
	Event AuditEvent
	AuditOrigin
	Tenant     string
	Submission string           // its ID; "" of what was refused
	Signers    [][32]byte       // of the submission, as SHA-256 of the SPKIs
	Artifacts  []formats.Digest // of the submission
	Reason     formats.Reason   // of a refusal
	Detail     string           // of the operator's events
	// Count is how many there were since the last record of the kind, of events of which not each is recorded; else 0.
	Count int
}

// AuditOrigin is where a request comes from.
type AuditOrigin struct {
	Caller    string // his name in the configuration, or ""
	Address   string
	RequestID string
}

// AuditTrail is the side of a Store that keeps records of submissions. Those of submissions that are accepted are
// kept by Enqueue (NewSubmission.Audit), and Reader.ListAudit lists all.
type AuditTrail interface {
	// RecordAudit keeps records of what was refused; their Time is that of storing.
	RecordAudit(ctx context.Context, records []AuditRecord) error

	// TrimAudit removes records that are older than age, the oldest first and up to limit, and returns how many.
	TrimAudit(ctx context.Context, age time.Duration, limit int) (int, error)
}

// AuditParams page ListAudit, as ListParams do List.
type AuditParams struct {
	PageSize  int
	PageToken string
}

// ErrAuditFailing refuses submissions while the audit trail cannot be written. It is matched with errors.Is.
var ErrAuditFailing = errors.New("the audit trail cannot be written")

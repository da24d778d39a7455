// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"fmt"
	"strings"
	"time"
)

// Quota is what of a tenant's new submissions is counted together, and how much of that there may be. What was stored
// before counts nothing when it is sent again. Days are those of UTC.
type Quota struct {
	// Subject is whose submissions are counted, as SubjectOfCaller and SubjectOfSigner name them: of one tenant.
	Subject string
	// Submissions and Bytes are how much may be stored on one day; 0 is no limit. Bytes are counted as MaxPendingBytes
	// counts them.
	Submissions, Bytes int64
	// Pending is how many of the submissions may be neither logged nor failed; 0 is no limit. One of a submission's
	// quotas may have it.
	Pending int
}

// SubjectOfCaller returns the subject of what a caller sends.
func SubjectOfCaller(name string) string { return "caller " + name }

// ofSigner begins what SubjectOfSigner returns, and nothing else.
const ofSigner = "signer sha256:"

// SubjectOfSigner returns the subject of what a key has signed, whoever sends it. The SHA-256 of the SPKI names the key.
func SubjectOfSigner(signer [32]byte) string { return fmt.Sprintf("%s%x", ofSigner, signer) }

// The kinds of limits in a Quota.
const (
	QuotaSubmissions = "submissions"
	QuotaBytes       = "bytes"
	QuotaPending     = "pending"
)

// QuotaError says that a new submission would be more than a quota leaves. Nothing was stored, nor counted.
type QuotaError struct {
	Subject string
	Kind    string // QuotaSubmissions, QuotaBytes or QuotaPending
	Limit   int64
	// RetryAfter is how long it takes until the day has ended; of QuotaPending it is a guess.
	RetryAfter time.Duration
}

// IsOfSigner reports whether the subject is a signer, and not a caller.
func (e *QuotaError) IsOfSigner() bool { return strings.HasPrefix(e.Subject, ofSigner) }

// Error names the quota.
func (e *QuotaError) Error() string {
	return fmt.Sprintf("the quota of %d %s is used up by %s", e.Limit, e.Kind, e.Subject)
}

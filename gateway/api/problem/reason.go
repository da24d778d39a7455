// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// Reasons that the surface itself gives; the formats' and the domain's are declared there.
const (
	ReasonMalformedRequest formats.Reason = "MALFORMED_REQUEST"
	ReasonNotFound         formats.Reason = "NOT_FOUND"
	ReasonNotLogged        formats.Reason = "NOT_LOGGED_YET"
	ReasonQueueFull        formats.Reason = "QUEUE_FULL"
	ReasonShuttingDown     formats.Reason = "SHUTTING_DOWN"
	ReasonNotStored        formats.Reason = "NOT_STORED"
	ReasonStoreUnavailable formats.Reason = "STORE_UNAVAILABLE"
	ReasonBusy             formats.Reason = "BUSY"
	ReasonDiskLow          formats.Reason = "DISK_LOW"
	ReasonSpoolFull        formats.Reason = "SPOOL_FULL"
	ReasonMemoryFull       formats.Reason = "MEMORY_FULL"
	ReasonTimeout          formats.Reason = "REQUEST_TIMEOUT"
	ReasonCancelled        formats.Reason = "REQUEST_CANCELLED"
	ReasonHostNotAllowed   formats.Reason = "HOST_NOT_ALLOWED"
	ReasonCrossOrigin      formats.Reason = "CROSS_ORIGIN_REQUEST"
	ReasonRateLimited      formats.Reason = "RATE_LIMITED"
	ReasonUnauthenticated  formats.Reason = "UNAUTHENTICATED"
	ReasonForbidden        formats.Reason = "FORBIDDEN"
	ReasonQuotaExceeded    formats.Reason = "QUOTA_EXCEEDED"
	ReasonAuditUnavailable formats.Reason = "AUDIT_UNAVAILABLE"
	ReasonInternal         formats.Reason = "INTERNAL"

	ReasonLimiterUnavailable formats.Reason = "LIMITER_UNAVAILABLE"
	ReasonIssuerUnavailable  formats.Reason = "ISSUER_UNAVAILABLE"
	ReasonNotLoggedInTime    formats.Reason = "NOT_LOGGED_IN_TIME"

	// Problems of entries that are answers' reasons, too.
	ReasonLogRefused = formats.Reason(gateway.ProblemRefused)
	ReasonLogForked  = formats.Reason(gateway.ProblemFork)
)

// row has the status, code, field and retry time of a reason.
type row struct {
	status     int // HTTP
	code       codes.Code
	field      string        // of the request that BadRequest details name; "" is none
	retryAfter time.Duration // 0: do not say
}

// withField returns r with the field it is about.
func (r row) withField(field string) row { r.field = field; return r }

// withRetryAfter returns r with the time to wait before the same is sent again.
func (r row) withRetryAfter(d time.Duration) row { r.retryAfter = d; return r }

// The kinds of answers. 499 is nginx's: the client is gone and reads no answer.
var (
	badRequest   = row{status: http.StatusBadRequest, code: codes.InvalidArgument}             // no proper request
	tooLarge     = row{status: http.StatusRequestEntityTooLarge, code: codes.InvalidArgument}  // over a size limit
	unknownKind  = row{status: http.StatusUnsupportedMediaType, code: codes.InvalidArgument}   // no format of ours
	refused      = row{status: http.StatusUnprocessableEntity, code: codes.FailedPrecondition} // a proper request, and no
	conflict     = row{status: http.StatusConflict, code: codes.FailedPrecondition}            // not in this state
	unknown      = row{status: http.StatusUnauthorized, code: codes.Unauthenticated}           // who is it
	forbidden    = row{status: http.StatusForbidden, code: codes.PermissionDenied}             // not from there, or not by him
	misdirected  = row{status: http.StatusMisdirectedRequest, code: codes.PermissionDenied}    // not under this name
	notFound     = row{status: http.StatusNotFound, code: codes.NotFound}                      // none, or somebody else's
	limited      = row{status: http.StatusTooManyRequests, code: codes.ResourceExhausted}      // RateLimited says how long
	timedOut     = row{status: http.StatusRequestTimeout, code: codes.DeadlineExceeded}        // the client was too slow
	cancelled    = row{status: 499, code: codes.Canceled}                                      // by the client
	badUpstream  = row{status: http.StatusBadGateway, code: codes.Aborted}                     // the log said no
	unavailable  = row{status: http.StatusServiceUnavailable, code: codes.Unavailable}         // not now
	failed       = row{status: http.StatusInternalServerError, code: codes.Internal}           // our fault
	notLoggedNow = unavailable.withRetryAfter(10 * time.Second)                                // setbacks of entries
)

// rows has one row for every reason; the compiler refuses a second one, a test finds what is
// missing. Reasons of receipts are given by offline verification: no route answers with one yet.
var rows = map[formats.Reason]row{
	// No proper request.
	ReasonMalformedRequest:           badRequest,
	gateway.ReasonMalformedLabel:     badRequest.withField("labels"),
	formats.ReasonMalformedDigest:    badRequest.withField("digest"),
	formats.ReasonMalformedSignature: badRequest.withField("signature"),
	formats.ReasonMalformedKey:       badRequest.withField("keys"),
	formats.ReasonMissingSignature:   badRequest.withField("signature"),
	formats.ReasonMissingKey:         badRequest.withField("keys"),
	formats.ReasonMissingArtifact:    badRequest.withField("artifact"),
	formats.ReasonTooLarge:           tooLarge,
	formats.ReasonUnknownFormat:      unknownKind.withField("format"),
	formats.ReasonWrongFormat:        unknownKind.withField("format"),
	container.ReasonUnknownContainer: badRequest, container.ReasonMalformedContainer: badRequest,

	// A proper request whose signature, key or artifact is refused.
	formats.ReasonSecretKey:             refused.withField("keys"),
	formats.ReasonNeedsBytes:            refused,
	formats.ReasonWrongDigestAlgorithm:  refused,
	formats.ReasonArtifactNotExpected:   refused,
	formats.ReasonTrailingData:          refused,
	formats.ReasonTooMuchWork:           refused,
	formats.ReasonMultipleSignatures:    refused,
	formats.ReasonNoSignature:           refused,
	formats.ReasonSignatureInvalid:      refused,
	formats.ReasonArtifactMismatch:      refused,
	formats.ReasonKeyMismatch:           refused,
	formats.ReasonKeyNotTrusted:         refused,
	formats.ReasonKeyExpired:            refused,
	formats.ReasonKeyRevoked:            refused,
	formats.ReasonKeyNotValid:           refused,
	formats.ReasonForbiddenSigner:       refused,
	formats.ReasonWeakAlgorithm:         refused,
	formats.ReasonUnsupportedAlgorithm:  refused,
	formats.ReasonUnsupportedVersion:    refused,
	formats.ReasonUnsupportedSignature:  refused,
	formats.ReasonUnsupportedFeature:    refused,
	formats.ReasonSignatureInFuture:     refused,
	formats.ReasonSignatureExpired:      refused,
	formats.ReasonNamespaceRefused:      refused,
	formats.ReasonProtocolConfusion:     refused,
	formats.ReasonThresholdNotMet:       refused,
	formats.ReasonNotAuthorized:         refused,
	formats.ReasonMetadataExpired:       refused,
	formats.ReasonAlgorithmNotLoggable:  refused,
	formats.ReasonNotProjectable:        refused,
	formats.ReasonAttestationOff:        refused,
	formats.ReasonRepresentationRefused: refused,
	formats.ReasonFormatNotAllowed:      refused,
	formats.ReasonNotAllowedHere:        refused,
	container.ReasonContainerTooDense:   refused,
	container.ReasonContainerTooSlow:    refused,
	gateway.ReasonNoCertificate:         refused,
	gateway.ReasonWayNotAllowed:         refused,
	gateway.ReasonPublicationNotAllowed: refused,

	// Who asks, for what, how often.
	ReasonNotFound:        notFound,
	ReasonNotLogged:       conflict,
	ReasonUnauthenticated: unknown,
	ReasonForbidden:       forbidden,
	ReasonCrossOrigin:     forbidden,
	ReasonHostNotAllowed:  misdirected,
	ReasonRateLimited:     limited,
	ReasonQuotaExceeded:   limited,
	ReasonTimeout:         timedOut,
	ReasonCancelled:       cancelled,

	// The gateway and the log.
	ReasonQueueFull:                            unavailable.withRetryAfter(10 * time.Second),
	ReasonNotStored:                            unavailable.withRetryAfter(10 * time.Second),
	ReasonStoreUnavailable:                     unavailable.withRetryAfter(10 * time.Second),
	ReasonBusy:                                 unavailable.withRetryAfter(10 * time.Second),
	ReasonMemoryFull:                           unavailable.withRetryAfter(10 * time.Second),
	ReasonLimiterUnavailable:                   unavailable.withRetryAfter(5 * time.Second),
	ReasonIssuerUnavailable:                    unavailable.withRetryAfter(10 * time.Second),
	ReasonAuditUnavailable:                     unavailable.withRetryAfter(30 * time.Second),
	ReasonDiskLow:                              unavailable.withRetryAfter(time.Minute),
	ReasonSpoolFull:                            unavailable.withRetryAfter(30 * time.Second),
	ReasonShuttingDown:                         unavailable.withRetryAfter(5 * time.Second),
	ReasonNotLoggedInTime:                      unavailable.withRetryAfter(10 * time.Second),
	ReasonLogForked:                            unavailable.withRetryAfter(time.Hour),
	ReasonLogRefused:                           badUpstream,
	ReasonInternal:                             failed,
	formats.Reason(gateway.ProblemForbidden):   notLoggedNow,
	formats.Reason(gateway.ProblemOverloaded):  notLoggedNow,
	formats.Reason(gateway.ProblemUnavailable): notLoggedNow,
	formats.Reason(gateway.ProblemBadAnswer):   notLoggedNow,
	formats.Reason(gateway.ProblemUnknown):     notLoggedNow,
	formats.Reason(gateway.ProblemStalled):     notLoggedNow,
	formats.Reason(gateway.ProblemRetired):     badUpstream,
	formats.Reason(gateway.ProblemUnreadable):  notLoggedNow,

	// Receipts.
	receipt.ReasonMalformedReceipt:  refused,
	receipt.ReasonNoExpectedSigner:  refused,
	receipt.ReasonSignerMismatch:    refused,
	receipt.ReasonHistoricalRefused: refused,
	receipt.ReasonClaimMismatch:     refused,
	receipt.ReasonEntryMismatch:     refused,
	receipt.ReasonEntriesMissing:    refused,
	receipt.ReasonUnknownLog:        refused,
	receipt.ReasonCheckpointInvalid: refused,
	receipt.ReasonProofInvalid:      refused,
	receipt.ReasonNoGatewayTrust:    refused,
	receipt.ReasonNoAnchor:          refused,
	receipt.ReasonAnchorMismatch:    refused,
	receipt.ReasonQuorumNotMet:      refused,
	receipt.ReasonUnknownGatewayKey: refused,
	receipt.ReasonRetiredGatewayKey: refused,
	receipt.ReasonStatementInvalid:  refused,
	receipt.ReasonStatementMismatch: refused,
	receipt.ReasonExportNotPossible: refused,
}

// Reasons returns every reason that has a row, sorted.
func Reasons() []formats.Reason { return slices.Sorted(maps.Keys(rows)) }

// IsReason reports whether r has a row.
func IsReason(r formats.Reason) bool {
	_, ok := rows[r]
	return ok
}

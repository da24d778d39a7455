// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// Problem is an error as callers see it. Message and Hint are one line each, without internals.
type Problem struct {
	Status     int // HTTP
	Code       codes.Code
	Reason     formats.Reason
	Message    string
	Hint       string        // "" is none
	Field      string        // of the request; "" is none
	RetryAfter time.Duration // before the same is sent again; 0: not said
}

// ErrSpoolFull is what the surface itself runs out of. It is matched with errors.Is.
var ErrSpoolFull = errors.New("spool is full")

// ErrUncounted refuses a request that cannot be counted against its caller's limit. It is matched with errors.Is.
var ErrUncounted = errors.New("the rate limit does not work")

// sentinels are the domain's errors that are not *formats.Error, with the reason and words for callers.
var sentinels = []struct {
	err           error
	reason        formats.Reason
	message, hint string
}{
	{gateway.ErrNotFound, ReasonNotFound, "there is no such submission", "check the id; submissions of other callers are not shown"},
	{gateway.ErrBadPageToken, ReasonMalformedRequest, "the page token is not one of ours", "pass on nextPageToken as it was"},
	{gateway.ErrQueueFull, ReasonQueueFull, "the gateway has accepted as much as it can hold", "send it again later"},
	{gateway.ErrFork, ReasonLogForked, "the transparency log contradicts itself; nothing is submitted to it", "tell the gateway's operator"},
	{gateway.ErrClosed, ReasonShuttingDown, "the gateway is shutting down", "send it again"},
	{gateway.ErrNotStored, ReasonNotStored, "the gateway could not store this", "send it again later; the gateway's log says why"},
	{gateway.ErrStoreUnavailable, ReasonStoreUnavailable, "the gateway's store cannot be read or written now", "send it again later; the gateway's log says why"},
	{gateway.ErrBusy, ReasonBusy, "the gateway has as much to do as it can", "send it again later"},
	{gateway.ErrNoPolicy, ReasonForbidden, "this caller may not do that any more", "ask the gateway's operator"},
	{gateway.ErrDiskLow, ReasonDiskLow, "the gateway has too little space left to take this", "send it again later; its operator has to make room"},
	{gateway.ErrAuditFailing, ReasonAuditUnavailable, "the gateway cannot write its audit trail", "send it again later; its operator has to mend that"},
	{ErrSpoolFull, ReasonSpoolFull, "the gateway holds as many artifacts as it can", "send the artifact as the last part, or send it again later"},
	{ErrUncounted, ReasonLimiterUnavailable, "the gateway cannot count requests now, and takes none", "send it again later; its operator has to mend that"},
	{gateway.ErrMemoryFull, ReasonMemoryFull, "the gateway holds as many requests as it can", "send it again later"},
	{context.DeadlineExceeded, ReasonTimeout, "the request took too long", "send it again"},
	{context.Canceled, ReasonCancelled, "the request was cancelled", ""},
}

// FromError returns what callers see of err, which is not nil.
func FromError(err error) Problem {
	var refusal *formats.Error
	if errors.As(err, &refusal) {
		return newProblem(refusal.Reason, refusal.Message, refusal.Hint)
	}
	var limited *limitedError
	if errors.As(err, &limited) {
		return limited.problem()
	}
	var quota *gateway.QuotaError
	if errors.As(err, &quota) {
		return quotaExceeded(quota)
	}
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return newProblem(formats.ReasonTooLarge, "the request is larger than this gateway takes",
			"send a digest in place of the artifact, as rekor-gateway submit does without --send-bytes where one is enough")
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return newProblem(s.reason, s.message, s.hint)
		}
	}
	if s, ok := status.FromError(err); ok && (s.Code() == codes.Canceled || s.Code() == codes.DeadlineExceeded) {
		return FromError(context.Canceled) // a gRPC stream's own error: its client is gone
	}
	return Internal()
}

// newProblem looks the reason up. One that has no row is INTERNAL.
func newProblem(reason formats.Reason, message, hint string) Problem {
	r, ok := rows[reason]
	if !ok {
		return Internal()
	}
	return Problem{
		Status: r.status, Code: r.code, Reason: reason, Message: message, Hint: hint, Field: r.field, RetryAfter: r.retryAfter,
	}
}

// Internal is the answer to what is the gateway's own fault. It says nothing of the cause.
func Internal() Problem {
	return Problem{
		Status: failed.status, Code: failed.code, Reason: ReasonInternal,
		Message: "the gateway could not do this", Hint: "the gateway's log says why",
	}
}

// RateLimited is the answer to a caller who has to wait.
func RateLimited(wait time.Duration) Problem {
	p := newProblem(ReasonRateLimited, "there are too many requests from this caller", "wait as long as Retry-After or RetryInfo says")
	p.RetryAfter = wait
	return p
}

// quotaMessages are by the kind of quota, with its limit, and who has used it up.
var quotaMessages = map[string]string{
	gateway.QuotaSubmissions: "no more than %d new submissions a day are taken of this %s",
	gateway.QuotaBytes:       "no more than %d bytes a day are stored for this %s",
	gateway.QuotaPending:     "no more than %d submissions may wait for the log of this %s",
}

// quotaExceeded is the answer to a caller who has used up a quota.
func quotaExceeded(e *gateway.QuotaError) Problem {
	whose, hint := "caller", "send it again tomorrow (UTC), as Retry-After or RetryInfo says; what was accepted before can be sent at any time"
	if e.IsOfSigner() {
		whose = "signer"
	}
	if e.Kind == gateway.QuotaPending {
		hint = "send it again once some of what waits is logged"
	}
	p := newProblem(ReasonQuotaExceeded, fmt.Sprintf(quotaMessages[e.Kind], e.Limit, whose), hint)
	p.RetryAfter = e.RetryAfter
	return p
}

// limitedError is the refusal of a caller who has to wait.
type limitedError struct {
	wait   time.Duration
	atOnce bool
	reads  bool
}

func (e *limitedError) Error() string { return e.problem().Message }

func (e *limitedError) problem() Problem {
	p := RateLimited(e.wait)
	if e.atOnce {
		p.Message = "too many requests of this caller are under way at once"
		p.Hint = "let one end before the next is sent; those that wait for the log count"
	}
	if e.reads {
		p.Message = "the log is read as often as the gateway may read it, for all callers together"
	}
	return p
}

// LimitedError returns an error that FromError makes RateLimited(wait) of.
func LimitedError(wait time.Duration) error { return &limitedError{wait: wait} }

// AtOnceError is LimitedError for a caller who has too many requests under way, whatever their rate.
func AtOnceError(wait time.Duration) error { return &limitedError{wait: wait, atOnce: true} }

// LogReadsError is LimitedError where the log has been read as often as it may be.
func LogReadsError(wait time.Duration) error { return &limitedError{wait: wait, reads: true} }

// NoSuchPath is the answer where nothing is served.
func NoSuchPath() Problem {
	return newProblem(ReasonNotFound, "there is nothing here", "see /openapi.json")
}

// WrongMethod is the answer where only the allowed HTTP methods are served. It is the one problem
// whose status is not its reason's.
func WrongMethod(allowed []string) Problem {
	p := newProblem(ReasonMalformedRequest, "this path does not take this method", "use "+strings.Join(allowed, " or "))
	p.Status = http.StatusMethodNotAllowed
	return p
}

// Malformed returns the refusal of what is no proper request.
func Malformed(message, hint string) error {
	return formats.NewError(ReasonMalformedRequest, message, hint)
}

// HasCause reports whether callers are not told the cause of p, err, and the operator is. A panic was told already.
func (p Problem) HasCause(err error) bool {
	return (p.Reason == ReasonInternal || p.Reason == ReasonNotStored) && !errors.Is(err, panics.Err)
}

// LogCause tells the operator the cause of p, err, if p has one.
func (p Problem) LogCause(ctx context.Context, l *slog.Logger, err error, where ...any) {
	if p.HasCause(err) {
		l.Error("request failed", append(where, "request", gateway.RequestID(ctx), "error", err)...)
	}
}

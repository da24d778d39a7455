// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// answers is what each reason looks like from outside: the contract, written down a second time.
// Everything that is not here is "422 FailedPrecondition".
var answers = map[string]string{
	"400 InvalidArgument": `MALFORMED_REQUEST MALFORMED_LABEL MALFORMED_DIGEST MALFORMED_SIGNATURE MALFORMED_KEY
		MISSING_SIGNATURE MISSING_KEY MISSING_ARTIFACT UNKNOWN_CONTAINER MALFORMED_CONTAINER`,
	"401 Unauthenticated":    "UNAUTHENTICATED",
	"403 PermissionDenied":   "CROSS_ORIGIN_REQUEST FORBIDDEN",
	"404 NotFound":           "NOT_FOUND",
	"408 DeadlineExceeded":   "REQUEST_TIMEOUT",
	"409 FailedPrecondition": "NOT_LOGGED_YET",
	"413 InvalidArgument":    "TOO_LARGE",
	"415 InvalidArgument":    "UNKNOWN_FORMAT WRONG_FORMAT",
	"421 PermissionDenied":   "HOST_NOT_ALLOWED",
	"429 ResourceExhausted":  "RATE_LIMITED QUOTA_EXCEEDED",
	"499 Canceled":           "REQUEST_CANCELLED",
	"500 Internal":           "INTERNAL",
	"502 Aborted":            "LOG_REFUSED LOG_RETIRED",
	"503 Unavailable": `QUEUE_FULL NOT_STORED STORE_UNAVAILABLE BUSY DISK_LOW AUDIT_UNAVAILABLE ISSUER_UNAVAILABLE LIMITER_UNAVAILABLE MEMORY_FULL SPOOL_FULL SHUTTING_DOWN NOT_LOGGED_IN_TIME LOG_FORKED
		LOG_FORBIDDEN LOG_OVERLOADED LOG_UNAVAILABLE LOG_ANSWER_INVALID OUTCOME_UNKNOWN LOG_STALLED STORED_ENTRY_UNREADABLE`,
}

func wantAnswer(reason formats.Reason) string {
	for answer, reasons := range answers {
		for _, r := range strings.Fields(reasons) {
			if r == string(reason) {
				return answer
			}
		}
	}
	return "422 FailedPrecondition"
}

// TestEveryReason walks every reason through HTTP and gRPC.
func TestEveryReason(t *testing.T) {
	for _, reason := range Reasons() {
		t.Run(string(reason), func(t *testing.T) {
			p := FromError(fmt.Errorf("wrapped: %w", formats.NewError(reason, "what is wrong", "what to do")))
			switch reason {
			case ReasonRateLimited:
				p.RetryAfter = RateLimited(90 * time.Second).RetryAfter
			case ReasonQuotaExceeded:
				p.RetryAfter = FromError(&gateway.QuotaError{Kind: gateway.QuotaBytes, RetryAfter: time.Hour}).RetryAfter
			}
			checkHTTP(t, p, reason)
			checkGRPC(t, p, reason)
			if (p.Status == 429 || p.Status == 503) != (p.RetryAfter > 0) {
				t.Errorf("status %d, retry after %v", p.Status, p.RetryAfter)
			}
		})
	}
}

func checkHTTP(t *testing.T, p Problem, reason formats.Reason) {
	t.Helper()
	w := httptest.NewRecorder()
	p.WriteHTTP(w)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	var wantStatus int
	_, _ = fmt.Sscan(wantAnswer(reason), &wantStatus)
	want := map[string]any{
		"title": http.StatusText(wantStatus), "status": float64(wantStatus), "reason": string(reason),
		"detail": "what is wrong", "hint": "what to do",
	}
	if w.Code != wantStatus || fmt.Sprint(body) != fmt.Sprint(want) {
		t.Errorf("HTTP %d %v, want %d %v", w.Code, body, wantStatus, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" || strings.Count(w.Body.String(), "\n") != 1 {
		t.Errorf("%s: %q", got, w.Body)
	}
	if got := w.Header().Get("Retry-After"); (got != "") != (p.RetryAfter > 0) {
		t.Errorf("Retry-After %q, want %v", got, p.RetryAfter)
	}
	if got := HTTPReason(w.Header(), w.Body.Bytes()); got != string(reason) {
		t.Errorf("read back as %q", got)
	}
}

func checkGRPC(t *testing.T, p Problem, reason formats.Reason) {
	t.Helper()
	err := p.GRPCError()
	s := status.Convert(err)
	if _, want, _ := strings.Cut(wantAnswer(reason), " "); s.Code().String() != want || s.Message() != "what is wrong" {
		t.Errorf("gRPC %v: %q, want %s", s.Code(), s.Message(), want)
	}
	if got := GRPCReason(err); got != string(reason) {
		t.Errorf("ErrorInfo reason %q", got)
	}
	var hint, field string
	var wait time.Duration
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			hint = d.GetMetadata()["hint"]
		case *errdetails.BadRequest:
			field = d.GetFieldViolations()[0].GetField()
		case *errdetails.RetryInfo:
			wait = d.GetRetryDelay().AsDuration()
		}
	}
	if hint != "what to do" || field != p.Field || wait != p.RetryAfter {
		t.Errorf("hint %q, field %q, wait %v", hint, field, wait)
	}
}

func TestFields(t *testing.T) {
	for reason, want := range map[formats.Reason]string{
		formats.ReasonMissingSignature: "signature", formats.ReasonMalformedSignature: "signature",
		formats.ReasonMissingKey: "keys", formats.ReasonMalformedKey: "keys", formats.ReasonSecretKey: "keys",
		formats.ReasonMalformedDigest: "digest", formats.ReasonMissingArtifact: "artifact",
		formats.ReasonUnknownFormat: "format", formats.ReasonWrongFormat: "format",
		gateway.ReasonMalformedLabel: "labels", formats.ReasonWeakAlgorithm: "", ReasonMalformedRequest: "",
	} {
		if got := FromError(formats.NewError(reason, "m", "h")).Field; got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		reason formats.Reason
	}{
		"unknown error":           {errors.New("disk /dev/sda is on fire"), 500, "INTERNAL"},
		"unknown reason":          {formats.NewError("NEW_IN_A_PLUGIN", "m", "h"), 500, "INTERNAL"},
		"body over its limit":     {&http.MaxBytesError{Limit: 1}, 413, "TOO_LARGE"},
		"not found":               {fmt.Errorf("reading: %w", gateway.ErrNotFound), 404, "NOT_FOUND"},
		"page token":              {gateway.ErrBadPageToken, 400, "MALFORMED_REQUEST"},
		"queue":                   {gateway.ErrQueueFull, 503, "QUEUE_FULL"},
		"fork":                    {gateway.ErrFork, 503, "LOG_FORKED"},
		"closed":                  {gateway.ErrClosed, 503, "SHUTTING_DOWN"},
		"not stored":              {fmt.Errorf("%w: disk is full", gateway.ErrNotStored), 503, "NOT_STORED"},
		"busy":                    {gateway.ErrBusy, 503, "BUSY"},
		"uncounted":               {ErrUncounted, 503, "LIMITER_UNAVAILABLE"},
		"disk low":                {gateway.ErrDiskLow, 503, "DISK_LOW"},
		"store":                   {gateway.ErrStoreUnavailable, 503, "STORE_UNAVAILABLE"},
		"spool":                   {ErrSpoolFull, 503, "SPOOL_FULL"},
		"memory":                  {gateway.ErrMemoryFull, 503, "MEMORY_FULL"},
		"deadline":                {errors.Join(context.DeadlineExceeded, errors.New("i/o timeout")), 408, "REQUEST_TIMEOUT"},
		"cancelled":               {context.Canceled, 499, "REQUEST_CANCELLED"},
		"stream of a gone client": {status.Error(codes.Canceled, "context canceled"), 499, "REQUEST_CANCELLED"},
		"another status":          {status.Error(codes.DataLoss, "secret"), 500, "INTERNAL"},
		"refusal beside sentinel": {formats.WrapError(gateway.ErrBusy, formats.ReasonWeakAlgorithm, "m", "h"), 422, "WEAK_ALGORITHM"},
	} {
		t.Run(name, func(t *testing.T) {
			p := FromError(c.err)
			if p.Status != c.status || p.Reason != c.reason || p.Message == "" {
				t.Errorf("%+v, want %d %s", p, c.status, c.reason)
			}
			if strings.Contains(p.Message+p.Hint, "disk ") || strings.Contains(p.Message, "secret") {
				t.Errorf("internals are told: %+v", p)
			}
		})
	}
}

func TestPathsMethodsLimits(t *testing.T) {
	if p := NoSuchPath(); p.Status != 404 || p.Reason != ReasonNotFound {
		t.Errorf("%+v", p)
	}
	if p := WrongMethod([]string{"GET", "POST"}); p.Status != 405 || p.Reason != ReasonMalformedRequest || p.Hint != "use GET or POST" {
		t.Errorf("%+v", p)
	}
	w := httptest.NewRecorder()
	RateLimited(1200 * time.Millisecond).WriteHTTP(w)
	if got := w.Header().Get("Retry-After"); w.Code != 429 || got != "2" {
		t.Errorf("%d, Retry-After %q", w.Code, got)
	}
	if got := HTTPReason(http.Header{"Content-Type": {"application/json"}}, []byte(`{"reason":"X"}`)); got != "" {
		t.Errorf("a reason %q in an answer that is no problem", got)
	}
}

// Only what callers are not told is in the log.
func TestLogCause(t *testing.T) {
	for err, want := range map[error]bool{
		(formats.Policy{Keys: map[string][][]byte{"pgp": {nil}}}).ExplainKeys("pgp", formats.NewError(formats.ReasonMalformedKey, "the cause", "")): true,
		errors.New("the cause"): true, fmt.Errorf("%w: the cause", gateway.ErrNotStored): true,
		formats.NewError("NOT_IN_THE_TABLE", "the cause", ""):          true,
		formats.NewError(formats.ReasonWeakAlgorithm, "the cause", ""): false, gateway.ErrNotFound: false,
	} {
		var log bytes.Buffer
		FromError(err).LogCause(gateway.WithRequestID(t.Context(), "r1"), slog.New(slog.NewTextHandler(&log, nil)), err, "route", "r")
		if got := strings.Contains(log.String(), "the cause"); got != want {
			t.Errorf("%v is logged: %v\n%s", err, got, &log)
		}
	}
}

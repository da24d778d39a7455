// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// maxRetryAfter bounds what a log may ask for.
const maxRetryAfter = 10 * time.Minute

// mapStatus maps the status of a call that was sent to the errors of gateway.Log's Add. Only a status
// that certainly means "not logged" gets a named error; the rest is an unknown outcome.
func mapStatus(err error, md metadata.MD) error {
	s := status.Convert(err)
	if code, ok := httpStatus(s); ok {
		return mapHTTPStatus(code, err, md)
	}
	switch s.Code() {
	case codes.InvalidArgument:
		return fmt.Errorf("%w: %w", gateway.ErrRefused, err)
	case codes.Unauthenticated, codes.PermissionDenied:
		return fmt.Errorf("%w: %w", gateway.ErrForbidden, err)
	case codes.ResourceExhausted:
		// The client library uses this code, too, for an answer that is too long.
		if !strings.HasPrefix(s.Message(), "grpc: ") {
			return readOverload(s, md)
		}
	case codes.Unavailable:
		// Also what a lost connection looks like; a log that pushes back says so.
		if _, ok := retryInfo(s); ok || strings.Contains(s.Message(), "pushback") {
			return readOverload(s, md)
		}
	case codes.Unimplemented, codes.FailedPrecondition:
		// A frozen log, or no log there. Another shard may take the entry.
		return fmt.Errorf("%w: %w: %w", gateway.ErrNotSent, gateway.ErrUnavailable, err)
	}
	return fmt.Errorf("outcome unknown: %w", err)
}

// shortenStatus returns err with at most maxMessage bytes of a status' message: a log must not fill the gateway's.
func shortenStatus(err error) error {
	s, ok := status.FromError(err)
	if !ok || len(s.Message()) <= maxMessage {
		return err
	}
	short := s.Proto()
	short.Message = strings.ToValidUTF8(short.GetMessage()[:maxMessage], "") + "…"
	return status.FromProto(short).Err()
}

// httpStatus returns the HTTP status where there was an answer that is not gRPC. The client library
// keeps it in its message alone; a test holds that to be so.
func httpStatus(s *status.Status) (int, bool) {
	rest, ok := strings.CutPrefix(s.Message(), "unexpected HTTP status code received from server: ")
	if !ok {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, " ")
	code, err := strconv.Atoi(digits)
	return code, err == nil
}

// mapHTTPStatus maps the answer of what stands before the log, a proxy, as mapStatus does the log's.
// It says nothing of the entry, so that the entry waits also where a log's refusal would be final.
func mapHTTPStatus(code int, err error, md metadata.MD) error {
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: %w", gateway.ErrForbidden, err)
	case http.StatusTooManyRequests:
		return readOverload(status.Convert(err), md)
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %w: %w", gateway.ErrNotSent, gateway.ErrUnavailable, err)
	}
	return fmt.Errorf("outcome unknown: %w", err)
}

func readOverload(s *status.Status, md metadata.MD) error {
	wait, ok := retryInfo(s)
	if !ok {
		wait = retryAfter(md)
	}
	return &gateway.OverloadError{RetryAfter: min(max(wait, 0), maxRetryAfter)}
}

// retryInfo returns the delay in the status' details.
func retryInfo(s *status.Status) (time.Duration, bool) {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// retryAfter returns the delay in the metadata: seconds, as HTTP has it, or the milliseconds
// of gRPC's own push-back.
func retryAfter(md metadata.MD) time.Duration {
	for key, unit := range map[string]time.Duration{"retry-after": time.Second, "grpc-retry-pushback-ms": time.Millisecond} {
		for _, value := range md.Get(key) {
			if n, err := strconv.ParseUint(value, 10, 31); err == nil {
				return time.Duration(n) * unit
			}
		}
	}
	return 0
}

// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// errorDomain is the ErrorInfo domain of every gRPC error.
const errorDomain = "rekor-gateway"

// requestIDKey is where a request's id stands in ErrorInfo metadata.
const requestIDKey = "request_id"

// GRPCError returns p as a status with ErrorInfo, and with BadRequest or RetryInfo where p has a
// field or a time to wait.
func (p Problem) GRPCError() error {
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: string(p.Reason), Domain: errorDomain, Metadata: map[string]string{"hint": p.Hint},
	}}
	if p.Field != "" {
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: p.Field, Description: p.Message, Reason: string(p.Reason)},
		}})
	}
	if p.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(p.RetryAfter)})
	}
	s := status.New(p.Code, p.Message)
	if detailed, err := s.WithDetails(details...); err == nil {
		s = detailed
	}
	return s.Err()
}

// WithRequestID returns the status err with the request's id in its ErrorInfo, which it gets where it
// has none. A nil err stays nil.
func WithRequestID(err error, id string) error {
	if err == nil {
		return nil
	}
	s := status.Convert(err)
	var details []protoadapt.MessageV1
	info := &errdetails.ErrorInfo{Domain: errorDomain}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			info = d
		case protoadapt.MessageV1:
			details = append(details, d)
		}
	}
	if info.Metadata == nil {
		info.Metadata = map[string]string{}
	}
	info.Metadata[requestIDKey] = id
	out := status.New(s.Code(), s.Message())
	if detailed, derr := out.WithDetails(append([]protoadapt.MessageV1{info}, details...)...); derr == nil {
		out = detailed
	}
	return out.Err()
}

// GRPCReason returns the ErrorInfo reason in err, or "".
func GRPCReason(err error) string { return findInfo(err).GetReason() }

// GRPCRequestID returns the request's id in the ErrorInfo of err, or "".
func GRPCRequestID(err error) string { return findInfo(err).GetMetadata()[requestIDKey] }

// findInfo returns the ErrorInfo in err, or nil.
func findInfo(err error) *errdetails.ErrorInfo {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

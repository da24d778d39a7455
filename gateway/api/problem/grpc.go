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

// GRPCReason returns the ErrorInfo reason in err, or "".
func GRPCReason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

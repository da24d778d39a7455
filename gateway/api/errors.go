// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Reasons that the surface itself gives; the formats' and the domain's are theirs.
const (
	ReasonMalformedRequest formats.Reason = "MALFORMED_REQUEST"
	ReasonNotFound         formats.Reason = "NOT_FOUND"
	ReasonNotLogged        formats.Reason = "NOT_LOGGED_YET"
	ReasonQueueFull        formats.Reason = "QUEUE_FULL"
	ReasonLogForked        formats.Reason = "LOG_FORKED"
	ReasonShuttingDown     formats.Reason = "SHUTTING_DOWN"
	ReasonNotStored        formats.Reason = "NOT_STORED"
	ReasonBusy             formats.Reason = "BUSY"
	ReasonMemoryFull       formats.Reason = "MEMORY_FULL"
	ReasonTimeout          formats.Reason = "REQUEST_TIMEOUT"
	ReasonCancelled        formats.Reason = "REQUEST_CANCELLED"
	ReasonInternal         formats.Reason = "INTERNAL"
)

// errorDomain is the ErrorInfo domain of every gRPC error.
const errorDomain = "rekor-gateway"

// problem is an error as callers see it.
type problem struct {
	status     int // HTTP
	code       codes.Code
	reason     formats.Reason
	message    string
	hint       string
	retryAfter time.Duration // 0: do not say
}

func malformed(message, hint string) error {
	return formats.NewError(ReasonMalformedRequest, message, hint)
}

// fixed are the domain's sentinels and what callers are told of them.
var fixed = []struct {
	err error
	problem
}{
	{gateway.ErrNotFound, problem{http.StatusNotFound, codes.NotFound, ReasonNotFound,
		"there is no such submission", "check the id; submissions of other callers are not shown", 0}},
	{gateway.ErrBadPageToken, problem{http.StatusBadRequest, codes.InvalidArgument, ReasonMalformedRequest,
		"the page token is not one of ours", "pass on nextPageToken as it was", 0}},
	{gateway.ErrQueueFull, problem{http.StatusServiceUnavailable, codes.Unavailable, ReasonQueueFull,
		"the gateway has accepted as much as it can hold", "send it again later", 10 * time.Second}},
	{gateway.ErrFork, problem{http.StatusServiceUnavailable, codes.Unavailable, ReasonLogForked,
		"the transparency log contradicts itself; nothing is submitted to it", "tell the gateway's operator", time.Hour}},
	{gateway.ErrClosed, problem{http.StatusServiceUnavailable, codes.Unavailable, ReasonShuttingDown,
		"the gateway is shutting down", "send it again", 5 * time.Second}},
	{gateway.ErrNotStored, problem{http.StatusServiceUnavailable, codes.Unavailable, ReasonNotStored,
		"the gateway could not store this", "send it again later; the gateway's log says why", 10 * time.Second}},
	{errSpoolFull, problem{http.StatusServiceUnavailable, codes.Unavailable, ReasonSpoolFull,
		"the gateway holds as many artifacts as it can", "send the artifact as the last part, or send it again later", 30 * time.Second}},
	{gateway.ErrBusy, problem{http.StatusServiceUnavailable, codes.Unavailable, ReasonBusy,
		"the gateway decompresses as much as it can", "send it again later", 10 * time.Second}},
	{errMemoryFull, problem{http.StatusServiceUnavailable, codes.Unavailable, ReasonMemoryFull,
		"the gateway holds as much JSON as it can", "send it as multipart/form-data, or send it again later", 10 * time.Second}},
	{context.DeadlineExceeded, problem{http.StatusRequestTimeout, codes.DeadlineExceeded, ReasonTimeout,
		"the request took too long", "send it again", 0}},
	{context.Canceled, problem{499, codes.Canceled, ReasonCancelled, "the request was cancelled", "", 0}},
}

// problemOf is the one map from errors to what callers see. Whatever is not known is INTERNAL
// and says nothing of its cause.
func problemOf(err error) problem {
	var refusal *formats.Error
	if errors.As(err, &refusal) {
		p := problem{reason: refusal.Reason, message: refusal.Message, hint: refusal.Hint}
		p.status, p.code = statusOf(refusal.Reason)
		return p
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return problemOf(formats.NewError(formats.ReasonTooLarge, "the request is larger than this gateway takes",
			"send a digest in place of the artifact, or use: rekor-gateway submit"))
	}
	for _, f := range fixed {
		if errors.Is(err, f.err) {
			return f.problem
		}
	}
	if s, ok := status.FromError(err); ok && (s.Code() == codes.Canceled || s.Code() == codes.DeadlineExceeded) {
		return fixed[len(fixed)-1].problem
	}
	return problem{http.StatusInternalServerError, codes.Internal, ReasonInternal,
		"the gateway could not do this", "the gateway's log says why", 0}
}

// statusOf sorts reasons: 400 for what is no proper request, 413 and 415 by their names,
// 422 for a proper request whose signature is refused.
func statusOf(r formats.Reason) (int, codes.Code) {
	switch r {
	case ReasonMalformedRequest, gateway.ReasonMalformedLabel, formats.ReasonMalformedDigest, formats.ReasonMalformedSignature,
		formats.ReasonMalformedKey, formats.ReasonMissingSignature, formats.ReasonMissingKey, formats.ReasonMissingArtifact,
		container.ReasonUnknownContainer, container.ReasonMalformedContainer:
		return http.StatusBadRequest, codes.InvalidArgument
	case formats.ReasonTooLarge:
		return http.StatusRequestEntityTooLarge, codes.InvalidArgument
	case formats.ReasonUnknownFormat, formats.ReasonWrongFormat:
		return http.StatusUnsupportedMediaType, codes.InvalidArgument
	case formats.Reason(gateway.ProblemRefused):
		return http.StatusBadGateway, codes.Aborted
	case ReasonNotLogged:
		return http.StatusConflict, codes.FailedPrecondition
	}
	return http.StatusUnprocessableEntity, codes.FailedPrecondition
}

// fieldOf names the request's field that a reason is about, for BadRequest details.
var fieldOf = map[formats.Reason]string{
	formats.ReasonMissingSignature: "signature", formats.ReasonMalformedSignature: "signature",
	formats.ReasonMissingKey: "keys", formats.ReasonMalformedKey: "keys", formats.ReasonSecretKey: "keys",
	formats.ReasonMalformedDigest: "digest", formats.ReasonMissingArtifact: "artifact",
	formats.ReasonUnknownFormat: "format", formats.ReasonWrongFormat: "format",
	gateway.ReasonMalformedLabel: "labels",
}

// log tells the operator what callers are not told of err.
func (p problem) log(l *slog.Logger, err error, where ...any) {
	if p.reason == ReasonInternal || p.reason == ReasonNotStored {
		l.Error("request failed", append(where, "error", err)...)
	}
}

// grpcError turns err into a status with ErrorInfo, and BadRequest or RetryInfo where they apply.
func (g *grpcServer) grpcError(err error) error {
	p := problemOf(err)
	p.log(g.logger, err)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: string(p.reason), Domain: errorDomain, Metadata: map[string]string{"hint": p.hint},
	}}
	if f := fieldOf[p.reason]; f != "" {
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: f, Description: p.message, Reason: string(p.reason)},
		}})
	}
	if p.retryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(p.retryAfter)})
	}
	s := status.New(p.code, p.message)
	if detailed, derr := s.WithDetails(details...); derr == nil {
		s = detailed
	}
	return s.Err()
}

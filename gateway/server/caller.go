// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// defaultCaller is the caller of every request: there is no access control yet.
var defaultCaller = gateway.Caller{Tenant: gateway.DefaultTenant}

// identifyRequest says who sends an HTTP request, or returns the refusal.
func identifyRequest(r *http.Request) (gateway.Caller, error) { return callerNamed(r.Header.Get), nil }

// identifyCall says who makes a gRPC call, or returns the refusal as a status.
func identifyCall(ctx context.Context) (gateway.Caller, error) {
	return callerNamed(func(name string) string { return firstOf(metadata.ValueFromIncomingContext(ctx, name)) }), nil
}

func identifyStream(service any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	caller, err := identifyCall(stream.Context())
	if err != nil {
		return err
	}
	gateway.NoteFrom(stream.Context()).NoteCaller(caller)
	return handle(service, contextStream{stream, gateway.WithCaller(stream.Context(), caller)})
}

// contextStream is a stream with a context that knows more.
type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s contextStream) Context() context.Context { return s.ctx }

// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// BoundService returns desc with every method bounded as a Call is. Methods with one request and one answer become
// streams, which look the same to clients: grpc-go would read their request before it asks anybody.
func BoundService(desc *grpc.ServiceDesc, cfg CallConfig) *grpc.ServiceDesc {
	out := *desc
	out.Methods, out.Streams = nil, nil
	for _, m := range desc.Methods {
		out.Streams = append(out.Streams, grpc.StreamDesc{
			StreamName: m.MethodName, Handler: boundHandler(answerOnce(m), cfg, cfg.MaxTime),
			ClientStreams: true, // else grpc-go calls no interceptors
		})
	}
	for _, s := range desc.Streams {
		longest := cfg.MaxTime
		if !s.ClientStreams { // it waits for us, not we for it
			longest = MaxWatch
		}
		s.Handler = boundHandler(s.Handler, cfg, longest)
		out.Streams = append(out.Streams, s)
	}
	return &out
}

// answerOnce returns the handler of m as that of a stream.
func answerOnce(m grpc.MethodDesc) grpc.StreamHandler {
	return func(service any, stream grpc.ServerStream) error {
		answer, err := m.Handler(service, stream.Context(), stream.RecvMsg, nil)
		if err != nil {
			return err
		}
		return stream.SendMsg(answer)
	}
}

// boundHandler makes a Call, which ends after longest, of the stream that handle gets.
func boundHandler(handle grpc.StreamHandler, cfg CallConfig, longest time.Duration) grpc.StreamHandler {
	return func(service any, stream grpc.ServerStream) error {
		ctx := stream.Context()
		if longest > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, longest)
			defer cancel()
		}
		call, err := newCall(ctx, stream, cfg)
		if err != nil {
			return err
		}
		return convertError(handle(service, call))
	}
}

// convertError returns err as a status, which it is already unless it comes from Call itself.
func convertError(err error) error {
	if _, ok := status.FromError(err); ok { // nil, too
		return err
	}
	if errors.Is(err, io.EOF) {
		err = problem.Malformed("there is no request", "send one message")
	}
	return problem.FromError(err).GRPCError()
}

// Registrar registers services bounded, as gRPC's health and reflection are.
type Registrar struct {
	*grpc.Server
	Config CallConfig
}

// RegisterService implements grpc.ServiceRegistrar.
func (r Registrar) RegisterService(desc *grpc.ServiceDesc, service any) {
	r.Server.RegisterService(BoundService(desc, r.Config), service)
}

// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
)

// answerCounter counts the gRPC codes of writes.
type answerCounter struct{ logmetrics.Answers }

// countWrite is a grpc.UnaryClientInterceptor.
func (a answerCounter) countWrite(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, conn, opts...)
	code := status.Code(err)
	if code > codes.Unauthenticated { // a log may make any up
		code = codes.Unknown
	}
	a.CountWrite(code.String())
	return err
}

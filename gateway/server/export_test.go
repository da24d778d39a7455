// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"google.golang.org/grpc"
)

// ReadLeaves is for the tests outside of the package.
var ReadLeaves = readLeaves

// Services are the gRPC services that s has.
func (s *Server) Services() map[string]grpc.ServiceInfo { return s.grpc.GetServiceInfo() }

// RefreshSource asks the TUF repository, as the gateway does from time to time.
func (s *Server) RefreshSource(ctx context.Context) error {
	_, err := s.tuf.Refresh(ctx)
	return err
}

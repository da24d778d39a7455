// SPDX-License-Identifier: Apache-2.0

package api

import (
	"strings"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionalphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// RouteRights returns the right that each HTTP route needs, by its pattern.
func RouteRights() map[string]gateway.Right {
	rights := map[string]gateway.Right{}
	for pattern, r := range new(httpServer).listRoutes() {
		rights[pattern] = r.right
	}
	return rights
}

// RoutesInPath returns the HTTP routes for which a token in the path of the URL is enough, by their patterns.
func RoutesInPath() map[string]bool {
	enough := map[string]bool{}
	for pattern, r := range new(httpServer).listRoutes() {
		enough[pattern] = r.inPath
	}
	return enough
}

// openPaths are the paths at which everything that is served needs no right.
var openPaths = listOpenPaths()

func listOpenPaths() map[string]bool {
	open, closed := map[string]bool{}, map[string]bool{}
	for pattern, right := range RouteRights() {
		_, path, _ := strings.Cut(pattern, " ")
		if right == gateway.NoRight && !strings.Contains(path, "{") {
			open[path] = true
		} else {
			closed[path] = true
		}
	}
	for path := range closed {
		delete(open, path)
	}
	return open
}

// IsOpenPath reports whether nothing at a path needs a credential. Of paths where nothing is served it does not say so.
func IsOpenPath(path string) bool { return openPaths[path] || isOwnPath(path) }

// callRights is the right that each gRPC method needs. One that is not here is refused.
var callRights = map[string]gateway.Right{
	pb.GatewayService_Submit_FullMethodName:          gateway.MaySubmit,
	pb.GatewayService_SubmitBatch_FullMethodName:     gateway.MaySubmit,
	pb.GatewayService_Plan_FullMethodName:            gateway.MaySubmit,
	pb.GatewayService_GetSubmission_FullMethodName:   gateway.MayRead,
	pb.GatewayService_GetSubmissions_FullMethodName:  gateway.MayRead,
	pb.GatewayService_ListSubmissions_FullMethodName: gateway.MayRead,
	pb.GatewayService_WatchSubmission_FullMethodName: gateway.MayRead,
	pb.GatewayService_ListAudit_FullMethodName:       gateway.MayAudit,
	pb.GatewayService_ListFormats_FullMethodName:     gateway.NoRight,

	healthpb.Health_Check_FullMethodName: gateway.NoRight,
	healthpb.Health_List_FullMethodName:  gateway.NoRight,
	healthpb.Health_Watch_FullMethodName: gateway.NoRight,
	// What reflection tells is in the .proto files.
	reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName:      gateway.NoRight,
	reflectionalphapb.ServerReflection_ServerReflectionInfo_FullMethodName: gateway.NoRight,
}

// CallRight returns the right that a gRPC method needs, and whether it is known.
func CallRight(method string) (_ gateway.Right, known bool) {
	right, known := callRights[method]
	if !known {
		right, known = rekorcompat.CallRights()[method]
	}
	return right, known
}

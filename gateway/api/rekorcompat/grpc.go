// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"context"
	"errors"
	"strings"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekorv2pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/transparency-dev/tessera/api/layout"
	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// ServiceName is that of Rekor v2 over gRPC.
var ServiceName = rekorv2pb.Rekor_ServiceDesc.ServiceName

// IsCall reports whether a gRPC method is one of Rekor v2, and IsRead whether it reads the log.
func IsCall(method string) bool { return strings.HasPrefix(method, "/"+ServiceName+"/") }

// IsRead reports whether a gRPC method of Rekor v2 reads the log.
func IsRead(method string) bool {
	return IsCall(method) && method != rekorv2pb.Rekor_CreateEntry_FullMethodName
}

// CallRights returns the right that each gRPC method of Rekor v2 needs.
func CallRights() map[string]gateway.Right {
	return map[string]gateway.Right{
		rekorv2pb.Rekor_CreateEntry_FullMethodName:    gateway.MaySubmit,
		rekorv2pb.Rekor_GetCheckpoint_FullMethodName:  gateway.MayRead,
		rekorv2pb.Rekor_GetTile_FullMethodName:        gateway.MayRead,
		rekorv2pb.Rekor_GetEntryBundle_FullMethodName: gateway.MayRead,
	}
}

// RegisterGRPC adds Rekor v2's service to s, which bounds its calls.
func (v *V2) RegisterGRPC(s grpc.ServiceRegistrar) {
	rekorv2pb.RegisterRekorServer(s, &rekorServer{v2: v})
}

type rekorServer struct {
	rekorv2pb.UnimplementedRekorServer
	v2 *V2
}

// CreateEntry implements rekorv2pb.RekorServer.
func (s *rekorServer) CreateEntry(ctx context.Context, r *rekorv2pb.CreateEntryRequest) (*rekorpb.TransparencyLogEntry, error) {
	entry, err := s.v2.createEntry(ctx, func() (*rekorv2pb.CreateEntryRequest, error) { return r, nil })
	if err != nil {
		return nil, s.writeError(ctx, err)
	}
	return entry, nil
}

// GetCheckpoint implements rekorv2pb.RekorServer.
func (s *rekorServer) GetCheckpoint(ctx context.Context, _ *emptypb.Empty) (*httpbody.HttpBody, error) {
	cp, err := s.v2.mirror.readCheckpoint(ctx)
	if err != nil {
		return nil, s.writeError(ctx, err)
	}
	return &httpbody.HttpBody{ContentType: "text/plain; charset=utf-8", Data: cp.Envelope}, nil
}

// GetTile implements rekorv2pb.RekorServer.
func (s *rekorServer) GetTile(ctx context.Context, r *rekorv2pb.TileRequest) (*httpbody.HttpBody, error) {
	index, partial, err := layout.ParseTileIndexPartial(r.GetN())
	if err != nil {
		return nil, s.writeError(ctx, errNoTile)
	}
	raw, err := s.v2.mirror.readTile(ctx, uint64(r.GetL()), index, partial)
	return s.writeTile(ctx, raw, err)
}

// GetEntryBundle implements rekorv2pb.RekorServer.
func (s *rekorServer) GetEntryBundle(ctx context.Context, r *rekorv2pb.EntryBundleRequest) (*httpbody.HttpBody, error) {
	index, partial, err := layout.ParseTileIndexPartial(r.GetN())
	if err != nil {
		return nil, s.writeError(ctx, errNoTile)
	}
	raw, err := s.v2.mirror.readEntries(ctx, index, partial)
	return s.writeTile(ctx, raw, err)
}

var errNoTile = formats.NewError(problem.ReasonNotFound, "the log has no such tile", "ask for the checkpoint, and for tiles of a tree of its size (c2sp.org/tlog-tiles)")

func isNotFound(err error) bool { return errors.Is(err, gateway.ErrNotFound) }

func (s *rekorServer) writeTile(ctx context.Context, raw []byte, err error) (*httpbody.HttpBody, error) {
	if isNotFound(err) {
		err = errNoTile
	}
	if err != nil {
		return nil, s.writeError(ctx, err)
	}
	return &httpbody.HttpBody{ContentType: "application/octet-stream", Data: raw}, nil
}

// writeError returns err as a status, and tells the operator what callers are not told.
func (s *rekorServer) writeError(ctx context.Context, err error) error {
	p := problem.FromError(err)
	p.LogCause(ctx, s.v2.cfg.Logger, err)
	return p.GRPCError()
}

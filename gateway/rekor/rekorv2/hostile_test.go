// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"context"
	"net"
	"strings"
	"testing"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// talkative is a log that says more than it has to.
type talkative struct {
	rekortilespb.UnimplementedRekorServer
	answer func(ctx context.Context) (*rekorpb.TransparencyLogEntry, error)
}

func (s *talkative) CreateEntry(ctx context.Context, _ *rekortilespb.CreateEntryRequest) (*rekorpb.TransparencyLogEntry, error) {
	return s.answer(ctx)
}

// What a log says is bounded, in memory and in the errors that are logged: as many answers as entries are under way
// are held at once.
func TestTalkativeLog(t *testing.T) {
	fake := server{rekortest.StartFake(t)}
	log := new(talkative)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	rekortilespb.RegisterRekorServer(s, log)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(s.Stop)
	cfg := config(fake)
	cfg.Shards[0].GRPCURL = "http://" + listener.Addr().String()
	l := open(t, cfg, new(rekortest.Checkpoints))
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("hello"))
	long := strings.Repeat("é", 50<<10)
	for name, c := range map[string]struct {
		answer func(ctx context.Context) (*rekorpb.TransparencyLogEntry, error)
		want   string // in the error
	}{
		"body": {func(context.Context) (*rekorpb.TransparencyLogEntry, error) {
			return &rekorpb.TransparencyLogEntry{CanonicalizedBody: []byte(long)}, nil
		}, "larger than max"},
		"message": {func(context.Context) (*rekorpb.TransparencyLogEntry, error) {
			return nil, status.Error(codes.Internal, long[:2<<10])
		}, "é…"},
		"long message": {func(context.Context) (*rekorpb.TransparencyLogEntry, error) {
			return nil, status.Error(codes.Internal, long)
		}, ""},
		"trailer": {func(ctx context.Context) (*rekorpb.TransparencyLogEntry, error) {
			_ = grpc.SetTrailer(ctx, metadata.Pairs("a", strings.Repeat("x", 100<<10)))
			return nil, status.Error(codes.PermissionDenied, "no")
		}, "code = Internal"},
	} {
		log.answer = c.answer
		_, err := l.Add(t.Context(), l.Describe().Shard, e)
		if logtest.OutcomeOf(err) != "unknown" || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1<<10 {
			t.Errorf("%s: %q: %.1000v", name, logtest.OutcomeOf(err), err)
		}
	}
}

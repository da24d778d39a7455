// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestTurns: so many have a turn, the next one waits until another's has ended, and for no longer than it may.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := newTurns(1)
		first, err := line.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := line.take(t.Context()); !errors.Is(err, gateway.ErrBusy) {
			t.Errorf("without a turn: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := line.take(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("who has left: %v", err)
		}
		first.end()
		second, err := line.take(t.Context())
		if err != nil {
			t.Errorf("once it has ended: %v", err)
		}
		second.end()
	})
}

// gatedDrafts lets nobody store until its gate is open, and counts those who are about to.
type gatedDrafts struct {
	Service
	gate         chan struct{}
	within, most atomic.Int64
}

type gatedDraft struct {
	gateway.Draft
	service *gatedDrafts
}

func (s *gatedDrafts) Begin(ctx context.Context, r gateway.Request) (gateway.Draft, error) {
	draft, err := s.Service.Begin(ctx, r)
	return gatedDraft{draft, s}, err
}

func (d gatedDraft) Submit(ctx context.Context, artifact formats.Artifact) (gateway.Submission, error) {
	n := d.service.within.Add(1)
	for most := d.service.most.Load(); n > most && !d.service.most.CompareAndSwap(most, n); most = d.service.most.Load() {
	}
	defer d.service.within.Add(-1)
	<-d.service.gate
	return d.Draft.Submit(ctx, artifact)
}

// TestSubmitsTakeTurns: of many calls that come at once so many are verified and stored, and then the others. Whoever sends his artifact, and so has
// taken his time, does not wait for them.
func TestSubmitsTakeTurns(t *testing.T) {
	service := &gatedDrafts{Service: start(t, gatewaytest.NewLog()), gate: make(chan struct{})}
	c := dialWith(t, service, gateway.NewMemory(1<<30), GRPCConfig{})
	signed := gatewaytest.Signed(t, "at once")
	byDigest := headerMessage(signed)
	byDigest.Digest = signed.Digest.String()
	ended := make(chan error)
	submit := func(header *pb.SubmissionHeader, more ...*pb.SubmitRequest) {
		first := &pb.SubmitStart{Header: header, Wait: durationpb.New(0)}
		_, err := send(t, c, append([]*pb.SubmitRequest{{Part: &pb.SubmitRequest_Start{Start: first}}}, more...)...)
		ended <- err
	}
	const calls = upload.MaxSubmitStoring + 32
	for range calls {
		go submit(byDigest)
	}
	waitFor(t, func() bool { return service.within.Load() == upload.MaxSubmitStoring })
	go submit(headerMessage(signed), chunk([]byte("at once")))
	waitFor(t, func() bool { return service.within.Load() == upload.MaxSubmitStoring+1 })
	close(service.gate)
	for range calls + 1 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if most := service.most.Load(); most != upload.MaxSubmitStoring+1 {
		t.Errorf("%d were stored at once", most)
	}
}

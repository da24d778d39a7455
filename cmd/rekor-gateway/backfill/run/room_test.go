// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// largeGateway has a large answer for whoever asks, settled or not. It takes no room, as over gRPC, unless early is set.
type largeGateway struct {
	client.Client
	state pb.Submission_State
	early bool
}

func (g largeGateway) Get(ctx context.Context, id string) (*pb.Submission, error) {
	if g.early {
		if err := client.TakeRoom(ctx); err != nil {
			return nil, err
		}
	}
	return &pb.Submission{Id: id, State: g.state, Format: strings.Repeat("x", client.LargeAnswer+1)}, nil
}

// TestLargeAnswersAreFew: of all that ask at once, few hold a large answer, whoever gives it, and nobody holds one that says nothing yet.
func TestLargeAnswersAreFew(t *testing.T) {
	for _, g := range []largeGateway{{state: pb.Submission_LOGGED}, {state: pb.Submission_LOGGED, early: true}, {state: pb.Submission_PENDING, early: true}} {
		b := (&Options{Timeout: time.Minute}).newLocalRun(nil, nil)
		b.remote = g
		var held, most atomic.Int64
		var asking sync.WaitGroup
		for range 4 * maxCalls {
			asking.Go(func() {
				room := b.newRoom()
				defer room.release()
				s, err := b.callGet(t.Context(), "a", room)
				if err != nil || s.GetState() != g.state {
					t.Errorf("%v, error %v", s, err)
				}
				if !isLarge(s) {
					return
				}
				defer held.Add(-1)
				if n := held.Add(1); n > most.Load() {
					most.Store(n)
				}
				time.Sleep(time.Millisecond)
			})
		}
		asking.Wait()
		if n := most.Load(); n > maxLarge || (n > 0) != (g.state == pb.Submission_LOGGED) || len(b.large) > 0 {
			t.Errorf("%+v: %d held at once, %d left", g.state, n, len(b.large))
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// maxLarge bounds the large answers of a gateway that are held at once. All others are of client.LargeAnswer bytes at most.
const maxLarge = 2

// answerRoom is the room of one signature among the large answers, from before it is read until release.
type answerRoom struct {
	slots chan struct{} // the run's

	mu   sync.Mutex // over held, and held while there is no room
	held bool
}

func (b *runner) newRoom() *answerRoom { return &answerRoom{slots: b.large} }

// take waits until there is room.
func (r *answerRoom) take(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		return nil
	}
	select {
	case r.slots <- struct{}{}:
		r.held = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives the room back, once nothing refers to the answer any more.
func (r *answerRoom) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		<-r.slots
		r.held = false
	}
}

// keep returns s where it is settled, with the room that it takes; else what the run needs of it, which takes none.
func (r *answerRoom) keep(ctx context.Context, s *pb.Submission) (*pb.Submission, error) {
	switch {
	case !client.IsSettled(s):
		r.release()
		return &pb.Submission{Id: s.GetId(), State: s.GetState(), Eta: s.GetEta()}, nil
	case isLarge(s):
		return s, r.take(ctx) // over gRPC it has none yet
	}
	return s, nil
}

// isLarge reports whether an answer takes room.
func isLarge(s *pb.Submission) bool { return s != nil && proto.Size(s) > client.LargeAnswer }

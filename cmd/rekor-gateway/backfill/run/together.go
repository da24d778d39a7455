// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// manyClient is a gateway that says of many submissions at once how far they are, as it does over gRPC.
type manyClient interface {
	GetAll(ctx context.Context, ids []string, take func(id string, s *pb.Submission, err error)) error
}

const (
	// maxAsking bounds the calls that ask for many submissions at once. With few of them, those that are ready come together.
	maxAsking = 8
	// maxTogether bounds the submissions that one of them asks for.
	maxTogether = gatewayclient.MaxIDs
)

// together asks a gateway for many submissions at once.
type together struct {
	remote  manyClient
	explain func(context.Context, error) error // adds to a refusal what is known here; nil: nothing is
	off     atomic.Bool                        // the gateway is of a release that cannot
}

// newTogether returns nil where the gateway is asked for one after the other.
func newTogether(remote client.Client) *together {
	t := new(together)
	if e, ok := remote.(Explaining); ok {
		remote, t.explain = e.Unwrap(), e.Explain
	}
	many, ok := remote.(manyClient)
	if !ok {
		return nil
	}
	t.remote = many
	return t
}

// gatherTime is how long what is ready waits for others that may come with it.
const gatherTime = 20 * time.Millisecond

// takeReady returns first, and what else is ready now. Where many wait, most become ready together: a call for each would cost more than the wait.
func (w *waiters) takeReady(first *waiting) []*waiting {
	all := []*waiting{first}
	if len(w.ready) < maxTogether && len(w.room) > maxTogether {
		time.Sleep(gatherTime)
	}
	for len(all) < maxTogether {
		select {
		case one, ok := <-w.ready:
			if !ok {
				return all
			}
			all = append(all, one)
		default:
			return all
		}
	}
	return all
}

// asksTogether reports whether one call asks for many, as far as is known of the gateway.
func (b *runner) asksTogether() bool { return b.together != nil && !b.together.off.Load() }

// askTogether asks for all of them in one call, and gives answered what ask would return of each.
func (b *runner) askTogether(ctx context.Context, all []*waiting, answered func(*waiting, outcome, *pb.Submission)) {
	if len(all) == 1 || !b.asksTogether() {
		for _, one := range all {
			o, s := b.ask(ctx, one)
			answered(one, o, s)
		}
		return
	}
	var asked []*waiting
	var ids []string
	for _, one := range all {
		if o, ended := b.endWait(ctx, one); ended {
			answered(one, o, nil)
			continue
		}
		asked, ids = append(asked, one), append(ids, one.o.SubmissionID)
	}
	if len(asked) == 0 {
		return
	}
	err := b.callGetAll(ctx, ids, func(s *pb.Submission, err error) {
		one := asked[0]
		asked = asked[1:]
		o, s := b.judgeAnswer(ctx, one, s, err)
		answered(one, o, s)
	})
	if gatewayclient.IsUnimplemented(err) {
		b.together.off.Store(true)
		b.askTogether(ctx, asked, answered)
		return
	}
	for _, one := range asked {
		o, s := b.judgeAnswer(ctx, one, nil, err)
		answered(one, o, s)
	}
}

// callGetAll gives take the answers in the order of ids, until there is an error.
func (b *runner) callGetAll(ctx context.Context, ids []string, take func(*pb.Submission, error)) error {
	select {
	case b.calls <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.calls }()
	err := b.together.remote.GetAll(ctx, ids, func(_ string, s *pb.Submission, err error) {
		room := b.newRoom()
		defer room.release()
		if err == nil {
			s, err = room.keep(ctx, s)
		}
		take(s, b.together.explainError(ctx, err))
	})
	return b.together.explainError(ctx, err)
}

func (t *together) explainError(ctx context.Context, err error) error {
	if err == nil || t.explain == nil {
		return err
	}
	return t.explain(ctx, err)
}

// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// pending says of each submission that it waits, of as many at once as it says.
type pending struct {
	client.Client
	most   int   // of a call: then it ends
	failed error // which is its end
	calls  int
	single int
}

func (p *pending) GetAll(_ context.Context, ids []string, take func(string, *pb.Submission, error)) error {
	p.calls++
	for i, id := range ids {
		if i == p.most {
			return p.failed
		}
		take(id, &pb.Submission{Id: id, State: pb.Submission_PENDING}, nil)
	}
	return nil
}

func (p *pending) Get(_ context.Context, id string) (*pb.Submission, error) {
	p.single++
	return &pb.Submission{Id: id, State: pb.Submission_PENDING}, nil
}

// TestAskTogether: all are answered once, whatever becomes of the call, and a gateway without it is asked for one after the other.
func TestAskTogether(t *testing.T) {
	slowDown := &client.Error{Reason: "RATE_LIMITED", Temporary: true, RetryAfter: 9 * time.Second}
	older := &client.Error{Message: "unknown method", Code: codes.Unimplemented}
	for name, x := range map[string]struct {
		remote        *pending
		calls, single int
		waits         map[string]time.Duration // until it is asked for again; others as usual
	}{
		"all":    {&pending{most: 9}, 2, 0, nil},
		"broken": {&pending{most: 2, failed: slowDown}, 2, 0, map[string]time.Duration{"2": 9 * time.Second, "3": 9 * time.Second}},
		"older":  {&pending{failed: older}, 1, 8, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := (&Options{Parallel: 1, Timeout: time.Minute}).newLocalRun(nil, output.NewNotes(io.Discard))
			b.remote, b.together = x.remote, newTogether(x.remote)
			b.pace.noteAccepted()
			for range 2 { // the second time what is known of the gateway is heeded
				var all []*waiting
				for i := range 4 {
					all = append(all, &waiting{o: outcome{SubmissionID: fmt.Sprint(i)}, started: time.Now()})
				}
				answered := map[string]int{}
				b.askTogether(t.Context(), all, func(one *waiting, o outcome, s *pb.Submission) {
					id := one.o.SubmissionID
					answered[id]++
					want, ok := x.waits[id]
					if !ok {
						want = usualPoll
					}
					if s == nil {
						t.Fatalf("%s waits no more: %+v", id, o)
					}
					if got := nextAsk(s, time.Now()); got.Round(time.Second) != want {
						t.Errorf("%s is asked for again in %v, want %v", id, got, want)
					}
				})
				for _, one := range all {
					if answered[one.o.SubmissionID] != 1 {
						t.Errorf("%d answers for %s", answered[one.o.SubmissionID], one.o.SubmissionID)
					}
				}
			}
			if x.remote.calls != x.calls || x.remote.single != x.single {
				t.Errorf("%d calls for many and %d for one, want %d and %d", x.remote.calls, x.remote.single, x.calls, x.single)
			}
		})
	}
}

// TestTakeReady: what is ready is taken together, up to a bound, and nothing is waited for.
func TestTakeReady(t *testing.T) {
	w := &waiters{ready: make(chan *waiting, 2*maxTogether)}
	for range maxTogether + 5 {
		w.ready <- new(waiting)
	}
	if n := len(w.takeReady(new(waiting))); n != maxTogether {
		t.Errorf("%d taken at once", n)
	}
	if n := len(w.takeReady(new(waiting))); n != 7 {
		t.Errorf("%d taken of the rest", n)
	}
	close(w.ready)
	if n := len(w.takeReady(new(waiting))); n != 1 {
		t.Errorf("%d taken at the end", n)
	}
}

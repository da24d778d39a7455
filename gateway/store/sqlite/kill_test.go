// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// workerEnv makes the test binary a worker on the store in its working folder.
const (
	workerEnv   = "GATEWAY_STORE_KILL_TEST"
	workerStore = "store.db"
)

// TestKill kills processes that work on one file at a random moment, two at a time. What
// they were told is durable must be there afterwards.
func TestKill(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, workerStore)
	acknowledged := make(map[string]gateway.State)
	for range 4 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				killWorker(t, folder, func(id string, s gateway.State) {
					mu.Lock()
					defer mu.Unlock()
					if acknowledged[id] != gateway.Logged {
						acknowledged[id] = s
					}
				})
			})
		}
		wg.Wait()
	}
	s := open(t, path, Options{})
	if s.Incarnation().Restored {
		t.Error("a store whose processes were killed is said to be restored")
	}
	for id, want := range acknowledged {
		got, err := s.Get(t.Context(), "tenant", id)
		if err != nil || want == gateway.Logged && got.State != want {
			t.Fatalf("submission %s is %s (%v), was acknowledged as %s", id, got.State, err, want)
		}
	}
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged")
	}
	if l, err := s.OwnLog(t.Context(), "own"); err != nil || l.Logged == 0 {
		t.Errorf("the own log is %+v, %v", l, err)
	}
	checkFile(t, path)
	t.Logf("%d submissions acknowledged, all there", len(acknowledged))
}

// killWorker runs a worker and kills it a while after its first word.
func killWorker(t *testing.T, folder string, acknowledge func(string, gateway.State)) {
	binary, err := os.Executable()
	if err != nil {
		t.Error(err)
		return
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), workerEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Error(err)
		return
	}
	if err := cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	var once sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		once.Do(func() {
			time.AfterFunc(20*time.Millisecond+rand.N(200*time.Millisecond), func() { cmd.Process.Kill() })
		})
		id, state, ok := strings.Cut(lines.Text(), " ")
		if !ok || gateway.State(state) != gateway.Pending && gateway.State(state) != gateway.Logged {
			break // the last line may be cut short
		}
		acknowledge(id, gateway.State(state))
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the worker ended by itself")
	}
}

// runWorker enqueues and logs submissions until it is killed, and says so of each one
// once it is done.
func runWorker() {
	ctx := context.Background()
	s, err := Open(ctx, workerStore, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	if err := s.AddOwnLog(ctx, "own", "own.example"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	for n := 0; ; n++ {
		if err := errors.Join(workRound(ctx, s, n), workOwn(ctx, s, n)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
	}
}

func workRound(ctx context.Context, s *Store, n int) error {
	var subs []gateway.NewSubmission
	for i := range 1 + rand.IntN(20) {
		subs = append(subs, storetest.NewSubmission("tenant", fmt.Sprint(os.Getpid(), n, i), "log"))
	}
	if _, err := s.Enqueue(ctx, subs); err != nil {
		return err
	}
	for _, sub := range subs {
		fmt.Println(sub.ID, gateway.Pending)
	}
	claimed, err := s.Claim(ctx, gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: 10, InFlight: 100})
	if err != nil {
		return err
	}
	var outcomes []gateway.Outcome
	for _, e := range claimed {
		outcomes = append(outcomes, gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Inclusion: storetest.NewInclusion(e.ID)})
	}
	logged, err := s.Finish(ctx, outcomes)
	for _, p := range logged {
		fmt.Println(p.ID, gateway.Logged)
	}
	return err
}

// workOwn takes a few submissions from the queue of an own log until an anchor covers them.
func workOwn(ctx context.Context, s *Store, n int) error {
	var subs []gateway.NewSubmission
	for i := range 1 + rand.IntN(20) {
		subs = append(subs, storetest.NewSubmission("tenant", fmt.Sprint("own", os.Getpid(), n, i), "own"))
	}
	if _, err := s.Enqueue(ctx, subs); err != nil {
		return err
	}
	for _, sub := range subs {
		fmt.Println(sub.ID, gateway.Pending)
	}
	l, _, err := s.Sequence(ctx, "own", 1+rand.IntN(20), storetest.GrowTree)
	if err != nil {
		return err
	}
	if err := s.KeepAnchor(ctx, "own", gateway.OwnAnchor{Tree: l.Tree, Submission: "anchor"}); err != nil {
		return err
	}
	logged, err := s.LogAnchored(ctx, "own", 10)
	for _, p := range logged {
		fmt.Println(p.ID, gateway.Logged)
	}
	return err
}

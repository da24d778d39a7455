// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// What makes the test binary a gateway's process, which works on the store in workerDSN: on and on, or in the middle of
// a transaction that it does not end.
const (
	workerEnv  = "GATEWAY_STORE_WORKER"
	workerDSN  = "GATEWAY_STORE_WORKER_DSN"
	worksOn    = "works on"
	worksInTx  = "holds an entry"
	workerLog  = "log"
	workerName = "tenant"
)

// runWorker is the process; it ends by being killed.
func runWorker() {
	ctx := context.Background()
	s, err := Open(ctx, os.Getenv(workerDSN), Options{})
	if err == nil && os.Getenv(workerEnv) == worksInTx {
		err = s.writeTx(ctx, "holding an entry", func(t *tx) error {
			_, err := t.exec(`UPDATE entry SET attempts = attempts + 100`)
			fmt.Println("holds")
			time.Sleep(time.Hour)
			return err
		})
	}
	for n := 0; err == nil; n++ {
		err = workRound(ctx, s, fmt.Sprint(os.Getpid(), " ", n), func(id string, state gateway.State) { fmt.Println(id, state) })
	}
	fmt.Fprintln(os.Stderr, err)
}

// workRound stores a few submissions and logs a few, and says of each what is durable.
func workRound(ctx context.Context, s *Store, name string, acknowledge func(id string, state gateway.State)) error {
	var subs []gateway.NewSubmission
	for i := range 1 + rand.IntN(20) {
		subs = append(subs, storetest.NewSubmission(workerName, fmt.Sprint(name, " ", i), workerLog, fmt.Sprint(name, i), fmt.Sprint("shared", rand.IntN(1000))))
	}
	if _, err := s.Enqueue(ctx, subs); err != nil {
		return err
	}
	for _, sub := range subs {
		acknowledge(sub.ID, gateway.Pending)
	}
	claimed, err := s.Claim(ctx, gateway.ClaimParams{Log: workerLog, Lease: time.Minute, Limit: 20, InFlight: 10_000})
	if errors.Is(err, gateway.ErrDoubtFirst) {
		_, err = s.DoubtPending(ctx, workerLog, gateway.Shard{Origin: workerLog})
		return err
	}
	if err != nil {
		return err
	}
	var outcomes []gateway.Outcome
	for _, e := range claimed {
		outcomes = append(outcomes, gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Inclusion: storetest.NewInclusion(e.ID)})
	}
	changed, err := s.Finish(ctx, outcomes)
	if err == nil {
		for _, p := range changed {
			acknowledge(p.ID, p.State)
		}
	}
	return err
}

// acknowledged are submissions with the most that was said of each.
type acknowledged struct {
	mu  sync.Mutex // guards all
	all map[string]gateway.State
}

func (a *acknowledged) note(id string, state gateway.State) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[string]gateway.State{}
	}
	if a.all[id] != gateway.Logged {
		a.all[id] = state
	}
}

// check wants all of it in the store.
func (a *acknowledged) check(t *testing.T, dsn string) {
	t.Helper()
	s := open(t, dsn, Options{})
	a.mu.Lock()
	defer a.mu.Unlock()
	logged := 0
	for id, want := range a.all {
		got, err := s.Get(t.Context(), workerName, id)
		if err != nil || want == gateway.Logged && got.State != want {
			t.Fatalf("submission %s is %s (%v), was acknowledged as %s", id, got.State, err, want)
		}
		if want == gateway.Logged {
			logged++
		}
	}
	if logged == 0 {
		t.Error("nothing was acknowledged as logged")
	}
	checkRows(t, dsn)
	t.Logf("%d acknowledged, %d of them as logged", len(a.all), logged)
}

// startWorker starts a gateway's process, and returns what it says, by line.
func startWorker(t *testing.T, dsn, work string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), workerEnv+"="+work, workerDSN+"="+dsn)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestProcessesKilled kills processes that work on one store, two at a time, at a random moment.
func TestProcessesKilled(t *testing.T) {
	dsn := newDatabase(t)
	var said acknowledged
	for range 3 {
		var working sync.WaitGroup
		for range 2 {
			cmd, lines := startWorker(t, dsn, worksOn)
			working.Go(func() {
				var once sync.Once
				for lines.Scan() {
					once.Do(func() {
						time.AfterFunc(100*time.Millisecond+rand.N(400*time.Millisecond), func() { cmd.Process.Kill() })
					})
					id, state, ok := strings.Cut(lines.Text(), " ")
					if !ok || gateway.State(state) != gateway.Pending && gateway.State(state) != gateway.Logged && gateway.State(state) != gateway.Partial {
						break // the last line may be cut short
					}
					said.note(id, gateway.State(state))
				}
				if err := cmd.Wait(); err == nil {
					t.Error("the worker ended by itself")
				}
			})
		}
		working.Wait()
	}
	said.check(t, dsn)
}

// TestProcessStopped: a process that is stopped in the middle of a transaction holds others up for maxIdle at most,
// and what it did is undone.
func TestProcessStopped(t *testing.T) {
	dsn := newDatabase(t)
	s := open(t, dsn, Options{})
	sub := storetest.NewSubmission(workerName, "one", workerLog)
	if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{sub}); err != nil {
		t.Fatal(err)
	}
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: workerLog, Lease: time.Minute, Limit: 1, InFlight: 1})
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	cmd, lines := startWorker(t, dsn, worksInTx)
	lines.Scan()
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	started := time.Now()
	_, err = s.Finish(t.Context(), []gateway.Outcome{{EntryID: claimed[0].ID, Fence: claimed[0].Fence, Inclusion: storetest.NewInclusion(1)}})
	if took := time.Since(started); err != nil || took > maxIdle+4*time.Second {
		t.Errorf("finished after %v: %v", took, err)
	}
	got, err := s.Get(t.Context(), workerName, sub.ID)
	if err != nil || got.State != gateway.Logged || got.Entries[0].Attempts != 1 {
		t.Errorf("the entry is %+v, %v", got.Entries, err)
	}
}

// TestServerKilled kills the server while two gateways work: what they were told is there when it is back, and they go
// on by themselves.
func TestServerKilled(t *testing.T) {
	server := postgrestest.NewServer(t)
	dsn := server.DSN("postgres")
	var said acknowledged
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var working sync.WaitGroup
	for g := range 2 {
		s := open(t, dsn, Options{Patience: 2 * time.Second})
		working.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				err := workRound(ctx, s, fmt.Sprint(g, " ", n), said.note)
				if err != nil && ctx.Err() == nil && !errors.Is(err, gateway.ErrStoreUnavailable) && !errors.Is(err, gateway.ErrLeaseLost) {
					t.Errorf("while the server is killed: %v", err)
				}
			}
		})
	}
	for range 3 {
		time.Sleep(300*time.Millisecond + rand.N(500*time.Millisecond)) // of work
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	said.mu.Lock()
	before := len(said.all)
	said.mu.Unlock()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		said.mu.Lock()
		more := len(said.all) > before
		said.mu.Unlock()
		if more {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is stored any more")
		}
	}
	cancel()
	working.Wait()
	said.check(t, dsn)
}

// TestServerAway: without a server, and with one that is stopped, calls say so within their patience, and work again once it is back.
func TestServerAway(t *testing.T) {
	const patience = time.Second
	server := postgrestest.NewServer(t)
	s := open(t, server.DSN("postgres"), Options{Patience: patience})
	call := func() error {
		sub := storetest.NewSubmission("a", fmt.Sprint(rand.Int64()), workerLog)
		_, err := s.Enqueue(t.Context(), []gateway.NewSubmission{sub})
		return err
	}
	wantUnavailable := func(what string) {
		t.Helper()
		for name, call := range map[string]func() error{
			"Enqueue": call,
			"Claim": func() error {
				_, err := s.Claim(t.Context(), gateway.ClaimParams{Log: workerLog, Lease: time.Minute, Limit: 1, InFlight: 1})
				return err
			},
			"Get": func() error {
				_, err := s.Get(t.Context(), "a", storetest.NewSubmission("a", "", "").ID)
				return err
			},
		} {
			started := time.Now()
			err := call()
			if took := time.Since(started); !errors.Is(err, gateway.ErrStoreUnavailable) || took > 4*patience {
				t.Errorf("%s, %s: after %v: %v", what, name, took, err)
			}
		}
	}
	wantBack := func() {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			err := call()
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	wantBack()
	for name, signal := range map[string]struct{ away, back func() error }{
		"ended":  {server.Stop, server.Restart},
		"killed": {server.Kill, server.Restart},
		"stopped": {
			func() error { return signalAll(server, syscall.SIGSTOP) }, func() error { return signalAll(server, syscall.SIGCONT) },
		},
	} {
		if err := signal.away(); err != nil {
			t.Fatal(err)
		}
		wantUnavailable(name)
		if err := signal.back(); err != nil {
			t.Fatal(err)
		}
		wantBack()
	}
}

// signalAll signals the server's main process and all of its children, which are a group.
func signalAll(server *postgrestest.Server, signal syscall.Signal) error {
	children, err := exec.Command("pgrep", "-P", fmt.Sprint(server.Process().Pid)).Output()
	if err != nil {
		return err
	}
	for _, pid := range append(strings.Fields(string(children)), fmt.Sprint(server.Process().Pid)) {
		var n int
		if _, err := fmt.Sscan(pid, &n); err != nil {
			return err
		}
		if err := syscall.Kill(n, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

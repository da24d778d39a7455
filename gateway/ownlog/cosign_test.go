// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	checkpoint "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness/witnesstest"
)

// soon is how long the log takes at most for what it does by itself.
const soon = time.Minute

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come to that: %s", what)
		}
	}
}

// startWitness returns a real witness that cosigns for the log with its keys in a folder.
func startWitness(t *testing.T, folder string) (*witnesstest.Witness, gateway.Witness) {
	t.Helper()
	lite := witnesstest.Start(t)
	lite.AddLog(t, origin, must(attest.LoadCheckpointSigner(filepath.Join(folder, "own"), origin, true)).VerifierKey())
	return lite, must(witness.New(witness.Config{Key: lite.Key, URL: lite.URL}))
}

// cosignedBy has a log cosigned.
func cosignedBy(witnesses ...gateway.Witness) func(*ownlog.Config) {
	return func(c *ownlog.Config) { c.Witnesses = witnesses }
}

// wantCosigned returns the size of a checkpoint that is cosigned by a witness.
func wantCosigned(t *testing.T, signed []byte, key string) uint64 {
	t.Helper()
	if _, err := note.Open(signed, note.VerifierList(must(trustroot.ParseWitnessKey(key)))); err != nil {
		t.Errorf("not cosigned: %v\n%s", err, signed)
	}
	var c checkpoint.Checkpoint
	_ = must(c.Unmarshal(signed))
	return c.Size
}

// wantSize returns how many records a checkpoint is of.
func wantSize(t *testing.T, signed []byte) uint64 {
	t.Helper()
	var c checkpoint.Checkpoint
	if _, err := c.Unmarshal(signed); err != nil {
		t.Error(err)
	}
	return c.Size
}

// TestCosigned: a witness cosigns what is anchored, and checkpoint and receipts have that, from whichever process.
func TestCosigned(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	lite, w := startWitness(t, folder)
	store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	one := join(t, store, folder, log, 300*time.Millisecond, noShards, cosignedBy(w))
	two := join(t, store, folder, log, 300*time.Millisecond, noShards, cosignedBy(w))
	stops := []func(){one.run(t), two.run(t)}
	for round := range 3 {
		leaves := one.logAll(t, fmt.Sprint("round ", round), 20)
		size := must(store.OwnLog(t.Context(), ownID)).Anchored.Size
		for _, r := range []*room{one, two} {
			await(t, "cosigned", func() bool { return r.own.Witnesses()[0].Size == size })
			if s := r.own.Witnesses()[0]; s.Failing || !strings.HasPrefix(lite.Key, s.Witness+"+") || time.Since(s.Cosigned) > time.Minute {
				t.Errorf("the witness is %+v", s)
			}
			if got := wantCosigned(t, must(r.own.ReadCheckpoint(t.Context())), lite.Key); got != size {
				t.Errorf("the checkpoint is of %d records, want %d", got, size)
			}
		}
		for index, leaf := range leaves { // of which some may have an anchor before the last
			checkProof(t, two.own, index, leaf)
		}
		record := must(two.own.ProveRecord(t.Context(), size-1))
		p := must(receipt.ParseOwnProof([]byte(record.GetProof())))
		wantCosigned(t, p.Checkpoint, lite.Key)
	}
	for _, stop := range stops {
		stop()
	}
	lite.Stop()
	again := join(t, store, folder, log, 300*time.Millisecond, noShards) // which knows no witness
	wantCosigned(t, must(again.own.ReadCheckpoint(t.Context())), lite.Key)
}

// copyStore copies the files of a store that is closed.
func copyStore(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range must(filepath.Glob(from + "*")) {
		if err := os.WriteFile(to+strings.TrimPrefix(name, from), must(os.ReadFile(name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// logOnce runs rooms over a store until so many texts are logged and cosigned, and closes it.
func logOnce(t *testing.T, path, folder string, log gateway.Log, w gateway.Witness, what string, n int) {
	t.Helper()
	store := openStore(t, path)
	r := join(t, store, folder, log, 300*time.Millisecond, noShards, cosignedBy(w))
	stop := r.run(t)
	r.logAll(t, what, n)
	size := must(store.OwnLog(t.Context(), ownID)).Anchored.Size
	await(t, "cosigned", func() bool { return r.own.Witnesses()[0].Size == size })
	stop()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// wantForgotten checks that the log does nothing more with what it is given.
func wantForgotten(t *testing.T, r *room, store gateway.Store) {
	t.Helper()
	await(t, "the witness knows more than the store", func() bool {
		return r.own.Trouble() == gateway.TroubleContradicted && r.own.State() == ownlog.StateWaits
	})
	before := must(store.OwnLog(t.Context(), ownID))
	if _, err := r.Submit(t.Context(), gatewaytest.Signed(t, "too late"), gatewaytest.NoArtifact); err != nil {
		t.Error(err)
	}
	time.Sleep(time.Second) // in which it would be sequenced
	if after := must(store.OwnLog(t.Context(), ownID)); after != before {
		t.Errorf("the log goes on all the same: %+v, before %+v", after, before)
	}
}

// TestForgottenByWitness: a store that was put back, that is empty, or that is another one, is known by the witness alone, before anything
// is sequenced. No log has the anchors here.
func TestForgottenByWitness(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, w := startWitness(t, folder)
	log := gatewaytest.NewLog()
	path := func(name string) string { return filepath.Join(folder, name) }
	logOnce(t, path("db"), folder, log, w, "first", 5)
	copyStore(t, path("db"), path("older"))
	logOnce(t, path("db"), folder, log, w, "second", 5)
	for _, name := range []string{"older", "empty"} {
		t.Run(name, func(t *testing.T) {
			store := openStore(t, path(name))
			r := join(t, store, folder, log, 300*time.Millisecond, noShards, cosignedBy(w))
			r.run(t)
			wantForgotten(t, r, store)
			if got := must(store.OwnLog(t.Context(), ownID)); got.Tree.Size > 5 {
				t.Errorf("%d records", got.Tree.Size)
			}
		})
	}
	t.Run("latest", func(t *testing.T) { // is none of these
		logOnce(t, path("db"), folder, log, w, "third", 5)
	})
}

// TestForgottenLater: what a witness says that could not be asked before counts as soon as it says it: of a history that is as long, or
// longer.
func TestForgottenLater(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	lite, w := startWitness(t, folder)
	log := gatewaytest.NewLog()
	logOnce(t, filepath.Join(folder, "db"), folder, log, w, "first", 5)
	lite.Stop()
	store := openStore(t, filepath.Join(folder, "another"))
	r := join(t, store, folder, log, 300*time.Millisecond, noShards, cosignedBy(w))
	r.run(t)
	r.logAll(t, "second", 8) // the log does not wait for a witness
	if s := r.own.Witnesses()[0]; !s.Failing || s.Size != 0 || r.own.Trouble() != "" {
		t.Errorf("the witness is %+v, the log is %q", s, r.own.Trouble())
	}
	lite.Restart(t)
	wantForgotten(t, r, store)
	if got := must(store.Cosignatures(t.Context(), ownID, must(store.OwnLog(t.Context(), ownID)).Anchored.Size)); len(got) != 0 {
		t.Errorf("it is cosigned: %+v", got)
	}
}

// TestWitnessAway: a witness that is away holds up nothing, and cosigns once it is back.
func TestWitnessAway(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	lite, w := startWitness(t, folder)
	lite.Stop()
	store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	r := join(t, store, folder, log, 300*time.Millisecond, noShards, cosignedBy(w))
	r.run(t)
	r.logAll(t, "first", 5)
	if signed := must(r.own.ReadCheckpoint(t.Context())); bytes.Count(signed, []byte("\n")) != 5 {
		t.Errorf("the checkpoint is\n%s", signed)
	}
	lite.Restart(t)
	await(t, "cosigned", func() bool { return r.own.Witnesses()[0].Size == 5 })
	await(t, "and so served", func() bool { return bytes.Count(must(r.own.ReadCheckpoint(t.Context())), []byte("\n")) == 6 })
	wantCosigned(t, must(r.own.ReadCheckpoint(t.Context())), lite.Key)
}

// fakeWitness answers as no real one does.
type fakeWitness struct {
	key   string
	asked atomic.Int64
	say   func(old uint64) error
}

func (f *fakeWitness) Key() string { return f.key }

func (f *fakeWitness) AddCheckpoint(_ context.Context, old uint64, _ [][sha256.Size]byte, _ []byte) (gateway.Cosignature, error) {
	f.asked.Add(1)
	return gateway.Cosignature{Witness: f.key, Line: "— witness.test/fake AAAAAAAA", Time: time.Unix(1_800_000_000, 0)}, f.say(old)
}

// TestHostileWitness: a witness that never stops answering does not stop the log, and is not asked for ever.
func TestHostileWitness(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(uint64) error{
		"another size each time":    func(old uint64) error { return &gateway.WitnessSizeError{Size: old / 2} },
		"the same size, once again": func(uint64) error { return &gateway.WitnessSizeError{Size: 0} },
		"another history of none": func(old uint64) error {
			if old > 0 {
				return &gateway.WitnessSizeError{}
			}
			return gateway.ErrOtherHistory
		},
		"does not cosign": func(uint64) error { return gateway.ErrNotCosigned },
		"anything":        func(uint64) error { return errors.New("anything") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			f := &fakeWitness{key: "witness.test/fake+0+0", say: say}
			store := openStore(t, filepath.Join(folder, "db"))
			r := join(t, store, folder, gatewaytest.NewLog(), 300*time.Millisecond, noShards, cosignedBy(f))
			r.run(t)
			r.logAll(t, "one", 5)
			r.logAll(t, "two", 5)
			if n := f.asked.Load(); n == 0 || n > 12 || r.own.Trouble() != "" || !r.own.Witnesses()[0].Failing {
				t.Errorf("asked %d times, %q, %+v", n, r.own.Trouble(), r.own.Witnesses())
			}
		})
	}
}

// TestContradicted: what a witness says is not signed. It keeps the log from going on, since it may be right; but not for ever, where the logs
// can be looked through, and show nothing that the store does not know. It goes on to count where none can.
func TestContradicted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		say    error
		noLogs bool
	}{
		"more records":            {say: &gateway.WitnessSizeError{Size: 1000}},
		"another root":            {say: gateway.ErrOtherHistory},
		"no log can be looked at": {say: gateway.ErrOtherHistory, noLogs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, log := t.TempDir(), newLateLog()
			store := openStore(t, filepath.Join(folder, "db"))
			r := join(t, store, folder, log, 50*time.Millisecond, log.shards)
			stop := r.run(t)
			r.logAll(t, "one", 3)
			stop()
			shards := log.shards
			if c.noLogs {
				shards = noShards
			}
			var now clock
			f := &fakeWitness{key: "witness.test/fake+0+0", say: func(uint64) error { return c.say }}
			r = join(t, store, folder, log, 50*time.Millisecond, shards, cosignedBy(f), now.use)
			r.run(t)
			await(t, "it waits", func() bool { return r.own.Trouble() == gateway.TroubleContradicted })
			sub := r.submit(t, "two")
			now.set(24*time.Hour-time.Millisecond, r)
			time.Sleep(time.Second) // in which it would be sequenced
			if got := must(store.OwnLog(t.Context(), ownID)); got.Tree.Size != 3 {
				t.Errorf("the log goes on too early: %+v", got)
			}
			now.set(25*time.Hour, r)
			within := soon
			if c.noLogs {
				within = 3 * time.Second // in which it would be logged
			}
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			err := r.Await(ctx, &sub)
			if logged := err == nil && sub.State == gateway.Logged; logged == c.noLogs || !r.own.Witnesses()[0].Failing {
				t.Errorf("%s, %v, %q, and the witness is %+v", sub.State, err, r.own.Trouble(), r.own.Witnesses()[0])
			}
		})
	}
}

// TestContradictedBefore: how long a witness has contradicted the store counts across restarts, where it says the same, and the store is not put back.
func TestContradictedBefore(t *testing.T) {
	t.Parallel()
	const most = 24*time.Hour - time.Minute
	for name, c := range map[string]struct {
		before  gateway.Contradiction
		doubted bool
		goes    bool
	}{
		"the same":              {before: gateway.Contradiction{Size: 1000, Lasted: most}, goes: true},
		"another size":          {before: gateway.Contradiction{Size: 999, Lasted: most}},
		"of another witness":    {before: gateway.Contradiction{Witness: "witness.test/other+0+0", Size: 1000, Lasted: most}},
		"in an older copy":      {before: gateway.Contradiction{Size: 1000, Lasted: most}, doubted: true},
		"and no longer, so far": {before: gateway.Contradiction{Size: 1000, Lasted: most - time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, log := t.TempDir(), newLateLog()
			store := &otherLife{Store: openStore(t, filepath.Join(folder, "db"))}
			r := join(t, store, folder, log, 50*time.Millisecond, log.shards)
			stop := r.run(t)
			r.logAll(t, "one", 3)
			stop()
			f := &fakeWitness{key: "witness.test/fake+0+0", say: func(uint64) error { return &gateway.WitnessSizeError{Size: 1000} }}
			c.before.Witness = cmp.Or(c.before.Witness, f.key)
			if err := store.KeepContradiction(t.Context(), ownID, c.before); err != nil {
				t.Fatal(err)
			}
			store.doubted.Store(c.doubted)
			var now clock
			r = join(t, store, folder, log, 50*time.Millisecond, log.shards, cosignedBy(f), now.use)
			r.run(t)
			await(t, "it waits", func() bool { return r.own.Trouble() == gateway.TroubleContradicted })
			now.set(2*time.Minute, r)
			if c.goes {
				await(t, "it goes on", func() bool { return r.own.State() == ownlog.StateWorks })
				return
			}
			time.Sleep(time.Second) // in which it would
			if got := r.own.State(); got != ownlog.StateWaits {
				t.Errorf("it %s", got)
			}
		})
	}
}

// TestContradictionKept: what a witness says is kept, and dropped when it says otherwise.
func TestContradictionKept(t *testing.T) {
	t.Parallel()
	folder, log := t.TempDir(), newLateLog()
	store := openStore(t, filepath.Join(folder, "db"))
	var agrees atomic.Bool
	f := &fakeWitness{key: "witness.test/fake+0+0"}
	f.say = func(uint64) error {
		if agrees.Load() {
			return nil
		}
		return gateway.ErrOtherHistory
	}
	kept := func() []gateway.Contradiction { return must(store.Contradictions(t.Context(), ownID)) }
	for range 2 {
		r := join(t, store, folder, log, 50*time.Millisecond, log.shards)
		stop := r.run(t)
		r.logAll(t, "one", 1)
		stop()
		r = join(t, store, folder, log, 50*time.Millisecond, log.shards, cosignedBy(f))
		stop = r.run(t)
		if agrees.Load() {
			await(t, "nothing is kept", func() bool { return len(kept()) == 0 })
		} else {
			await(t, "it is kept", func() bool { return len(kept()) == 1 && kept()[0].Witness == f.key && kept()[0].Size == 0 })
		}
		stop()
		agrees.Store(true)
	}
}

// TestCosignedMeanwhile: a witness that has cosigned what another process has anchored meanwhile knows nothing that the store does not.
func TestCosignedMeanwhile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	two := join(t, store, folder, log, 300*time.Millisecond, noShards)
	two.run(t)
	two.logAll(t, "first", 3)
	olds := make(chan uint64, 100)
	f := &fakeWitness{key: "witness.test/fake+0+0"}
	f.say = func(old uint64) error {
		olds <- old
		if f.asked.Load() > 1 {
			return errors.New("enough")
		}
		two.logAll(t, "second", 3)
		return &gateway.WitnessSizeError{Size: must(store.OwnLog(context.Background(), ownID)).Anchored.Size}
	}
	one := join(t, store, folder, log, 300*time.Millisecond, noShards, cosignedBy(f))
	one.run(t)
	if old := <-olds; old != 3 {
		t.Errorf("asked for %d records first", old)
	}
	await(t, "asked again", func() bool { return len(olds) > 0 })
	if old := <-olds; old != 6 {
		t.Errorf("asked for %d records then", old)
	}
	one.logAll(t, "third", 3)
	if got := one.own.Trouble(); got != "" {
		t.Errorf("the log is %s", got)
	}
}

// forgetfulStore fails to keep the first cosignature, as when the process dies then.
type forgetfulStore struct {
	gateway.Store
	asked atomic.Int64
}

func (s *forgetfulStore) KeepCosignature(ctx context.Context, log string, size uint64, c gateway.Cosignature) error {
	if s.asked.Add(1) == 1 {
		return errors.New("the disk is full")
	}
	return s.Store.KeepCosignature(ctx, log, size, c)
}

// TestCosignatureLost: what a witness has signed and the store has not kept is signed once more, and nothing is forgotten by that.
func TestCosignatureLost(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	lite, w := startWitness(t, folder)
	store := &forgetfulStore{Store: openStore(t, filepath.Join(folder, "db"))}
	r := join(t, store, folder, gatewaytest.NewLog(), 300*time.Millisecond, noShards, cosignedBy(w))
	r.run(t)
	r.logAll(t, "first", 5)
	await(t, "kept in the end", func() bool { return store.asked.Load() > 1 && r.own.Witnesses()[0].Size == 5 })
	wantCosigned(t, must(r.own.ReadCheckpoint(t.Context())), lite.Key)
	if got := r.own.Trouble(); got != "" {
		t.Errorf("the log is %s", got)
	}
}

// TestCosignedElsewhere: a gateway without witnesses shows what those of another gateway on the store have signed, once they have.
func TestCosignedElsewhere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := openStore(t, filepath.Join(folder, "db"))
	r := join(t, store, folder, gatewaytest.NewLog(), 50*time.Millisecond, noShards)
	r.run(t)
	leaf := r.logAll(t, "one", 1)[0]
	checkProof(t, r.own, 0, leaf)
	if signed := must(r.own.ReadCheckpoint(t.Context())); bytes.Count(signed, []byte("\n")) != 5 {
		t.Errorf("the checkpoint is\n%s", signed)
	}
	c := gateway.Cosignature{Witness: "witness.test/1+0+0", Time: time.Unix(1000, 0).UTC(), Line: "— witness.test/1 AAAA"}
	if err := store.KeepCosignature(t.Context(), ownID, 1, c); err != nil {
		t.Fatal(err)
	}
	await(t, "the cosignature shows", func() bool { return bytes.HasSuffix(must(r.own.ReadCheckpoint(t.Context())), []byte(c.Line+"\n")) })
}

// TestManyCosignatures: however many witnesses have cosigned a checkpoint, with signatures of whatever size, receipts can be made with it.
func TestManyCosignatures(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := openStore(t, filepath.Join(folder, "db"))
	r := join(t, store, folder, gatewaytest.NewLog(), 50*time.Millisecond, noShards)
	r.run(t)
	leaf := r.logAll(t, "one", 1)[0]
	signature := base64.StdEncoding.EncodeToString(make([]byte, 2432)) // as long as those of ML-DSA-44
	for i := range 20 {
		name := fmt.Sprintf("witness.test/%d", i)
		c := gateway.Cosignature{Witness: name + "+0+0", Time: time.Unix(int64(1000+i), 0).UTC(), Line: "— " + name + " " + signature}
		if err := store.KeepCosignature(t.Context(), ownID, 1, c); err != nil {
			t.Fatal(err)
		}
	}
	checkProof(t, ownlog.NewReader(store, ownID), 0, leaf)
	served := string(must(r.own.ReadCheckpoint(t.Context())))
	if n := strings.Count(served, "witness.test/"); n < 10 || !strings.Contains(served, "witness.test/19 ") || strings.Contains(served, "witness.test/0 ") {
		t.Errorf("%d cosignatures are served", n)
	}
}

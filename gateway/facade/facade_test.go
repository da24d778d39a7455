// SPDX-License-Identifier: Apache-2.0

package facade_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	checkpoint "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/facade"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/localrekor"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// checkEntry verifies all that an entry says, as its reader does, and returns its checkpoint's size.
func (r *room) checkEntry(t *testing.T, id rekorjson.ID, e rekorjson.Entry) int64 {
	t.Helper()
	pub := must(r.PublicKey(t.Context(), id.Tree))
	block, _ := pem.Decode(pub)
	key := must(x509.ParsePKIXPublicKey(block.Bytes)).(*ecdsa.PublicKey)
	spkiSum := sha256.Sum256(block.Bytes)
	p := e.Verification.InclusionProof
	text, line, _ := strings.Cut(p.Checkpoint, "\n\n")
	fields := strings.Fields(line)
	var cp checkpoint.Checkpoint
	_ = must(cp.Unmarshal([]byte(p.Checkpoint)))
	if len(fields) != 3 || fields[1] != host || cp.Origin != facade.Origin(host, id.Tree) || strings.Count(line, "\n") != 1 {
		t.Fatalf("the checkpoint is %q", p.Checkpoint)
	}
	var signature []byte
	if err := json.Unmarshal(strconv.AppendQuote(nil, fields[2]), &signature); err != nil || string(signature[:4]) != string(spkiSum[:4]) {
		t.Errorf("the checkpoint is signed with %x, want %x: %v", signature[:4], spkiSum[:4], err)
	}
	verify := func(what string, msg, signature []byte) {
		t.Helper()
		digest := sha256.Sum256(msg)
		if !ecdsa.VerifyASN1(key, digest[:], signature) {
			t.Errorf("the signature of the %s does not verify", what)
		}
	}
	verify("checkpoint", []byte(text+"\n"), signature[4:])
	promised := must(json.Marshal(map[string]any{"body": e.Body, "integratedTime": e.IntegratedTime, "logID": e.LogID, "logIndex": e.LogIndex}))
	verify("entry", must(jsoncanonicalizer.Transform(promised)), e.Verification.SignedEntryTimestamp)
	var hashes [][]byte
	for _, h := range p.Hashes {
		hashes = append(hashes, must(hex.DecodeString(h)))
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.LogIndex), cp.Size, id.Leaf[:], hashes, cp.Hash); err != nil || p.TreeSize != int64(cp.Size) || p.RootHash != hex.EncodeToString(cp.Hash) {
		t.Errorf("entry %d: %v", e.LogIndex, err)
	}
	record, err := hashedrekord.RekorV1.Parse(e.Body)
	if err != nil || hashedrekord.RekorV1.Verify(record, must(hashedrekord.RekorV1.Projection(record))) != nil || hashedrekord.LeafHash(e.Body) != id.Leaf || e.LogID != hex.EncodeToString(spkiSum[:]) {
		t.Errorf("entry %d is not what its id says: %v", e.LogIndex, err)
	}
	if age := time.Since(time.Unix(e.IntegratedTime, 0)); age < 0 || age > 5*time.Minute {
		t.Errorf("entry %d is %v old", e.LogIndex, age)
	}
	return p.TreeSize
}

// readAll returns all entries by their indexes, verified.
func (r *room) readAll(t *testing.T, n int64) (all []rekorjson.ID) {
	t.Helper()
	for i := range n {
		id, e, err := r.EntryByIndex(t.Context(), i)
		if err != nil || e.LogIndex != i {
			t.Fatalf("entry %d is %d, %v", i, e.LogIndex, err)
		}
		r.checkEntry(t, id, e)
		again, same, err := r.EntryByID(t.Context(), rekorjson.ID{Leaf: id.Leaf})
		if err != nil || again != id || same.LogIndex != i || same.IntegratedTime != e.IntegratedTime {
			t.Errorf("entry %d by its id is %d of %d, %v", i, same.LogIndex, again.Tree, err)
		}
		all = append(all, id)
	}
	if _, _, err := r.EntryByIndex(t.Context(), n); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("entry %d: %v", n, err)
	}
	return all
}

// logAll submits texts, waits until the log of Rekor v2 has them, and returns the submissions.
func (r *room) logAll(t *testing.T, what string, n int) []gateway.Submission {
	t.Helper()
	logged := make([]gateway.Submission, n)
	var all sync.WaitGroup
	for i := range n {
		request := gatewaytest.Signed(t, fmt.Sprint(what, i))
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			sub, err := r.log(ctx, request)
			if err != nil || sub.State != gateway.Logged {
				t.Errorf("%s %d: %s, %v", what, i, sub.State, err)
			}
			logged[i] = sub
		})
	}
	all.Wait()
	return logged
}

// awaitAll returns the entries of submissions once they have one.
func (r *room) awaitAll(t *testing.T, subs []gateway.Submission) map[rekorjson.ID]int64 {
	t.Helper()
	ids := map[rekorjson.ID]int64{}
	for _, sub := range subs {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		_, err := r.AwaitRecorded(ctx, sub, nil)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		id, e, err := r.Recorded(t.Context(), sub, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids[id] = e.LogIndex
	}
	return ids
}

// waitFor fails the test where ready stays false.
func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ready(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s has not come about", what)
		}
	}
}

// recordedTo waits until a tree has so many records, all of them logged.
func recordedTo(t *testing.T, store gateway.Store, id int64, n uint64) {
	t.Helper()
	waitFor(t, fmt.Sprint(n, " records"), func() bool {
		return must(store.OwnLog(t.Context(), treeLog(id))).Logged >= n
	})
	if state := must(store.OwnLog(t.Context(), treeLog(id))); state.Tree.Size != n {
		t.Errorf("tree %d has %d records, want %d", id, state.Tree.Size, n)
	}
}

// TestEachEntryOnce: two processes on one store make one leaf of each entry that is logged, whoever asks for it, and none of anchors.
func TestEachEntryOnce(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, server := openStore(t, filepath.Join(folder, "db")), rekortest.StartServer(t)
	rooms := []*room{join(t, store, openSource(t, store, server), folder, oneTree), join(t, store, openSource(t, store, server), folder, oneTree)}
	var stops []func()
	for _, r := range rooms {
		stops = append(stops, r.run(t))
	}
	waitFor(t, "certainty", func() bool { return rooms[0].own.IsCertain() && rooms[1].own.IsCertain() })
	subs := [2][]gateway.Submission{}
	var both sync.WaitGroup
	for i, r := range rooms {
		both.Go(func() { subs[i] = r.logAll(t, fmt.Sprint("room ", i), 100) })
	}
	both.Wait()
	asked := rooms[0].awaitAll(t, subs[1][:20])
	maps.Copy(asked, rooms[1].awaitAll(t, subs[1][10:30]))
	recordedTo(t, store, tree, 200)
	time.Sleep(2 * time.Second) // another anchor would be a leaf by then
	recordedTo(t, store, tree, 200)
	all := rooms[0].readAll(t, 200)
	if distinct := slices.Compact(slices.SortedFunc(slices.Values(all), func(a, b rekorjson.ID) int { return strings.Compare(a.String(), b.String()) })); len(distinct) != 200 {
		t.Errorf("%d leaves are distinct", len(distinct))
	}
	for id, index := range asked {
		if all[index] != id {
			t.Errorf("entry %d is %v, and was said to be %v", index, all[index], id)
		}
	}
	for _, stop := range stops {
		stop()
	}
	if due := must(store.Mirrored(t.Context(), sourceID, 9, 1<<20)); len(due) != 0 {
		t.Errorf("still listed are %d", len(due))
	}
	again := join(t, store, openSource(t, store, server), folder, oneTree)
	again.run(t)
	waitFor(t, "certainty", again.own.IsCertain)
	again.awaitAll(t, subs[0])
	recordedTo(t, store, tree, 200)
	if now := again.readAll(t, 200); !slices.Equal(now, all) {
		t.Error("the leaves are others after a restart")
	}
}

// dyingStore dies at a call: nothing that comes later is done.
type dyingStore struct {
	gateway.Store
	before, after bool
	mu            sync.Mutex // guards dead
	dead          bool
}

var errDead = errors.New("the process has died")

func (s *dyingStore) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

func (s *dyingStore) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

func (s *dyingStore) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	leaf := subs[0].Tenant == gateway.FacadeTenant()
	if leaf && s.before {
		s.die()
	}
	if s.isDead() {
		return nil, errDead
	}
	stored, err := s.Store.Enqueue(ctx, subs)
	if leaf && s.after {
		s.die()
		return nil, errDead
	}
	return stored, err
}

func (s *dyingStore) ForgetMirrored(ctx context.Context, log string, ids []int64) error {
	if s.isDead() {
		return errDead
	}
	return s.Store.ForgetMirrored(ctx, log, ids)
}

func (s *dyingStore) Sequence(ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error) {
	if s.isDead() {
		return gateway.OwnLog{}, 0, errDead
	}
	return s.Store.Sequence(ctx, log, limit, grow)
}

// TestLeafAfterCrash: a process that dies once an entry is logged, before or after its leaf is stored, leaves one leaf to the next, who asks for nothing.
func TestLeafAfterCrash(t *testing.T) {
	t.Parallel()
	for name, dying := range map[string]*dyingStore{"before it is stored": {before: true}, "after it is stored": {after: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			store, server := openStore(t, filepath.Join(folder, "db")), rekortest.StartServer(t)
			dying.Store = store
			r := join(t, dying, openSource(t, store, server), folder, oneTree)
			stop := r.run(t)
			r.logAll(t, "file", 3)
			waitFor(t, "death", dying.isDead)
			stop()
			if size := must(store.OwnLog(t.Context(), treeLog(tree))).Tree.Size; size != 0 {
				t.Fatalf("the dead process has left %d records", size)
			}
			r = join(t, store, openSource(t, store, server), folder, oneTree)
			r.run(t)
			recordedTo(t, store, tree, 3)
			r.readAll(t, 3)
		})
	}
}

// TestBeforeTheFacade: what was logged before there was a facade has a leaf once somebody asks for it, and not before.
func TestBeforeTheFacade(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, server := openStore(t, filepath.Join(folder, "db")), rekortest.StartServer(t)
	unlisted := unlistedStore{store}
	r := join(t, unlisted, openSource(t, store, server), folder, oneTree)
	stop := r.run(t)
	subs := r.logAll(t, "early", 2)
	stop()
	r = join(t, store, openSource(t, store, server), folder, oneTree)
	r.run(t)
	later := r.logAll(t, "later", 1)
	recordedTo(t, store, tree, 1)
	if _, _, err := r.Recorded(t.Context(), subs[1], nil); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("what nobody has asked for: %v", err)
	}
	ids := r.awaitAll(t, []gateway.Submission{later[0], subs[1]})
	recordedTo(t, store, tree, 2)
	if len(ids) != 2 {
		t.Errorf("entries are %v", ids)
	}
}

// unlistedStore lists nothing.
type unlistedStore struct{ gateway.Store }

func (unlistedStore) AddMirror(context.Context, string) error { return nil }

// TestFormerTree: after a change of the key another tree goes on, with the indexes that come next; what is in the former one stays there, and is not
// recorded again.
func TestFormerTree(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, server := openStore(t, filepath.Join(folder, "db")), rekortest.StartServer(t)
	r := join(t, store, openSource(t, store, server), folder, oneTree)
	stop := r.run(t)
	c := newCLI(t, r.serve(t))
	uploaded := signFile(t, "former")
	first := uuidOf.FindStringSubmatch(c.run(t, append([]string{"upload"}, uploaded...)...))[1]
	subs := r.logAll(t, "former ", 2)
	recordedTo(t, store, tree, 3)
	c.run(t, "loginfo")
	before := r.readAll(t, 3)
	stop()

	two := append(slices.Clone(oneTree), struct {
		id  int64
		key string
	}{tree - 5, "next"})
	r = join(t, store, openSource(t, store, server), folder, two)
	r.run(t)
	c.url = r.serve(t)
	waitFor(t, "the end of the former tree", func() bool { return must(store.OwnLog(t.Context(), treeLog(tree))).Closed })
	out := c.run(t, append([]string{"upload"}, signFile(t, "next")...)...)
	second := uuidOf.FindStringSubmatch(out)[1]
	if !strings.Contains(out, "at index 3,") {
		t.Errorf("upload says %s", out)
	}
	if out := c.run(t, append([]string{"upload"}, uploaded...)...); !strings.Contains(out, "already exists") || !strings.Contains(out, first) {
		t.Errorf("a second upload says %s", out)
	}
	for id := range r.awaitAll(t, subs) {
		if id.Tree != tree {
			t.Errorf("%v was recorded again", id)
		}
	}
	after := r.readAll(t, 4)
	if !slices.Equal(after[:3], before) || after[3].Tree != tree-5 {
		t.Errorf("entries are %v, and were %v", after, before)
	}
	if out := c.run(t, "loginfo"); !strings.Contains(out, "Active Tree Size:       1") || !strings.Contains(out, "Total Tree Size:        4") {
		t.Errorf("loginfo says %s", out)
	}
	for _, id := range []string{first, second} {
		c.run(t, "verify", "--uuid", id)
		c.run(t, "get", "--uuid", id)
	}
	if _, err := c.try(t, "verify", "--uuid", fmt.Sprintf("%016x", tree-5)+first[16:]); err == nil {
		t.Error("an entry of the former tree is in the next one, too")
	}
}

// TestOlderStore: a store that was put back is told by the anchors that it does not know, and nothing is signed from then on.
func TestOlderStore(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "db")
	server := rekortest.StartServer(t)
	run := func(path, what string, n int) {
		store := openStore(t, path)
		r := join(t, store, openSource(t, store, server), folder, oneTree)
		stop := r.run(t)
		r.awaitAll(t, r.logAll(t, what, n))
		stop()
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(path, "first ", 2)
	older := t.TempDir()
	if err := os.CopyFS(filepath.Join(older, "copy"), os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	run(path, "second ", 2)
	store := openStore(t, filepath.Join(older, "copy", "db"))
	r := join(t, store, openSource(t, store, server), folder, oneTree)
	stop := r.run(t)
	waitFor(t, "doubt", func() bool { return r.own.Trouble() == gateway.TroubleForgotten })
	lost := r.logAll(t, "third ", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	if _, err := r.AwaitRecorded(ctx, lost[0], nil); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("what waits is recorded later: %v", err)
	}
	cancel()
	if _, _, err := r.Recorded(t.Context(), lost[0], nil); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("what waits is recorded: %v", err)
	}
	if _, _, err := r.EntryByIndex(t.Context(), 0); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("an entry is signed: %v", err)
	}
	if state := must(store.OwnLog(t.Context(), treeLog(tree))); state.Tree.Size != 2 {
		t.Errorf("the log has gone on to %d records", state.Tree.Size)
	}
	stop()

	anew := slices.Clone(oneTree)
	anew[0].id, anew[0].key = tree-7, "anew"
	r = join(t, store, openSource(t, store, server), folder, anew)
	r.run(t)
	for id, index := range r.awaitAll(t, lost) {
		if id.Tree != tree-7 || index != 0 {
			t.Errorf("in a log that begins anew it is %v, at %d", id, index)
		}
	}
}

// TestSlowLog: a log with a checkpoint every 10 s has an answer within the 30 s that rekor-cli waits.
func TestSlowLog(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := openStore(t, filepath.Join(folder, "db"))
	server := rekortest.StartServer(t, func(c *localrekor.Config) { c.CheckpointInterval = 10 * time.Second })
	r := join(t, store, openSource(t, store, server), folder, oneTree)
	r.run(t)
	c := newCLI(t, r.serve(t))
	r.awaitAll(t, r.logAll(t, "first ", 1))
	var all sync.WaitGroup
	for i := range 4 {
		args := signFile(t, fmt.Sprint("slow ", i))
		all.Go(func() {
			time.Sleep(time.Duration(i) * 4 * time.Second)
			begun := time.Now()
			if out, err := c.try(t, append([]string{"upload", "--timeout", "30s"}, args...)...); err != nil || !strings.Contains(out, "Created entry") || time.Since(begun) > 29*time.Second {
				t.Errorf("upload %d has taken %v: %v", i, time.Since(begun), err)
			}
		})
	}
	all.Wait()
}

// TestSearch: entries are found by their digests and keys.
func TestSearch(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, server := openStore(t, filepath.Join(folder, "db")), rekortest.StartServer(t)
	r := join(t, store, openSource(t, store, server), folder, oneTree)
	r.run(t)
	one, two := gatewaytest.Signed(t, "one"), gatewaytest.Signed(t, "two")
	var ids []rekorjson.ID
	for _, request := range []gateway.Request{one, two} {
		sub := must(r.log(t.Context(), request))
		for id := range r.awaitAll(t, []gateway.Submission{sub}) {
			ids = append(ids, id)
		}
	}
	digest := hex.EncodeToString(one.Digest.Value)
	key := func(request gateway.Request) *rekorjson.SearchPublicKey {
		return &rekorjson.SearchPublicKey{Format: "x509", Content: request.Keys[0]}
	}
	for name, test := range map[string]struct {
		search rekorjson.Search
		want   []rekorjson.ID
	}{
		"by digest":        {rekorjson.Search{Hash: "sha256:" + digest}, ids[:1]},
		"without a prefix": {rekorjson.Search{Hash: digest}, ids[:1]},
		"by key":           {rekorjson.Search{PublicKey: key(two)}, ids[1:]},
		"any":              {rekorjson.Search{Hash: digest, PublicKey: key(two), Operator: "or"}, ids},
		"both":             {rekorjson.Search{Hash: digest, PublicKey: key(one), Operator: "and"}, ids[:1]},
		"not both":         {rekorjson.Search{Hash: digest, PublicKey: key(two), Operator: "and"}, nil},
		"with an address":  {rekorjson.Search{Hash: digest, Email: "a@example.com", Operator: "and"}, nil},
		"another digest":   {rekorjson.Search{Hash: "sha512:" + digest}, nil},
		"no key":           {rekorjson.Search{PublicKey: &rekorjson.SearchPublicKey{Format: "pgp", Content: []byte("x")}}, nil},
	} {
		if got, err := r.Search(t.Context(), test.search); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestProofs: what is asked for beyond the log is not found, and a consistency proof leads from what was shown before.
func TestProofs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, server := openStore(t, filepath.Join(folder, "db")), rekortest.StartServer(t)
	r := join(t, store, openSource(t, store, server), folder, oneTree)
	if _, err := r.Info(t.Context()); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("a log is empty of which nothing is known: %v", err)
	}
	r.run(t)
	r.awaitAll(t, r.logAll(t, "one ", 3))
	old := must(r.Info(t.Context()))
	r.awaitAll(t, r.logAll(t, "two ", 4))
	now := must(r.Info(t.Context()))
	p := must(r.Proof(t.Context(), tree, uint64(old.TreeSize), uint64(now.TreeSize)))
	var hashes [][]byte
	for _, h := range p.Hashes {
		hashes = append(hashes, must(hex.DecodeString(h)))
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(old.TreeSize), uint64(now.TreeSize), hashes, must(hex.DecodeString(old.RootHash)), must(hex.DecodeString(now.RootHash))); err != nil {
		t.Error(err)
	}
	for _, sizes := range [][2]uint64{{0, 1}, {2, 1}, {1, 8}} {
		if _, err := r.Proof(t.Context(), 0, sizes[0], sizes[1]); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("a proof from %d to %d: %v", sizes[0], sizes[1], err)
		}
	}
	_, keyErr := r.PublicKey(t.Context(), 1)
	_, proofErr := r.Proof(t.Context(), 1, 1, 2)
	_, _, indexErr := r.EntryByIndex(t.Context(), -1)
	_, _, idErr := r.EntryByID(t.Context(), rekorjson.ID{Tree: 1})
	for _, err := range []error{keyErr, proofErr, indexErr, idErr} {
		if !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("what is not there: %v", err)
		}
	}
}

// TestEmptyIsKnown: a tree of which a store knows nothing is not said to be empty where records of it were shown.
func TestEmptyIsKnown(t *testing.T) {
	folder, server := t.TempDir(), rekortest.StartServer(t)
	runOnce(t, filepath.Join(folder, "db"), server, "lost ", 1)
	store := openStore(t, filepath.Join(t.TempDir(), "db"))
	r := join(t, store, openSource(t, store, server), folder, oneTree)
	r.run(t)
	waitFor(t, "doubt", func() bool {
		if info, err := r.Info(t.Context()); !errors.Is(err, gateway.ErrUnavailable) {
			t.Fatalf("it is said to be %+v: %v", info, err)
		}
		return r.own.Trouble() == gateway.TroubleForgotten
	})
	if info, err := r.Info(t.Context()); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("it is said to be %+v: %v", info, err)
	}
}

// TestSharedDatabase: gateways on one PostgreSQL database have one facade.
func TestSharedDatabase(t *testing.T) {
	t.Parallel()
	folder, dsn, server := t.TempDir(), postgrestest.Shared(t).NewDatabase(t, ""), rekortest.StartServer(t)
	var rooms []*room
	for range 2 {
		store := must(postgres.Open(t.Context(), dsn, postgres.Options{}))
		t.Cleanup(func() { _ = store.Close() })
		r := join(t, store, openSource(t, store, server), folder, oneTree)
		r.run(t)
		rooms = append(rooms, r)
	}
	waitFor(t, "certainty", func() bool { return rooms[0].own.IsCertain() && rooms[1].own.IsCertain() })
	subs := rooms[0].logAll(t, "zero ", 20)
	subs = append(subs, rooms[1].logAll(t, "one ", 20)...)
	ids := rooms[1].awaitAll(t, subs)
	recordedTo(t, rooms[0].store, tree, 40)
	if all := rooms[0].readAll(t, 40); len(ids) != 40 || len(all) != 40 {
		t.Errorf("%d of 40 entries were told", len(ids))
	}
}

// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources/tuftest"
)

const (
	rootTarget    = "trusted_root.json"
	signingTarget = "signing_config_rekor_v2.v0.2.json"
)

var made atomic.Int64

// targetsOf are the targets of a repository with one log, never the same twice.
func targetsOf(host string) map[string][]byte {
	start := lastYear.Add(time.Duration(made.Add(1)) * time.Second)
	return map[string][]byte{
		rootTarget: rootOf(keyOf(host, lastYear, time.Time{})), signingTarget: configOf(anyOf, 0, serviceOf(host, "a", 2, start, time.Time{})), "other": []byte("other"),
	}
}

// bench is a repository, and what is configured of it.
type bench struct {
	*tuftest.Repository
	cfg TUFConfig
	at  atomic.Int64 // what the clock is ahead
	log *bytes.Buffer
}

func startBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{Repository: tuftest.Start(t), log: new(bytes.Buffer)}
	b.cfg = TUFConfig{
		URL: b.URL, Root: b.First, Cache: filepath.Join(t.TempDir(), "cache"), TrustedRoot: rootTarget, SigningConfig: signingTarget, UserAgent: "test (mailto:ops@example.com)",
		Logger: slog.New(slog.NewTextHandler(b.log, nil)),
		Now:    func() time.Time { return time.Now().Add(time.Duration(b.at.Load())) },
	}
	return b
}

func (b *bench) open(t *testing.T) *TUF {
	t.Helper()
	s, err := NewTUF(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// origin returns the host in a snapshot's signing config.
func origin(s Snapshot) string {
	c, err := s.Read()
	if err != nil || len(c.signing.services) != 1 {
		return ""
	}
	return strings.TrimPrefix(c.signing.services[0].URL, "https://")
}

func (b *bench) refresh(t *testing.T, s *TUF, want string) {
	t.Helper()
	got, err := s.Refresh(t.Context())
	if err != nil || origin(got) != want || origin(s.Current()) != want {
		t.Fatalf("refreshed to %q, %v, want %q", origin(got), err, want)
	}
}

// load reads the cache as a program does that starts.
func (b *bench) load(t *testing.T, want string) {
	t.Helper()
	before := tree(t, b.cfg.Cache)
	got, err := b.open(t).Load()
	if origin(got) != want || (err == nil) != (want != "") {
		t.Fatalf("loaded %q, %v, want %q", origin(got), err, want)
	}
	if after := tree(t, b.cfg.Cache); !slices.Equal(before, after) {
		t.Fatalf("loading has changed the cache: %v, %v", before, after)
	}
}

// tree lists files with their sizes and times.
func tree(t *testing.T, dir string) (all []string) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			info := must(e.Info())
			all = append(all, path+" "+info.ModTime().String())
		}
		return nil
	})
	return all
}

func down(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusServiceUnavailable)
	return true
}

// TestFirstFetchAndCache: what was fetched is used without the repository, by another program, and a second time little is asked.
func TestFirstFetchAndCache(t *testing.T) {
	b := startBench(t)
	b.load(t, "")
	b.Publish(targetsOf("one.example"))
	s := b.open(t)
	b.refresh(t, s, "one.example")
	if st := s.Status(); st.Refreshed.IsZero() || st.Failed || time.Until(st.Expires) < 23*time.Hour || time.Until(st.Expires) > 24*time.Hour {
		t.Errorf("%+v", st)
	}
	if !b.HasSeen(b.cfg.UserAgent) || b.HasSeen("") {
		t.Error("another User-Agent")
	}
	b.Requests()
	b.refresh(t, s, "one.example")
	if got := b.Requests(); !slices.Equal(got, []string{"2.root.json", "timestamp.json"}) {
		t.Errorf("asked for %v", got)
	}
	b.SetFaults(down)
	b.load(t, "one.example")
	if _, err := s.Refresh(t.Context()); err == nil || !s.Status().Failed || origin(s.Current()) != "one.example" {
		t.Errorf("%v, %+v", err, s.Status())
	}
	if _, err := s.Refresh(t.Context()); err == nil {
		t.Error("refreshed")
	}
	b.SetFaults()
	b.refresh(t, s, "one.example")
	if text := b.log.String(); strings.Count(text, "was not refreshed") != 1 || strings.Count(text, "answers again") != 1 || s.Status().Failed {
		t.Errorf("log: %s", text)
	}
}

// TestPeekKeepsNothing: asking writes nothing.
func TestPeekKeepsNothing(t *testing.T) {
	b := startBench(t)
	b.Publish(targetsOf("one.example"))
	s := b.open(t)
	if got, err := s.Peek(t.Context()); err != nil || origin(got) != "one.example" || origin(s.Current()) != "" {
		t.Errorf("%q, %v", origin(got), err)
	}
	if all := tree(t, b.cfg.Cache); len(all) > 0 {
		t.Errorf("there is %v", all)
	}
	b.cfg.Cache = ""
	s = b.open(t)
	b.refresh(t, s, "one.example")
	if _, err := s.Load(); err == nil {
		t.Error("loaded from no cache")
	}
}

// TestRootRotates: all keys change, and the cache can still be read; what the former keys sign cannot.
func TestRootRotates(t *testing.T) {
	b := startBench(t)
	b.Publish(targetsOf("one.example"))
	b.refresh(t, b.open(t), "one.example")
	former := map[string]ed25519.PrivateKey{}
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		former[role] = b.Key(role)
	}
	b.Rotate(metadata.TOP_LEVEL_ROLE_NAMES[:]...)
	b.Rotate() // twice at once
	b.Publish(targetsOf("two.example"))
	b.refresh(t, b.open(t), "two.example")
	b.SetFaults(down)
	b.load(t, "two.example")
	b.SetFaults()
	for role, key := range former {
		if role == metadata.ROOT {
			continue
		}
		current := b.Key(role)
		b.SetKey(role, key)
		b.Publish(targetsOf("evil.example"))
		if got, err := b.open(t).Refresh(t.Context()); err == nil {
			t.Errorf("%s: the former key counts: %q", role, origin(got))
		}
		b.SetKey(role, current)
		b.load(t, "two.example")
	}
	b.Publish(targetsOf("three.example"))
	b.refresh(t, b.open(t), "three.example")

	b.SetKey(metadata.ROOT, former[metadata.ROOT]) // a root that the current one has not signed
	b.Rotate(metadata.TIMESTAMP)
	b.Publish(targetsOf("evil.example"))
	for range 2 { // also once it was fetched
		if got, err := b.open(t).Refresh(t.Context()); !errors.Is(err, &metadata.ErrUnsignedMetadata{}) {
			t.Errorf("a root of a key that was taken away counts: %q, %v", origin(got), err)
		}
		b.load(t, "three.example")
	}
}

// TestRotatedAndDown: a repository that fails behind its new root takes nothing away from what was whole before.
func TestRotatedAndDown(t *testing.T) {
	b := startBench(t)
	b.Publish(targetsOf("one.example"))
	b.refresh(t, b.open(t), "one.example")
	b.Rotate(metadata.TOP_LEVEL_ROLE_NAMES[:]...)
	b.Publish(targetsOf("two.example"))
	b.SetFaults(func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "timestamp.json") && down(w, r)
	})
	if _, err := b.open(t).Refresh(t.Context()); err == nil {
		t.Fatal("refreshed")
	}
	b.load(t, "one.example")
	b.SetFaults()
	b.refresh(t, b.open(t), "two.example")
	b.load(t, "two.example")
}

// TestStrangersCache: whoever can write the cache cannot have it be of another repository: the configured root has to lead there.
func TestStrangersCache(t *testing.T) {
	b, stranger := startBench(t), startBench(t)
	for _, b := range []*bench{b, stranger} {
		b.Publish(targetsOf("one.example"))
		b.refresh(t, b.open(t), "one.example")
	}
	stranger.Rotate()
	stranger.Publish(targetsOf("evil.example"))
	stranger.refresh(t, stranger.open(t), "evil.example")
	mine, theirs := newCache(b.cfg), newCache(stranger.cfg)
	if err := errors.Join(os.RemoveAll(mine.dir), os.CopyFS(mine.dir, os.DirFS(theirs.dir))); err != nil {
		t.Fatal(err)
	}
	b.load(t, "")
	b.refresh(t, b.open(t), "one.example")
	b.load(t, "one.example")
}

// TestCacheCannotBeWritten: what is fetched is used all the same, and the operator is told.
func TestCacheCannotBeWritten(t *testing.T) {
	b := startBench(t)
	b.cfg.Cache = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(b.cfg.Cache, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.Rotate(metadata.TIMESTAMP)
	b.Publish(targetsOf("one.example"))
	s := b.open(t)
	b.refresh(t, s, "one.example")
	if s.Status().Failed || !strings.Contains(b.log.String(), "cannot be written") {
		t.Errorf("%+v, log: %s", s.Status(), b.log)
	}
	b.SetFaults(down)
	if _, err := s.Refresh(t.Context()); err == nil || !s.Status().Failed || origin(s.Current()) != "one.example" {
		t.Errorf("down: %v", err)
	}
}

// TestRollback: no older version of a role counts, also for a program that starts.
func TestRollback(t *testing.T) {
	for _, role := range []string{metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS} {
		b := startBench(t)
		b.SetVersion(role, 7)
		b.Publish(targetsOf("one.example"))
		s := b.open(t)
		b.refresh(t, s, "one.example")
		b.SetVersion(role, 6)
		b.Publish(targetsOf("old.example"))
		for name, s := range map[string]*TUF{"at work": s, "started": b.open(t)} {
			if got, err := s.Refresh(t.Context()); err == nil {
				t.Errorf("%s, %s: rolled back to %q", role, name, origin(got))
			}
		}
		b.load(t, "one.example")
		b.SetVersion(role, 8)
		b.Publish(targetsOf("two.example"))
		b.refresh(t, s, "two.example")
	}
}

// TestFastForward: who stole the timestamp's and the snapshot's keys may have said the highest versions there are; new keys for them end that.
func TestFastForward(t *testing.T) {
	b := startBench(t)
	b.Publish(targetsOf("one.example"))
	for _, role := range []string{metadata.TIMESTAMP, metadata.SNAPSHOT} {
		b.SetVersion(role, math.MaxInt32)
	}
	b.Publish(targetsOf("one.example"))
	s := b.open(t)
	b.refresh(t, s, "one.example")
	for _, role := range []string{metadata.TIMESTAMP, metadata.SNAPSHOT} {
		b.SetVersion(role, 3)
	}
	b.Publish(targetsOf("two.example"))
	if got, err := s.Refresh(t.Context()); err == nil {
		t.Fatalf("rolled back to %q", origin(got))
	}
	b.Rotate(metadata.TIMESTAMP, metadata.SNAPSHOT)
	b.Publish(targetsOf("three.example"))
	b.refresh(t, s, "three.example")
	b.load(t, "three.example")
}

// TestExpiry: what has expired is not loaded, and replaces nothing; what is in use says when it ends.
func TestExpiry(t *testing.T) {
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		b := startBench(t)
		soon := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
		b.SetExpiry(role, soon)
		b.Rotate()
		b.Publish(targetsOf("one.example"))
		s := b.open(t)
		b.refresh(t, s, "one.example")
		if got := s.Status().Expires; !got.Equal(soon) {
			t.Errorf("%s: expires %v, want %v", role, got, soon)
		}
		b.load(t, "one.example")
		b.at.Store(int64(time.Hour + time.Second))
		b.load(t, "")
		if got, err := s.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("%s: %q, %v", role, origin(got), err)
		}
		if !s.Current().Expires.Equal(soon) || !s.Status().Failed {
			t.Errorf("%s: %+v", role, s.Status())
		}
		b.SetExpiry(role, soon.Add(24*time.Hour))
		b.Rotate()
		b.Publish(targetsOf("two.example"))
		b.refresh(t, s, "two.example")
	}
}

// TestBoundedAnswers: whatever the host does, a refresh ends in time, with little memory, and what was there stays.
func TestBoundedAnswers(t *testing.T) {
	after := func(name string, f func(w http.ResponseWriter, r *http.Request)) tuftest.Fault {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, name) {
				return false
			}
			f(w, r)
			return true
		}
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	}
	garbage := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
	}
	refuse := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
	headers := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) }
	b := startBench(t)
	b.cfg.RequestTimeout, b.cfg.RefreshTimeout = 300*time.Millisecond, 2*time.Second
	b.Publish(targetsOf("one.example"))
	s := b.open(t)
	b.refresh(t, s, "one.example")
	for fault, f := range map[string]func(w http.ResponseWriter, r *http.Request){
		"endless": endless, "hang": hang, "drip": drip, "garbage": garbage, "redirect": redirect, "403": refuse, "headers": headers,
	} {
		for _, name := range []string{"2.root.json", "/timestamp.json", ".snapshot.json", ".targets.json", rootTarget, signingTarget} {
			b.Publish(targetsOf("two.example"))
			b.SetFaults(after(name, f))
			started := time.Now()
			if got, err := s.Refresh(t.Context()); err == nil || origin(s.Current()) != "one.example" {
				t.Errorf("%s of %s: %q, %v", fault, name, origin(got), err)
			}
			if took := time.Since(started); took > b.cfg.RefreshTimeout+5*time.Second {
				t.Errorf("%s of %s: took %v", fault, name, took)
			}
			b.load(t, "one.example")
		}
	}
	b.SetFaults()
	b.refresh(t, s, "two.example")
}

// TestUselessTargets: what is signed and cannot be used changes nothing.
func TestUselessTargets(t *testing.T) {
	b := startBench(t)
	b.Publish(targetsOf("one.example"))
	s := b.open(t)
	b.refresh(t, s, "one.example")
	for name, spoil := range map[string]func(map[string][]byte){
		"no root":     func(m map[string][]byte) { delete(m, rootTarget) },
		"no config":   func(m map[string][]byte) { delete(m, signingTarget) },
		"odd root":    func(m map[string][]byte) { m[rootTarget] = []byte("{") },
		"odd config":  func(m map[string][]byte) { m[signingTarget] = []byte("{}") },
		"large root":  func(m map[string][]byte) { m[rootTarget] = make([]byte, 4<<20+1) },
		"large other": func(m map[string][]byte) { m[signingTarget] = make([]byte, 4<<20+1) },
	} {
		targets := targetsOf("two.example")
		spoil(targets)
		b.Publish(targets)
		if got, err := s.Refresh(t.Context()); err == nil || origin(s.Current()) != "one.example" {
			t.Errorf("%s: %q, %v", name, origin(got), err)
		}
		b.load(t, "one.example")
	}
}

// TestDamagedCache: the cache is verified, and what is torn does not stand in the way of a refresh.
func TestDamagedCache(t *testing.T) {
	b := startBench(t)
	b.Rotate()
	b.Publish(targetsOf("one.example"))
	b.refresh(t, b.open(t), "one.example")
	c := newCache(b.cfg)
	for name, damage := range map[string]func(path string) error{
		"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"garbage": func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) },
		"gone":    os.Remove,
	} {
		for _, file := range []string{
			c.rootFile(2), roleFile(c.metadata, metadata.ROOT), roleFile(c.metadata, metadata.TIMESTAMP), roleFile(c.metadata, metadata.SNAPSHOT), roleFile(c.metadata, metadata.TARGETS),
			roleFile(c.good, metadata.TIMESTAMP), roleFile(c.good, metadata.SNAPSHOT), roleFile(c.good, metadata.TARGETS), targetFile(c.good, rootTarget), targetFile(c.good, signingTarget),
		} {
			if err := damage(file); err != nil {
				t.Fatal(err)
			}
			if filepath.Dir(file) == c.good {
				b.load(t, "")
			} else {
				b.load(t, "one.example")
			}
			if _, err := b.open(t).Refresh(t.Context()); err != nil {
				t.Fatalf("%s %s: %v", name, file, err)
			}
			b.load(t, "one.example")
		}
	}
	if err := os.Rename(c.good, c.good+goodFormer); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	b.load(t, "one.example")
	b.refresh(t, b.open(t), "one.example")
	b.load(t, "one.example")
}

// TestPanics: what the library panics at is an error, whether somebody has signed it or not, in an answer and in the cache; what comes after it counts.
func TestPanics(t *testing.T) {
	const unsigned = `{"signed":{"_type":"targets","targets":{"x":null}},"signatures":[]}`
	b := startBench(t)
	b.Publish(targetsOf("one.example"))
	s := b.open(t)
	b.refresh(t, s, "one.example")
	c := newCache(b.cfg)
	refuse := func(name string) {
		t.Helper()
		for _, s := range []*TUF{s, b.open(t)} {
			if _, err := s.Refresh(t.Context()); !errors.Is(err, errUnreadable) || !s.Status().Failed {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.Peek(t.Context()); !errors.Is(err, errUnreadable) {
			t.Errorf("%s: peeking: %v", name, err)
		}
		b.load(t, "one.example")
	}
	b.Publish(targetsOf("two.example"))
	b.SetFaults(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, ".targets.json") {
			return false
		}
		_, _ = w.Write([]byte(unsigned))
		return true
	})
	refuse("targets without a key")
	b.SetFaults()
	b.PublishTimestamp(map[string]*metadata.MetaFiles{})
	refuse("a timestamp that names no snapshot")
	b.Publish(targetsOf("three.example"))
	b.refresh(t, s, "three.example")

	for _, file := range []string{roleFile(c.metadata, metadata.TARGETS), roleFile(c.good, metadata.TARGETS)} {
		if err := os.WriteFile(file, []byte(unsigned), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.open(t).Load(); !errors.Is(err, errUnreadable) {
		t.Errorf("loading: %v", err)
	}
	b.refresh(t, b.open(t), "three.example")
	b.load(t, "three.example")
}

// TestAnotherRoot: a root that somebody configures anew is a repository of its own; one that comes with the program goes on with the cache.
func TestAnotherRoot(t *testing.T) {
	b := startBench(t)
	b.Publish(targetsOf("one.example"))
	b.refresh(t, b.open(t), "one.example")
	stranger := startBench(t)
	b.cfg.Root = stranger.First
	b.load(t, "")
	if _, err := b.open(t).Refresh(t.Context()); err == nil {
		t.Error("another repository's root counts")
	}

	b = startBench(t)
	b.cfg.SharedRoot = true
	b.Publish(targetsOf("one.example"))
	b.refresh(t, b.open(t), "one.example")
	b.Rotate(metadata.TIMESTAMP)
	b.Publish(targetsOf("two.example"))
	b.refresh(t, b.open(t), "two.example")
	b.load(t, "two.example")
	b.cfg.Root = b.root(t, 2) // a newer program
	b.load(t, "two.example")
}

func (b *bench) root(t *testing.T, version int64) []byte {
	t.Helper()
	resp := must(http.Get(b.URL + "/2.root.json"))
	defer resp.Body.Close()
	var out bytes.Buffer
	must(out.ReadFrom(resp.Body))
	if v := must(readRootVersion(out.Bytes())); v != version {
		t.Fatalf("version %d", v)
	}
	return out.Bytes()
}

// TestPublicRoots: the roots that come with the program can be begun with.
func TestPublicRoots(t *testing.T) {
	for name, root := range map[string][]byte{"public": tuf.DefaultRoot(), "staging": tuf.StagingRoot()} {
		if _, err := NewTUF(TUFConfig{URL: "https://tuf.example", Root: root, Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, cfg := range map[string]TUFConfig{
		"no root": {URL: "https://tuf.example"}, "odd root": {URL: "https://tuf.example", Root: []byte("{}")}, "odd URL": {URL: "ftp://tuf.example", Root: tuf.DefaultRoot()},
	} {
		if s, err := NewTUF(cfg); err == nil || s != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

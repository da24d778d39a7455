// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// leafOf is the leaf hash of entry i, as grow makes it in an empty log.
func leafOf(i int) gateway.LeafHash {
	return hashedrekord.LeafHash(fmt.Appendf(nil, "entry %d after 0", i))
}

func TestFind(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 1100) // four full bundles and a partial one
	l := open(t, config(fake), new(rekortest.Checkpoints))
	tests := map[string]struct {
		leaves []int
		from   uint64
		want   []int
	}{
		"all over the log":       {[]int{0, 1, 255, 256, 511, 512, 1023, 1024, 1099}, 0, []int{0, 1, 255, 256, 511, 512, 1023, 1024, 1099}},
		"from within a bundle":   {[]int{299, 300, 301}, 300, []int{300, 301}},
		"only the last":          {[]int{1099}, 1099, []int{1099}},
		"from the end":           {[]int{1099}, 1100, nil},
		"from far past the end":  {[]int{1099}, 1 << 62, nil},
		"absent":                 {[]int{1100, 5000}, 0, nil},
		"absent beside present":  {[]int{700, 5000}, 0, []int{700}},
		"nothing":                {nil, 0, nil},
		"the same leaf repeated": {[]int{7, 7}, 0, []int{7}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var leaves []gateway.LeafHash
			for _, i := range test.leaves {
				leaves = append(leaves, leafOf(i))
			}
			found, err := l.Find(t.Context(), leaves, test.from)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != len(test.want) {
				t.Errorf("found %d, want %d", len(found), len(test.want))
			}
			for _, i := range test.want {
				got := found[leafOf(i)]
				checkInclusion(t, got, gateway.Entry{Body: fmt.Appendf(nil, "entry %d after 0", i)}, fake.Verifier())
				if got.Entry.GetLogIndex() != int64(i) {
					t.Errorf("index %d, want %d", got.Entry.GetLogIndex(), i)
				}
			}
		})
	}
}

// TestFindFirst: of an entry logged twice, the first one at or after from counts.
func TestFindFirst(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 300)
	fake.Append([]byte("twice"))
	grow(fake, 300)
	fake.Append([]byte("twice"))
	l := open(t, config(fake), new(rekortest.Checkpoints))
	leaf := hashedrekord.LeafHash([]byte("twice"))
	for from, want := range map[uint64]int64{0: 300, 300: 300, 301: 601} {
		found, err := l.Find(t.Context(), []gateway.LeafHash{leaf}, from)
		if err != nil || found[leaf] == nil || found[leaf].Entry.GetLogIndex() != want {
			t.Errorf("from %d: %v, %v; want index %d", from, found[leaf], err, want)
		}
	}
}

// TestFindBehindCache: the checkpoint fetched is older than one seen in an answer, be it by
// another process; the newer one counts.
func TestFindBehindCache(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 3)
	store := new(rekortest.Checkpoints)
	l, other := open(t, config(fake), store), open(t, config(fake), store)
	fake.ServeCheckpoint(fake.Checkpoint(3))
	wantSize(t, other, 3)
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("new"))
	if _, err := l.Add(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*rekorv2.Log{l, other} {
		found, err := l.Find(t.Context(), []gateway.LeafHash{e.LeafHash}, 3)
		if err != nil {
			t.Fatal(err)
		}
		checkInclusion(t, found[e.LeafHash], e, fake.Verifier())
	}
}

// TestFindFullForPartial: the bundle and tile that a checkpoint ends in have since become full,
// and their partial forms are gone.
func TestFindFullForPartial(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 600)
	fake.ServeCheckpoint(fake.Checkpoint(300))
	l := open(t, config(fake), new(rekortest.Checkpoints))
	leaves := []gateway.LeafHash{leafOf(0), leafOf(299), leafOf(300)}
	found, err := l.Find(t.Context(), leaves, 0)
	if err != nil || len(found) != 2 || found[leafOf(300)] != nil {
		t.Errorf("%v, %v; want those below the checkpoint's size", found, err)
	}
}

// TestFindBadReads: whatever the tiles' host does, Find gives no wrong absence.
func TestFindBadReads(t *testing.T) {
	t.Parallel()
	swapped := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = strings.Replace(r.URL.Path, "/tile/entries/001", "/tile/entries/000", 1)
			next.ServeHTTP(w, r)
		})
	}
	tests := map[string]struct {
		read func(http.Handler) http.Handler
		want string
	}{
		"another bundle":      {swapped, "bad answer"},
		"entry changed":       {rekortest.Corrupted("/tile/entries/002"), "bad answer"},
		"partial changed":     {rekortest.Corrupted("/tile/entries/004"), "bad answer"},
		"bundle cut":          {rekortest.Truncated("/tile/entries/002"), "bad answer"},
		"tile changed":        {rekortest.Corrupted("/tile/1/"), "bad answer"},
		"tile cut":            {rekortest.Truncated("/tile/1/"), "bad answer"},
		"bundles unavailable": {rekortest.Unavailable("/tile/entries/003"), "unavailable"},
		"tiles unavailable":   {rekortest.Unavailable("/tile/1/"), "unavailable"},
		"no checkpoint":       {rekortest.Unavailable("/checkpoint"), "unavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := rekortest.StartFake(t)
			grow(fake, 1100)
			l := open(t, config(fake), new(rekortest.Checkpoints))
			fake.OnRead(test.read)
			absent := []gateway.LeafHash{leafOf(5000)}
			if found, err := l.Find(t.Context(), absent, 0); kind(err) != test.want || found != nil {
				t.Errorf("%v, %v; want %s", found, err, test.want)
			}
			fake.OnRead(nil)
			if _, err := l.Find(t.Context(), absent, 0); err != nil {
				t.Errorf("bad reads are remembered: %v", err)
			}
		})
	}
}

// TestFindReadsLittle: a scan reads each bundle once and hardly any tiles.
func TestFindReadsLittle(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 1100)
	var reads atomic.Int64
	fake.OnRead(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reads.Add(1)
			next.ServeHTTP(w, r)
		})
	})
	l := open(t, config(fake), new(rekortest.Checkpoints))
	if _, err := l.Find(t.Context(), []gateway.LeafHash{leafOf(5000)}, 0); err != nil {
		t.Fatal(err)
	}
	if n := reads.Load(); n > 8 { // checkpoint, five bundles, the tile above them, the last tile
		t.Errorf("%d reads", n)
	}
}

// TestFindPassingTrouble: a read that fails once does not fail the scan.
func TestFindPassingTrouble(t *testing.T) {
	t.Parallel()
	fake := rekortest.StartFake(t)
	grow(fake, 600)
	var reads atomic.Int64
	fake.OnRead(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if reads.Add(1)%2 == 1 {
				http.Error(w, "try again", http.StatusBadGateway)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	l := open(t, config(fake), new(rekortest.Checkpoints))
	if found, err := l.Find(t.Context(), []gateway.LeafHash{leafOf(599)}, 599); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

func TestReadLimits(t *testing.T) {
	t.Parallel()
	elsewhere := rekortest.StartFake(t)
	tests := map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"redirect to another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.ReadURL()+r.URL.Path, http.StatusFound)
		}, "unavailable"},
		"endless redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, "unavailable"},
		"endless body": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, "bad answer"},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "unavailable"},
		"not found": {http.NotFound, "unavailable"},
		"forbidden": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "unavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := rekortest.StartFake(t)
			fake.OnRead(func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.UserAgent() != "rekor-gateway" {
						t.Errorf("user agent %q", r.UserAgent())
					}
					test.handle(w, r)
				})
			})
			cfg := config(fake)
			cfg.ReadTimeout = 200 * time.Millisecond
			l := open(t, cfg, new(rekortest.Checkpoints))
			if _, err := l.Size(t.Context()); kind(err) != test.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

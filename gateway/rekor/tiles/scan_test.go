// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// leafOf is the leaf hash of entry i, as grow makes it in an empty log.
func leafOf(i int) gateway.LeafHash {
	return tiles.LeafHash(fmt.Appendf(nil, "entry %d after 0", i))
}

func TestFind(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 1100) // four full bundles and a partial one
	l := open(t, fake, new(rekortest.Checkpoints))
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
			found, err := l.find(t.Context(), leaves, test.from)
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != len(test.want) {
				t.Errorf("found %d, want %d", len(found), len(test.want))
			}
			for _, i := range test.want {
				got, ok := found[leafOf(i)]
				if !ok || got.Index != uint64(i) || string(got.Entry) != fmt.Sprintf("entry %d after 0", i) {
					t.Errorf("%d: found %t, index %d, %q", i, ok, got.Index, got.Entry)
				}
				checkInclusion(t, fake, got)
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
	l := open(t, fake, new(rekortest.Checkpoints))
	leaf := tiles.LeafHash([]byte("twice"))
	for from, want := range map[uint64]uint64{0: 300, 300: 300, 301: 601} {
		found, err := l.find(t.Context(), []gateway.LeafHash{leaf}, from)
		if err != nil || len(found) != 1 || found[leaf].Index != want {
			t.Errorf("from %d: %v, %v; want index %d", from, found[leaf], err, want)
		}
	}
}

// TestFindWindow: a search ends where it is told to, and says so; a leaf that is there twice is counted.
func TestFindWindow(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 1100)
	fake.Append(fmt.Appendf(nil, "entry %d after 0", 600))
	l := open(t, fake, new(rekortest.Checkpoints))
	for _, test := range []struct{ from, to, want, absentTo, doubled uint64 }{
		{0, 600, 0, 600, 0}, {0, 601, 1, 601, 0}, {600, 601, 1, 601, 0}, {601, 1000, 0, 1000, 0}, {512, 5000, 1, 1101, 1}, {1101, 5000, 0, 1101, 0},
		{300, 300, 0, 300, 0},
	} {
		got, err := l.search(t.Context(), []gateway.LeafHash{leafOf(600), leafOf(5000)}, test.from, test.to)
		if err != nil || uint64(len(got.Found)) != test.want || got.AbsentTo != test.absentTo || uint64(got.Doubled) != test.doubled {
			t.Errorf("from %d to %d: %d found, absent to %d, %d doubled, %v", test.from, test.to, len(got.Found), got.AbsentTo, got.Doubled, err)
		}
	}
}

// TestFindCutShort: what was shown before a failure is kept, to the last whole bundle.
func TestFindCutShort(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 1100)
	l := open(t, fake, new(rekortest.Checkpoints))
	fake.OnRead(rekortest.Corrupted("/tile/entries/002"))
	leaves := []gateway.LeafHash{leafOf(10), leafOf(300), leafOf(600), leafOf(5000)}
	got, err := l.search(t.Context(), leaves, 5, 5000)
	if kind(err) != "bad answer" || len(got.Found) != 2 || got.AbsentTo != 512 {
		t.Fatalf("%d found, absent to %d, %v", len(got.Found), got.AbsentTo, err)
	}
	checkInclusion(t, fake, got.Found[leafOf(300)])
	fake.OnRead(nil)
	if got, err = l.search(t.Context(), leaves, got.AbsentTo, 5000); err != nil || len(got.Found) != 1 || got.AbsentTo != 1100 {
		t.Errorf("%d found, absent to %d, %v", len(got.Found), got.AbsentTo, err)
	}
}

// TestFindFullForPartial: the bundle and tile that a checkpoint ends in have since become full,
// and their partial forms are gone.
func TestFindFullForPartial(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 600)
	fake.ServeCheckpoint(fake.Checkpoint(300))
	l := open(t, fake, new(rekortest.Checkpoints))
	leaves := []gateway.LeafHash{leafOf(0), leafOf(299), leafOf(300)}
	found, err := l.find(t.Context(), leaves, 0)
	if _, ok := found[leafOf(300)]; err != nil || len(found) != 2 || ok {
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
			l := open(t, fake, new(rekortest.Checkpoints))
			fake.OnRead(test.read)
			absent := []gateway.LeafHash{leafOf(5000)}
			if found, err := l.find(t.Context(), absent, 0); kind(err) != test.want || len(found) != 0 {
				t.Errorf("%v, %v; want %s", found, err, test.want)
			}
			fake.OnRead(nil)
			if _, err := l.find(t.Context(), absent, 0); err != nil {
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
	l := open(t, fake, new(rekortest.Checkpoints))
	if _, err := l.find(t.Context(), []gateway.LeafHash{leafOf(5000)}, 0); err != nil {
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
	l := open(t, fake, new(rekortest.Checkpoints))
	if found, err := l.find(t.Context(), []gateway.LeafHash{leafOf(599)}, 599); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package facade_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/facade"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestOtherFormer: a list of former trees is refused that is not the one after which a tree began, since its key would sign other indexes, and record again
// what is recorded: with one left out, in another order, or with one that the store has never had. A tree that begins anew goes on from none.
func TestOtherFormer(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, server := openStore(t, filepath.Join(folder, "db")), rekortest.StartServer(t)
	source := openSource(t, store, server)
	all := slices.Clone(oneTree)
	var subs []map[int64]bool
	for i, name := range []string{"", "b", "c", "d"} {
		if i > 0 {
			all = append(all, trees{{tree - int64(i), name}}...)
		}
		r := join(t, store, source, folder, all)
		stop := r.run(t)
		index := map[int64]bool{}
		for _, at := range r.awaitAll(t, r.logAll(t, "tree "+name, 1)) {
			index[at] = true
		}
		subs = append(subs, index)
		stop()
	}
	for i, index := range subs {
		if !index[int64(i)] {
			t.Fatalf("the entry of tree %d is at %v", i, index)
		}
	}
	a, b, c, d := all[:1], all[1:2], all[2:3], all[3:4]
	never, anew := trees{{tree - 8, "never"}}, trees{{tree - 9, "anew"}}
	for name, test := range map[string]struct {
		list []trees
		want error
	}{
		"none":                        {[]trees{d}, facade.ErrOtherFormer},
		"without the first":           {[]trees{b, c, d}, facade.ErrOtherFormer},
		"without one between":         {[]trees{a, c, d}, facade.ErrOtherFormer},
		"another order":               {[]trees{a, c, b, d}, facade.ErrOtherFormer},
		"another first":               {[]trees{b, a, c, d}, facade.ErrOtherFormer},
		"one that never was":          {[]trees{never, a, b, c, d}, facade.ErrOtherFormer},
		"a new key without the last":  {[]trees{a, b, c, anew}, facade.ErrOtherFormer},
		"a new key without the first": {[]trees{b, c, d, anew}, facade.ErrOtherFormer},
		"the same":                    {[]trees{a, b, c, d}, nil},
		"a new key":                   {[]trees{a, b, c, d, anew}, nil},
		"a new key alone":             {[]trees{anew}, nil},
	} {
		if _, err := tryJoin(t, store, source, folder, slices.Concat(test.list...)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRestoredFormer: a tree is not gone on from whose store was put back and has forgotten what it had shown: the next one would promise the same indexes.
// One that begins anew, with the same key, does.
func TestRestoredFormer(t *testing.T) {
	t.Parallel()
	folder, older := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	path, server := filepath.Join(folder, "db"), rekortest.StartServer(t)
	runOnce(t, path, server, "first ", 2)
	if err := os.CopyFS(older, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	runOnce(t, path, server, "second ", 2)
	store := openStore(t, filepath.Join(older, "db"))
	next := trees{{tree - 5, "next"}}
	r := join(t, store, openSource(t, store, server), folder, slices.Concat(oneTree, next))
	stop := r.run(t)
	lost := r.logAll(t, "third ", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	if _, err := r.AwaitRecorded(ctx, lost[0], nil); !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("what comes next is recorded: %v", err)
	}
	if state := must(store.OwnLog(t.Context(), treeLog(tree))); state.Closed || r.endings[0].Trouble() != gateway.TroubleClosing {
		t.Errorf("the former tree has ended: %v, %q", state.Closed, r.endings[0].Trouble())
	}
	stop()

	r = join(t, store, openSource(t, store, server), folder, next)
	r.run(t)
	for id, index := range r.awaitAll(t, lost) {
		if id.Tree != tree-5 || index != 0 {
			t.Errorf("in a log that begins anew it is %v, at %d", id, index)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/transparency-dev/formats/log"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// openAnswering returns f's log, which answers every read with what said points to, and a status.
func openAnswering(t *testing.T, f *fake, said *any, status *int) *rekorv1.Log {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(*status)
		_ = json.NewEncoder(w).Encode(*said)
	}))
	t.Cleanup(server.Close)
	cfg := configOf(f)
	cfg.URL = server.URL
	l, err := rekorv1.New(cfg, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestReadEntry: an entry of any kind is passed on as the log says it, and one of which anything is not the log's is not.
func TestReadEntry(t *testing.T) {
	f := startFake(t)
	f.Append([]byte(`{"kind":"rekord"}`), []byte(`{"kind":"other"}`), []byte(`{"kind":"third"}`))
	other := startFake(t)
	var said any
	status := http.StatusOK
	l := openAnswering(t, f, &said, &status)
	for name, test := range map[string]struct {
		tamper func(a *answer)
		want   error
	}{
		"as it is":                    {func(*answer) {}, nil},
		"an attestation":              {func(a *answer) { a.entry["attestation"] = map[string]any{"data": []byte("nothing proves it")} }, nil},
		"another body":                {func(a *answer) { a.entry["body"] = []byte(`{"kind":"forged"}`) }, gateway.ErrBadAnswer},
		"another body that is signed": {func(a *answer) { a.entry["body"] = []byte(`{"kind":"forged"}`); f.promise(a) }, gateway.ErrBadAnswer},
		"another time":                {func(a *answer) { a.entry["integratedTime"] = 1 }, gateway.ErrBadAnswer},
		"another index":               {func(a *answer) { a.entry["logIndex"] = 5001 }, gateway.ErrBadAnswer},
		"another log":                 {func(a *answer) { a.entry["logID"] = strings.Repeat("0", 64); f.promise(a) }, gateway.ErrBadAnswer},
		"no promise":                  {func(a *answer) { delete(a.entry["verification"].(map[string]any), "signedEntryTimestamp") }, gateway.ErrBadAnswer},
		"no proof":                    {func(a *answer) { delete(a.entry["verification"].(map[string]any), "inclusionProof") }, gateway.ErrBadAnswer},
		"another place":               {func(a *answer) { a.proof["logIndex"] = 1 }, gateway.ErrBadAnswer},
		"another root":                {func(a *answer) { a.proof["rootHash"] = strings.Repeat("0", 64) }, gateway.ErrBadAnswer},
		"another size":                {func(a *answer) { a.proof["treeSize"] = 4 }, gateway.ErrBadAnswer},
		"no hashes":                   {func(a *answer) { a.proof["hashes"] = []string{} }, gateway.ErrBadAnswer},
		"hashes that are none":        {func(a *answer) { a.proof["hashes"] = []string{"x"} }, gateway.ErrBadAnswer},
		"another's checkpoint": {func(a *answer) {
			a.proof["checkpoint"] = signHead(t, other.key, log.Checkpoint{Origin: f.origin(), Size: f.tree.Size(), Hash: f.tree.Hash()})
		}, gateway.ErrBadAnswer},
		"another id":       {func(a *answer) { a.id = f.idOf([]byte("x")) }, gateway.ErrBadAnswer},
		"no id":            {func(a *answer) { a.id = "x" }, gateway.ErrBadAnswer},
		"an unknown tree":  {func(a *answer) { a.id = fmt.Sprintf("%016x", other.treeID) + a.id[16:] }, gateway.ErrNotFound},
		"a very long body": {func(a *answer) { a.entry["body"] = make([]byte, 1<<20) }, gateway.ErrBadAnswer},
	} {
		a := f.prove(0, f.bodies[0])
		want, err := rekorjson.ParseID(a.id)
		if err != nil {
			t.Fatal(err)
		}
		test.tamper(&a)
		said = map[string]any{a.id: a.entry}
		for way, read := range map[string]func() (rekorjson.ID, rekorjson.Entry, error){
			"index": func() (rekorjson.ID, rekorjson.Entry, error) { return l.EntryByIndex(t.Context(), f.before) },
			"id":    func() (rekorjson.ID, rekorjson.Entry, error) { return l.EntryByID(t.Context(), want) },
			"leaf": func() (rekorjson.ID, rekorjson.Entry, error) {
				return l.EntryByID(t.Context(), rekorjson.ID{Leaf: want.Leaf})
			},
		} {
			id, e, err := read()
			if !errors.Is(err, test.want) || test.want == nil && (id != want || string(e.Body) != string(f.bodies[0]) || e.Attestation != nil) {
				t.Errorf("%s, by %s: %v %s %v", name, way, id, e.Body, err)
			}
		}
	}
	whole := f.prove(1, f.bodies[1])
	said = map[string]any{whole.id: whole.entry}
	if _, _, err := l.EntryByIndex(t.Context(), f.before); !errors.Is(err, gateway.ErrBadAnswer) {
		t.Errorf("the entry at another index: %v", err)
	}
	if _, _, err := l.EntryByID(t.Context(), rekorjson.ID{Tree: f.treeID}); !errors.Is(err, gateway.ErrBadAnswer) {
		t.Errorf("the entry of another id: %v", err)
	}
	for code, want := range map[int]error{404: gateway.ErrNotFound, 400: gateway.ErrNotFound, 500: gateway.ErrUnavailable, 302: gateway.ErrUnavailable} {
		status = code
		if _, _, err := l.EntryByIndex(t.Context(), 0); !errors.Is(err, want) {
			t.Errorf("status %d: %v", code, err)
		}
	}
}

// TestReadLog: the state of the log is as its checkpoints say, which the log has signed.
func TestReadLog(t *testing.T) {
	f, stranger := startFake(t), startFake(t)
	f.Append([]byte("a"), []byte("b"))
	tree := func(key *fake, id int64) map[string]any {
		head := signHead(t, key.key, log.Checkpoint{Origin: fmt.Sprintf("%s - %d", host, id), Size: f.tree.Size(), Hash: f.tree.Hash()})
		return map[string]any{"treeID": fmt.Sprint(id), "treeSize": f.tree.Size(), "rootHash": hex.EncodeToString(f.tree.Hash()), "signedTreeHead": head}
	}
	with := func(of map[string]any, member string, value any) map[string]any { of[member] = value; return of }
	var said any
	status := http.StatusOK
	l := openAnswering(t, f, &said, &status)
	for name, test := range map[string]struct {
		said any
		want error
	}{
		"as it is":                     {tree(f, f.treeID), nil},
		"with a tree that was":         {with(tree(f, f.treeID), "inactiveShards", []any{tree(f, 7)}), nil},
		"with a stranger's tree":       {with(tree(f, f.treeID), "inactiveShards", []any{tree(stranger, 7)}), gateway.ErrBadAnswer},
		"by a stranger":                {tree(stranger, f.treeID), gateway.ErrBadAnswer},
		"another tree's checkpoint":    {with(tree(f, f.treeID), "treeID", "7"), gateway.ErrBadAnswer},
		"another size":                 {with(tree(f, f.treeID), "treeSize", 3), gateway.ErrBadAnswer},
		"another root":                 {with(tree(f, f.treeID), "rootHash", strings.Repeat("0", 64)), gateway.ErrBadAnswer},
		"no checkpoint":                {map[string]any{"treeID": fmt.Sprint(f.treeID)}, gateway.ErrBadAnswer},
		"no JSON of that kind":         {[]string{}, gateway.ErrBadAnswer},
		"with a tree of no checkpoint": {with(tree(f, f.treeID), "inactiveShards", []any{map[string]any{"treeID": "7"}}), gateway.ErrBadAnswer},
	} {
		said = test.said
		info, err := l.Info(t.Context())
		if !errors.Is(err, test.want) || test.want == nil && (info.TreeSize != 2 || info.TreeID != fmt.Sprint(f.treeID)) {
			t.Errorf("%s: %+v %v", name, info, err)
		}
	}
	said = []string{strings.Repeat("0a", 40)}
	if ids, err := l.Search(t.Context(), rekorjson.Search{Hash: "sha256:00"}); err != nil || len(ids) != 1 {
		t.Errorf("search: %v %v", ids, err)
	}
	said = []string{"x"}
	if _, err := l.Search(t.Context(), rekorjson.Search{}); !errors.Is(err, gateway.ErrBadAnswer) {
		t.Errorf("what is no id: %v", err)
	}
	said = map[string]any{"rootHash": "x", "hashes": []string{}}
	if _, err := l.Proof(t.Context(), 0, 1, 2); !errors.Is(err, gateway.ErrBadAnswer) {
		t.Errorf("a proof that is none: %v", err)
	}
	if _, err := l.Proof(t.Context(), 7, 1, 2); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("a proof of an unknown tree: %v", err)
	}
	for id, want := range map[int64]error{0: nil, f.treeID: nil, 7: gateway.ErrNotFound} {
		if key, err := l.PublicKey(t.Context(), id); !errors.Is(err, want) || want == nil && !strings.HasPrefix(string(key), "-----BEGIN PUBLIC KEY-----\n") {
			t.Errorf("key of tree %d: %s %v", id, key, err)
		}
	}
}

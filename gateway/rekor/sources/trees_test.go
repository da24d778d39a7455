// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// v1Key is a key of a Rekor v1 log.
type v1Key struct {
	*ecdsa.PrivateKey
	spki []byte
}

func newV1Key() v1Key {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return v1Key{key, must(x509.MarshalPKIXPublicKey(key.Public()))}
}

func (k v1Key) in(host string, start, end time.Time) trustroot.LogKey {
	return trustroot.LogKey{Origin: host, SPKI: k.spki, Start: start, End: end}
}

// head is the checkpoint of a tree of the host.
func (k v1Key) head(host string, tree int, size uint64) string {
	root := rfc6962.DefaultHasher.EmptyRoot()
	text := log.Checkpoint{Origin: fmt.Sprint(host, " - ", tree), Size: size, Hash: root}.Marshal()
	digest, id := sha256.Sum256(text), sha256.Sum256(k.spki)
	line := append(id[:4:4], must(ecdsa.SignASN1(rand.Reader, k.PrivateKey, digest[:]))...)
	return string(text) + "\n— " + host + " " + base64.StdEncoding.EncodeToString(line) + "\n"
}

func describeTrees(trees []rekorv1.Tree) []string {
	var out []string
	for _, t := range trees {
		end := "-"
		if !t.Log.End.IsZero() {
			end = t.Log.End.Format(time.DateOnly)
		}
		out = append(out, fmt.Sprintf("%s …%s %s closed=%v", t.Log.Origin, end, t.URL, t.Closed))
	}
	return out
}

// TestListTrees: the signing config says which host is written to and until when, and the log's signed checkpoints which trees it has.
func TestListTrees(t *testing.T) {
	one, two, stranger := newV1Key(), newV1Key(), newV1Key()
	keys := rootOf(one.in("one.example", lastYear, time.Time{}), two.in("two.example", lastYear, time.Time{}), keyOf("v2.example", lastYear, time.Time{}))
	services := configOf(anyOf, 0,
		serviceOf("one.example", "a", 1, lastYear, midnight.AddDate(0, 0, 9)),
		serviceOf("two.example", "a", 1, midnight, time.Time{}),
		serviceOf("v2.example", "a", 2, lastYear, time.Time{}),
		serviceOf("other.example", "b", 1, lastYear, time.Time{}))
	said := map[string]Said{
		"https://one.example": {Checkpoints: []string{one.head("one.example", 7, 0), one.head("one.example", 3, 0), stranger.head("one.example", 4, 0), one.head("two.example", 5, 0)}},
		"https://two.example": {Checkpoints: []string{two.head("two.example", 9, 0)}},
	}
	with := func(first string) map[string]Said {
		return map[string]Said{"https://one.example": {Checkpoints: []string{first}}}
	}
	current := "one.example - 7 …2026-06-02 https://one.example closed=false" // two.example begins then, before its own end
	former := "one.example - 3 …- https://one.example closed=false"
	next := "two.example - 9 …- https://two.example closed=false"
	for name, test := range map[string]struct {
		log  Log
		at   time.Time
		said map[string]Said
		want []string
		err  string
	}{
		"of an operator":      {Log{Operator: "a"}, now, said, []string{current, next, former}, ""},
		"by the clock":        {Log{Operator: "a"}, midnight, said, []string{next, "one.example - 7 …- https://one.example closed=false", former}, ""},
		"closed":              {Log{Operator: "a", Former: []Former{{Origin: "one.example - 3", Closed: true}}}, now, said, []string{current, next, strings.Replace(former, "false", "true", 1)}, ""},
		"former, not named":   {Log{Operator: "a", Former: []Former{{Origin: "one.example - 1"}}}, now, said, []string{current, next, former, "one.example - 1 …- https://one.example closed=false"}, ""},
		"former, in use":      {Log{Operator: "a", Former: []Former{{Origin: "one.example - 7"}}}, now, said, nil, "is the one that is written to"},
		"former, unknown":     {Log{Operator: "a", Former: []Former{{Origin: "gone.example - 7"}}}, now, said, nil, "no key for the former log"},
		"of which":            {Log{}, now, said, nil, "operator: a, b"},
		"without a key":       {Log{Operator: "b"}, now, said, nil, "no key in use for a log of Rekor v1"},
		"not said":            {Log{Operator: "a"}, now, nil, nil, "the log at https://one.example has not said yet which tree it writes to"},
		"not said, and why":   {Log{Operator: "a"}, now, map[string]Said{"https://one.example": {Err: errUnreadable}}, nil, "writes to: " + errUnreadable.Error()},
		"by a stranger":       {Log{Operator: "a"}, now, with(stranger.head("one.example", 4, 0)), nil, "reading checkpoint"},
		"of another host":     {Log{Operator: "a"}, now, with(two.head("two.example", 9, 0)), nil, "which is no tree of one.example"},
		"of no tree":          {Log{Operator: "a"}, now, with(strings.Replace(one.head("one.example", 7, 0), " - 7", "", 1)), nil, "which is no tree of one.example"},
		"not a checkpoint":    {Log{Operator: "a"}, now, with("one.example - 7"), nil, "reading checkpoint"},
		"before there is one": {Log{Operator: "a"}, lastYear.AddDate(-1, 0, 0), said, nil, "no log of Rekor API version 1 that is in use"},
	} {
		test.log.RekorV1 = true
		c := read(t, Snapshot{TrustedRoot: keys, SigningConfig: services, Trees: test.said})
		got, err := c.ListTrees(test.log, test.at)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", name, err, test.err)
			continue
		}
		sorted, want := slices.Sorted(slices.Values(describeTrees(got))), slices.Sorted(slices.Values(test.want))
		if !slices.Equal(sorted, want) || len(got) > 0 && describeTrees(got)[0] != test.want[0] {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(describeTrees(got), "\n"), strings.Join(test.want, "\n"))
		}
	}
	c := read(t, Snapshot{TrustedRoot: keys, SigningConfig: configOf(anyOf, 0, serviceOf("one.example", "a", 1, lastYear, time.Time{}), serviceOf("v2.example", "a", 2, lastYear, time.Time{}))})
	if shards, err := c.ListShards(Log{Others: []string{"two.example"}}, now); err != nil || len(shards) != 1 {
		t.Errorf("a host of version 1 is a former shard of version 2: %v, %v", describe(shards), err)
	}
}

// TestAskTrees: what a log has said is kept for the next start, asked for again from time to time, and lost by nothing that goes wrong.
func TestAskTrees(t *testing.T) {
	key, stranger := newV1Key(), newV1Key()
	var answer any
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if answer == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	const host = "127.0.0.1"
	say := func(head string, former ...string) {
		shards := []any{}
		for _, f := range former {
			shards = append(shards, map[string]any{"signedTreeHead": f})
		}
		answer = map[string]any{"signedTreeHead": head, "inactiveShards": shards}
	}
	service := serviceOf("", "a", 1, lastYear, time.Time{})
	service.URL = server.URL
	snapshot := Snapshot{TrustedRoot: rootOf(key.in(host, lastYear, time.Time{})), SigningConfig: configOf(anyOf, 0, service)}
	contents, logs, at := read(t, snapshot), []Log{{RekorV1: true}}, now
	var told bytes.Buffer
	cfg := TreesConfig{Cache: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&told, nil)), Now: func() time.Time { return at }}
	trees := NewTrees(cfg)
	sum := func() [32]byte {
		s := snapshot
		s.Trees = trees.Update(t.Context(), contents, logs, at)
		return s.Sum()
	}
	wantTree := func(what string, trees *Trees, want string) {
		t.Helper()
		s := snapshot
		s.Trees = trees.Update(t.Context(), contents, logs, at)
		got, err := read(t, s).ListTrees(logs[0], at)
		if want == "" {
			if err == nil {
				t.Errorf("%s: %v", what, describeTrees(got))
			}
			return
		}
		if err != nil || got[0].Log.Origin != host+" - "+want {
			t.Errorf("%s: %v, %v", what, describeTrees(got), err)
		}
	}
	wantTree("no answer", trees, "")
	say(key.head(host, 7, 0))
	wantTree("asked too soon", trees, "")
	at = at.Add(treesRetry)
	wantTree("an answer", trees, "7")
	first := sum()
	at = at.Add(treesEvery)
	before := asked
	say(key.head(host, 7, 0), stranger.head(host, 8, 0))
	if sum() != first || asked != before+1 {
		t.Errorf("the same trees are something new, or it was not asked (%d requests)", asked-before)
	}
	at = at.Add(treesEvery)
	say(stranger.head(host, 9, 0))
	wantTree("a stranger", trees, "7")
	at = at.Add(treesEvery)
	say(key.head(host, 10, 0), key.head(host, 7, 0))
	wantTree("another tree", trees, "10")
	at = at.Add(treesEvery)
	say(key.head(host, 11, 0), stranger.head(host, 8, 0), "<<<")
	wantTree("one that does not mention the others", trees, "11")
	answer = nil
	wantTree("a start without the log", NewTrees(cfg), "11")
	s := snapshot
	s.Trees = NewTrees(cfg).Update(t.Context(), contents, logs, at)
	all := must(read(t, s).ListTrees(logs[0], at))
	if kept := s.Trees[server.URL].Checkpoints; len(all) != 3 || len(kept) != 3 {
		t.Errorf("trees that were known are forgotten, or kept what nobody has signed: %v, %d checkpoints", describeTrees(all), len(kept))
	}
	at = at.Add(treesEvery)
	var many []string
	for tree := range 2 * maxTrees {
		many = append(many, key.head(host, 100+tree, 0))
	}
	say(key.head(host, 12, 0), many...)
	wantTree("more trees than any log has", trees, "12")
	if kept := trees.Update(t.Context(), contents, logs, at)[server.URL].Checkpoints; len(kept) != maxTrees {
		t.Errorf("%d checkpoints are kept", len(kept))
	}
	answer = nil
	cfg.Cache = ""
	wantTree("a start without either", NewTrees(cfg), "")
	if !strings.Contains(told.String(), "asked for its trees in vain") {
		t.Errorf("the operator was told:\n%s", &told)
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

const logConfig = `
trusted_root: trusted_root.json
logs:
  - {id: new, origin: new.example, url: 'http://127.0.0.1:1'}
  - {id: spare, operator: example.com}
source: {signing_config: signing_config.json}
policy: {logs: {list: [new]}}
store: {sqlite: {path: store.db}}
`

// What waits for a log of Rekor v1 is nothing for one of Rekor v2, nor the other way round.
func TestReplanToAnotherKind(t *testing.T) {
	l := newLogCommands(t)
	both := strings.Replace(logConfig, "source:", "  - {id: v1, kind: rekor-v1, origin: 'v1.example - 1', url: 'http://127.0.0.1:1'}\nsource:", 1)
	if err := os.WriteFile(filepath.Join(l.dir, "config.yaml"), []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][]string{{"new", "v1"}, {"v1", "new"}} {
		l.run(2, `are logs of two kinds, and an entry that was made for one is none of the other`, "replan", pair[0], "--to", pair[1])
	}
	l.run(0, `^0 entries of 0 submissions go`, "replan", "spare", "--to", "new")
}

// logCommands is a store with a log that is gone: an entry that was never sent, one in doubt, one under way.
type logCommands struct {
	t     *testing.T
	dir   string
	store *sqlite.Store // open meanwhile, as by a gateway
}

func newLogCommands(t *testing.T) *logCommands {
	t.Helper()
	l := &logCommands{t: t, dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(l.dir, "config.yaml"), []byte(logConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if l.store, err = sqlite.Open(t.Context(), filepath.Join(l.dir, "store.db"), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.store.Close() })
	l.enqueue("in doubt", "under way")
	shard := gateway.Shard{Origin: "old.example", KeyID: sha256.Sum256([]byte("key"))}
	if _, err := l.store.KeepCheckpoint(t.Context(), shard, nil, gateway.Checkpoint{Size: 7, Envelope: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	claimed, err := l.store.Claim(t.Context(), gateway.ClaimParams{Log: "old", Lease: time.Minute, Limit: 2, InFlight: 9, Shard: shard, TreeSize: 7})
	if err != nil || len(claimed) != 2 {
		t.Fatalf("%+v, %v", claimed, err)
	}
	_, err = l.store.Finish(t.Context(), []gateway.Outcome{{EntryID: claimed[0].ID, Fence: claimed[0].Fence, Retry: true, InDoubt: true, Problem: gateway.ProblemUnknown}})
	if err != nil {
		t.Fatal(err)
	}
	l.enqueue("new")
	return l
}

func (l *logCommands) enqueue(names ...string) {
	l.t.Helper()
	for _, name := range names {
		if _, err := l.store.Enqueue(l.t.Context(), []gateway.NewSubmission{storetest.NewSubmission("alice", name, "old")}); err != nil {
			l.t.Fatal(err)
		}
	}
}

// run runs rekor-gateway log, and compares the exit code and the lines.
func (l *logCommands) run(exit int, want string, args ...string) {
	l.t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"log"}, append(args, "--config", filepath.Join(l.dir, "config.yaml"))...)
	got := runProgram(l.t.Context(), args, &out, &errs)
	text := out.String() + errs.String()
	if got != exit || !regexp.MustCompile("(?ms)"+want).MatchString(text) {
		l.t.Errorf("%s: exit %d:\n%swant exit %d and %s", strings.Join(args, " "), got, text, exit, want)
	}
}

// What waits for a log that is gone is seen, moved and given up, while the store is in use.
func TestLogCommands(t *testing.T) {
	l := newLogCommands(t)
	l.run(0, `^new +in use +nothing pending$.^spare +configured, not in policy.logs +nothing pending$.^  from signing config \S+/signing_config.json, operator example.com *$.`+
		`^old +not configured +3 pending \(1 in doubt, 1 under way\), the oldest for \d+s$.^  old.example +size 7, key [0-9a-f]{8} +2 pending \(1 in doubt\)$`, "list")
	l.run(0, `^\{"logs":\[\{"id":"new","configured":true,"recorded":true,"source":"","retired":false,"pending":0,"inDoubt":0,"underWay":0,"oldestSeconds":0,"own":null,"shards":\[\]\},`+
		`.*\{"id":"old","configured":false,"recorded":false,"source":"","retired":false,"pending":3,"inDoubt":1,"underWay":1,"oldestSeconds":\d+,"own":null,`+
		`"shards":\[\{"origin":"old.example","keyId":"[0-9a-f]{64}","pending":2,"inDoubt":1,"checkpointSize":7,"forked":false\}\]\}\]\}$`, "list", "--output", "json")
	l.run(0, "^new\nspare\nold\n$", "list", "--quiet")

	l.run(2, `hint: add --yes to do it`, "retire", "old")
	l.run(4, `1 entries are in doubt and 1 under way$.^hint: wait until`, "retire", "old", "--yes")
	l.run(4, `"reason":"LOG_UNSETTLED"`, "retire", "old", "--yes", "--output", "json")

	l.run(2, `there is no log "older" in the store, nor in the configuration \(did you mean "old"\?\)`, "replan", "older", "--to", "new")
	l.run(2, `there is no log "gone" in the configuration`, "replan", "old", "--to", "gone")
	l.run(2, `a log cannot take over from itself`, "replan", "new", "--to", "new")
	l.run(4, `^1 entries of 1 submissions go from old to new$.*1 entries are in doubt and 1 under way: they may be in old, and were left`, "replan", "old", "--to", "new")
	l.run(4, `^\{"log":"old","to":"new","moved":0,"submissions":0,"leftInDoubt":1,"leftUnderWay":1,"leftOthers":0,"error":`, "replan", "old", "--to", "new", "--output", "json")
	l.run(0, `^0 entries of 0 submissions go`, "replan", "spare", "--to", "new")
	l.run(0, `^2 entries of 2 submissions go from old to new$`, "replan", "old", "--to", "new", "--in-doubt")

	l.enqueue("later")
	l.run(0, `^log old is retired; 1 entries of 1 submissions were given up$`, "retire", "old", "--yes")
	l.run(0, `^old +not configured, RETIRED +nothing pending$`, "list")
	l.run(0, `^log new is retired; 3 entries of 3 submissions were given up$`, "retire", "new", "--yes")
	l.run(0, `^new +configured, RETIRED +nothing pending$`, "list")
	l.run(2, `take its mark back`, "replan", "old", "--to", "new")
	l.run(2, `--undo gives nothing up`, "retire", "old", "--undo", "--yes")
	l.run(0, `^log old is not retired any more$`, "retire", "old", "--undo")
	l.run(2, `is not retired`, "retire", "old", "--undo")
	l.run(2, `nothing was ever recorded for a log spare`, "retire", "spare", "--yes")
	l.run(2, `the log's id is missing`, "retire")
}

// With --in-doubt, what is left is said to be in the other log anyway, and the flag is not proposed.
func TestReplanInDoubtSaysWhatIsLeft(t *testing.T) {
	l := newLogCommands(t)
	both := storetest.NewSubmission("alice", "both", "old")
	both.Entries = append(both.Entries, storetest.NewSubmission("alice", "both", "new").Entries...)
	if _, err := l.store.Enqueue(t.Context(), []gateway.NewSubmission{both}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.Claim(t.Context(), gateway.ClaimParams{Log: "old", Lease: time.Minute, Limit: 9, InFlight: 9, Shard: gateway.Shard{Origin: "old.example"}}); err != nil {
		t.Fatal(err)
	}
	l.run(4, `1 under way, and were left: their submissions are recorded in new anyway$.^hint: wait .*log retire with --give-up-doubt$`, "replan", "old", "--to", "new", "--in-doubt")
}

// What was put in its place is still known to be an older copy after such a command.
func TestLogCommandsLeaveARestoreToBeSeen(t *testing.T) {
	l := newLogCommands(t)
	if err := l.store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(l.dir, "store.db.incarnation")); err != nil {
		t.Fatal(err)
	}
	l.run(0, "^old", "list")
	reopened, err := sqlite.Open(t.Context(), filepath.Join(l.dir, "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reopened.Close()
	if !reopened.Incarnation().Restored {
		t.Error("the gateway does not know any more that its store is an older copy")
	}
}

// A command makes no store.
func TestLogCommandsWithoutAStore(t *testing.T) {
	l := &logCommands{t: t, dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(l.dir, "config.yaml"), []byte(logConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(2, `there is no store: file does not exist`, "list")
	if files, err := os.ReadDir(l.dir); err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
}

// Logs of the gateway's own are listed as such, and are neither given up nor moved.
func TestLogCommandsOnOwnLogs(t *testing.T) {
	l := newLogCommands(t)
	const config = logConfig + `
attestation: {key: key, create_key: true, gateway_trust: trust.json}
own_log: {origin: gateway.example/second, key: own.key, anchor_key: anchor.key, create_keys: true, closed: [gateway.example/first]}
`
	if err := os.WriteFile(filepath.Join(l.dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(0, `^own-71071e20 +own log, in use +nothing pending$.^  gateway.example/second +0 records, 0 anchored`, "list")
	for id, origin := range map[string]string{"own-first": "gateway.example/first", "own-71071e20": "gateway.example/second", "own-third": "gateway.example/third"} {
		if err := l.store.AddOwnLog(t.Context(), id, origin); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.store.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("alice", "one", "own-first"), storetest.NewSubmission("alice", "two", "own-first")}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.store.Sequence(t.Context(), "own-first", 1, storetest.GrowTree); err != nil {
		t.Fatal(err)
	}
	l.run(0, `^own-71071e20 +own log, in use +nothing pending$.*^own-first +own log, not configured +2 pending.*$.^  gateway.example/first +1 records, 0 anchored.*^own-third +own log, not configured`, "list")
	if _, err := l.store.CloseOwnLog(t.Context(), gateway.CloseParams{Log: "own-first", To: "own-71071e20", Limit: 9}); err != nil {
		t.Fatal(err)
	}
	l.run(0, `^own-71071e20 +own log, in use +2 pending.*^own-first +own log, closed +nothing pending$`, "list")
	l.run(0, `\{"id":"own-first","configured":false,.*"own":\{"origin":"gateway.example/first","records":1,"anchored":0,"closed":true\}`, "list", "--output", "json")
	for _, args := range [][]string{
		{"retire", "own-first", "--yes"}, {"retire", "own-71071e20"}, {"replan", "own-first", "--to", "new"}, {"replan", "old", "--to", "own-71071e20"}, {"replan", "old", "--to", "own-third"},
	} {
		l.run(2, `log is the gateway's own: own-[a-z0-9]+$.^hint: .* own_log.closed`, args...)
		l.run(2, `"reason":"LOG_IS_OWN"`, append(args, "--output", "json")...)
	}
}

// TestLogListFacade: a facade is none of the configured own log's kind, and is not said to be missing.
func TestLogListFacade(t *testing.T) {
	for closed, want := range map[bool]string{false: "facade for Rekor v1's clients", true: "facade for Rekor v1's clients, closed"} {
		row := logRow{ID: gateway.FacadeLogID(7), Own: &ownRow{Closed: closed}}
		if got := row.describe(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

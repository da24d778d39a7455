// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// model is what was sent to a gateway and what it has answered, to which the outcome is held.
type model struct {
	planned  []planned // by number
	priority string    // of what is sent over gRPC

	sending sync.RWMutex // held by who sends; what follows does not change while it is locked

	mu     sync.Mutex                  // guards what follows
	conns  map[string]*grpc.ClientConn // by address
	next   int                         // the number that is sent next
	ids    []string                    // that were accepted, by number; "" where none was yet
	leaves []string                    // of those that are logged, by number
	logs   []string                    // in which they are
	lost   map[int]bool                // numbers of those that a restore has lost
	tried  map[int]bool                // numbers of those that were sent, whether or not that was answered
	// unsure are numbers of those that were tried before a restore, and not answered: it may have lost what was logged already.
	unsure map[int]bool
}

func newModel(all []planned) *model {
	return &model{
		planned: all, ids: make([]string, len(all)), leaves: make([]string, len(all)), logs: make([]string, len(all)),
		conns: map[string]*grpc.ClientConn{}, lost: map[int]bool{}, tried: map[int]bool{}, unsure: map[int]bool{},
	}
}

// take returns the numbers of submissions to be sent next, of one tenant: at most so many, and no more than this part of
// all in sum. It returns nil once there are none.
func (m *model) take(most int, part float64) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next == len(m.planned) {
		return nil
	}
	numbers := []int{}
	for end := min(m.next+most, int(part*float64(len(m.planned)))+1, len(m.planned)); m.next < end; m.next++ {
		if len(numbers) > 0 && m.planned[m.next].tenant != m.planned[numbers[0]].tenant {
			break
		}
		numbers = append(numbers, m.next)
	}
	return numbers
}

// noteAccepted notes an answer. What was accepted once keeps its ID: another one would mean that it was lost.
func (m *model) noteAccepted(t *testing.T, number int, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if before := m.ids[number]; id == "" || before != "" && before != id {
		t.Errorf("submission %d was accepted as %q, and is %q now", number, before, id)
	}
	m.ids[number] = id
}

// noteTried notes that submissions are being sent.
func (m *model) noteTried(numbers ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, n := range numbers {
		m.tried[n] = true
	}
}

// acceptedOne returns one that was accepted.
func (m *model) acceptedOne(random *rand.Rand) (number int, id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next == 0 {
		return 0, ""
	}
	number = random.IntN(m.next)
	return number, m.ids[number]
}

// readAll asks for what was accepted, in every way, until stop is closed. Only that it has the gateway read matters.
func (m *model) readAll(pick func(*rand.Rand) *deployment, random *rand.Rand, stop <-chan struct{}) {
	for ; !isClosed(stop); time.Sleep(50 * time.Millisecond) {
		g := pick(random)
		n, id := m.acceptedOne(random)
		answer, err := m.get(g, n, "/v1/submissions/"+id)
		if err != nil || len(answer.Entries) == 0 {
			continue
		}
		for _, path := range []string{"/v1/submissions", "/v1/submissions/" + id + "/receipt", "/v1/statements/" + answer.Entries[0].LeafHash} {
			_, _ = m.get(g, n, path)
		}
	}
}

// get asks for what belongs to the tenant of a submission.
func (m *model) get(g *deployment, number int, path string) (submitted, error) {
	return m.ask(must(http.NewRequest(http.MethodGet, g.url+path, nil)), m.planned[number].tenant)
}

// awaitLogged waits until all are logged.
func (m *model) awaitLogged(t *testing.T, g *deployment) {
	t.Helper()
	began := time.Now()
	deadline := began.Add(10 * time.Minute) // an entry that failed often waits up to seven
	for n := range m.planned {
		for m.leaves[n] == "" && !m.lost[n] {
			answer, err := m.get(g, n, "/v1/submissions/"+m.ids[n])
			switch {
			case errors.Is(err, errNotNow):
			case err != nil:
				t.Fatalf("submission %d, %s, was accepted: %v", n, m.ids[n], err)
			case answer.State == "LOGGED":
				m.leaves[n], m.logs[n] = answer.Entries[0].LeafHash, answer.Entries[0].Log
				continue
			}
			if answer.State == "FAILED" || time.Now().After(deadline) {
				t.Fatalf("submission %d, %s, is %s\n%s", n, m.ids[n], answer.State, g.lastLines())
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	t.Logf("all of %d logged %v after the trouble", len(m.planned), time.Since(began).Round(time.Second))
}

// lastLines returns the end of what the gateway has logged.
func (g *deployment) lastLines() []byte {
	log := must(os.ReadFile(g.file("log")))
	return log[max(0, len(log)-20_000):]
}

// checkListed holds each tenant's list to the answers: nothing is missing, and nothing was stored twice.
func (m *model) checkListed(t *testing.T, g *deployment) {
	t.Helper()
	want := map[string][]string{}
	for n, p := range m.planned {
		want[p.tenant] = append(want[p.tenant], m.ids[n])
	}
	for tenant, ids := range want {
		var listed []string
		for token := ""; ; {
			request := must(http.NewRequest(http.MethodGet, g.url+"/v1/submissions?page_size=1000&page_token="+token, nil))
			var page struct {
				Submissions   []submitted
				NextPageToken string
			}
			if err := json.Unmarshal(must(m.fetch(request, tenant)), &page); err != nil {
				t.Fatal(err)
			}
			for _, s := range page.Submissions {
				listed = append(listed, s.ID)
			}
			if token = page.NextPageToken; token == "" {
				break
			}
		}
		slices.Sort(ids)
		slices.Sort(listed)
		if ids = slices.Compact(ids); !slices.Equal(ids, listed) { // the plan may have one twice
			t.Errorf("tenant %s has %d submissions; %d were accepted", tenant, len(listed), len(ids))
		}
	}
}

// checkReceipts verifies each receipt by the command, offline, with the signer's key and the trust file of one of the gateways.
func (m *model) checkReceipts(t *testing.T, gateways ...*deployment) {
	t.Helper()
	g := gateways[0]
	dir := t.TempDir()
	files := map[string][]string{} // by signer
	for n, p := range m.planned {
		if m.lost[n] {
			continue
		}
		file := filepath.Join(dir, fmt.Sprint("artifact", n))
		request := must(http.NewRequest(http.MethodGet, g.url+"/v1/submissions/"+m.ids[n]+"/receipt", nil))
		for name, content := range map[string][]byte{file: p.artifact, file + ".receipt.json": must(m.fetch(request, p.tenant)), filepath.Join(dir, p.signer): p.key} {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files[p.signer] = append(files[p.signer], file)
	}
	for _, by := range slices.Sorted(maps.Keys(files)) {
		for some := range slices.Chunk(files[by], 500) {
			verifyOffline(t, gateways, filepath.Join(dir, by), some)
		}
		t.Logf("%d receipts of %s verify offline", len(files[by]), by)
	}
}

// verifyOffline verifies files by the trust file of the first of the gateways that has the receipts' own logs: one that was not started while an own log was in use does not
// know it.
func verifyOffline(t *testing.T, gateways []*deployment, key string, files []string) {
	t.Helper()
	for i, g := range gateways {
		arguments := append([]string{"verify", "--quiet", "--key", key, "--trusted-root", g.file(rootFile), "--gateway-trust", g.file(trustFile)}, files...)
		out, err := exec.Command(g.program, arguments...).CombinedOutput()
		if err == nil {
			return
		}
		unknown := ofUnknownLogs(files, out)
		if i == len(gateways)-1 || len(unknown) == 0 {
			t.Errorf("receipts of %s do not verify: %v\n%s", filepath.Base(key), err, out[:min(len(out), 4000)])
			return
		}
		files = unknown
	}
}

// ofUnknownLogs returns those of files of which a verify said that their own logs are unknown; none where it said anything else of one.
func ofUnknownLogs(files []string, said []byte) []string {
	const reason = "UNKNOWN_LOG"
	if len(files) == 1 && bytes.Contains(said, []byte(reason)) { // it may not be named
		return files
	}
	unknown := slices.DeleteFunc(slices.Clone(files), func(file string) bool { return !bytes.Contains(said, []byte(file+": "+reason+":")) })
	if !bytes.Contains(said, fmt.Appendf(nil, " %d of %d files do not verify", len(unknown), len(files))) {
		return nil
	}
	return unknown
}

// checkLog holds the log to the answers: each entry is in it once, and nothing else is but probes and anchors, each of them once as well.
func (m *model) checkLog(t *testing.T, g *deployment, log *rekortest.Server) {
	t.Helper()
	counts, anchors, doubled := map[string]int{}, map[string]int{}, 0
	eachBody(t, rekortest.Origin, log.ReadURL(), func(leaf string, body []byte) {
		if g.own.isAnchor(body) {
			anchors[leaf]++
		} else {
			counts[leaf]++
		}
	})
	entries := map[string]bool{}
	for n, leaf := range m.leaves {
		if m.planned[n].batched {
			continue
		}
		entries[leaf] = true
		if counts[leaf] != 1 {
			doubled++
			t.Logf("the entry of submission %d, %s, is logged %d times", n, leaf, counts[leaf])
		}
	}
	if doubled > 0 {
		t.Errorf("%d of %d submissions have an entry that is not logged once", doubled, len(m.leaves))
	}
	for leaf, n := range anchors {
		if n != 1 {
			t.Errorf("the anchor %s is logged %d times", leaf, n)
		}
	}
	said := must(os.ReadFile(g.file("log")))
	probes := bytes.Count(said, []byte("a probe was logged")) + bytes.Count(said, []byte("has not included a probe")) + bytes.Count(said, []byte(`"serving"`))
	if others := len(counts) - len(entries); others > probes {
		t.Errorf("the log has %d entries beside those of submissions, and there were at most %d probes", others, probes)
	}
	t.Logf("%d submissions, %d entries, each in the log once; %d anchors; %d others in the log, which are probes", len(m.leaves), len(entries), len(anchors), len(counts)-len(entries))
}

// checkOwn holds the own logs to the answers: each record is once in the tree of its log.
func (m *model) checkOwn(t *testing.T, g *deployment) {
	t.Helper()
	trees, records := g.own.readTrees(t, g), 0
	for n, leaf := range m.leaves {
		if m.lost[n] || !m.planned[n].batched {
			continue
		}
		records++
		if tree, ok := trees[m.logs[n]]; !ok || tree[leaf] != 1 {
			t.Errorf("the record of submission %d, %s, is in the own log %s %d times", n, leaf, m.logs[n], tree[leaf])
		}
	}
	for id, tree := range trees {
		for leaf, n := range tree {
			if n != 1 {
				t.Errorf("record %s is in the own log %s %d times", leaf, id, n)
			}
		}
	}
	t.Logf("%d submissions are records of own logs, each once", records)
}

// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// statesSeenBy returns the states of the entries of a submission of the caller's, by their logs.
func (r *running) statesSeenBy(caller, id string) map[string]string {
	r.t.Helper()
	request := must(http.NewRequest(http.MethodGet, r.Addresses().HTTP+"/v1/submissions/"+id, nil))
	request.Header.Set("Authorization", bearer(caller))
	states := map[string]string{}
	for _, e := range r.answer(http.DefaultClient.Do(request)).body["entries"].([]any) {
		e := e.(map[string]any)
		states[e["log"].(string)] = e["state"].(string)
	}
	return states
}

// TestLogsOfPolicies: each submission goes to the logs of its caller's policy alone, at first and when one of them is down: what may
// fail over does so to the logs of its own policy, whatever others there are. Of the policies' sets one is enough to be ready.
func TestLogsOfPolicies(t *testing.T) {
	t.Parallel()
	s := startLogs(t, 3)
	failover := func(list ...string) config.Policy {
		return config.Policy{Logs: config.LogSet{List: list, Need: 1, Mode: config.ModeFailover, FailoverAfter: time.Second}}
	}
	r := run(t, withPolicies(s.cfg, map[string]config.Policy{
		"only-a": {Logs: config.LogSet{List: []string{"a"}}}, "a-then-b": failover("a", "b"), "a-then-c": failover("a", "c"), "two": {Logs: config.LogSet{List: []string{"b", "c"}}},
	}))
	wanted := func(want map[string]map[string]string, ids map[string]string) {
		t.Helper()
		for caller, states := range want {
			await(t, caller, func() bool {
				got := r.statesSeenBy(caller, ids[caller])
				for log, state := range states {
					if got[log] != state {
						return false
					}
				}
				return len(got) == len(states)
			})
		}
	}
	post := func(text string) map[string]string {
		ids := map[string]string{}
		for _, c := range s.cfg.Callers {
			ids[c.Name] = r.postAs(c.Name, text)
		}
		return ids
	}
	wanted(map[string]map[string]string{
		"only-a": {"a": "LOGGED"}, "a-then-b": {"a": "LOGGED"}, "a-then-c": {"a": "LOGGED"}, "two": {"b": "LOGGED", "c": "LOGGED"},
		"standard": {"a": "LOGGED", "b": "LOGGED", "c": "LOGGED"},
	}, post("all are there"))

	s.logs[0].Kill()
	await(t, "a is down", func() bool {
		post("is a down?")
		return r.troubles()["a"] == gateway.ProblemUnavailable
	})
	wanted(map[string]map[string]string{
		"only-a": {"a": "PENDING"}, "a-then-b": {"b": "LOGGED"}, "a-then-c": {"c": "LOGGED"}, "two": {"b": "LOGGED", "c": "LOGGED"},
		"standard": {"a": "PENDING", "b": "LOGGED", "c": "LOGGED"},
	}, post("one is down"))
	s.logs[0].Restart()
	s.fork(t, 1)
	s.fork(t, 2)
	r.wantReady(true, map[string]string{"b": gateway.ProblemFork, "c": gateway.ProblemFork})
	s.fork(t, 0)
	r.wantReady(false, map[string]string{"a": gateway.ProblemFork, "b": gateway.ProblemFork, "c": gateway.ProblemFork})
	_ = r.stop()
}

// postAs returns the id of a submission of the caller's, which waits for no log.
func (r *running) postAs(caller, text string) string {
	r.t.Helper()
	kind, body := form(key, text)
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+"/v1/submissions?wait=0", body))
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Authorization", bearer(caller))
	a := r.answer(http.DefaultClient.Do(request))
	if a.status != http.StatusAccepted && a.status != http.StatusCreated {
		r.t.Fatalf("%d %v", a.status, a.body)
	}
	return a.body["id"].(string)
}

// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// openLines begins a batch over HTTP by name's token. talk sends a line, and returns its answer, or the last one of the batch.
func (r *running) openLines(name string) (talk func(line string) batchLine) {
	r.t.Helper()
	body, send := io.Pipe()
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+"/v1/submissions:batch", body))
	request.Header.Set("Content-Type", "application/x-ndjson")
	request.Header.Set("Authorization", bearer(name))
	resp := must(http.DefaultClient.Do(request))
	r.t.Cleanup(func() { resp.Body.Close(); send.Close() })
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("%d %s", resp.StatusCode, must(io.ReadAll(resp.Body)))
	}
	answers := bufio.NewReader(resp.Body)
	return func(line string) (a batchLine) {
		r.t.Helper()
		if line != "" {
			if _, err := io.WriteString(send, line+"\n"); err != nil {
				r.t.Fatal(err)
			}
		}
		raw, err := answers.ReadBytes('\n')
		if err != nil {
			r.t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &a); err != nil {
			r.t.Fatal(err)
		}
		return a
	}
}

type batchLine struct {
	Line, Status int
	EndedAfter   *int
	Problem      struct{ Reason string }
}

// Each line of a batch counts against its caller's rate limit; the batch has one line in the access log, which says how many were refused.
func TestLinesAreCounted(t *testing.T) {
	cfg := withCallers(newConfig(t), map[string][]string{"sender": {"submit"}})
	cfg.Limits.RequestsPerMinute, cfg.Limits.RequestBurst = 1, 4
	r := run(t, cfg)
	talk := r.openLines("sender")
	for i, want := range []string{"UNKNOWN_FORMAT", "UNKNOWN_FORMAT", "UNKNOWN_FORMAT", "RATE_LIMITED", "RATE_LIMITED"} {
		if a := talk(`{"signature":"YQ=="}`); a.Problem.Reason != want || a.Line != i+1 {
			t.Errorf("%+v, want %s", a, want)
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "msg=request ") {
			for _, want := range []string{`route="POST /v1/submissions:batch"`, "status=200", "caller=sender", "submissions=0", "refused=5", "bytes_in="} {
				if !strings.Contains(line, want) {
					t.Errorf("the access log lacks %s: %s", want, line)
				}
			}
			return
		}
	}
	t.Errorf("the access log has no line:\n%s", r.log)
}

// A gateway that stops answers what it has read, and says where the batch ends; it does not wait for the client.
func TestLinesEndWhenStopped(t *testing.T) {
	r := run(t, withCallers(newConfig(t), map[string][]string{"sender": {"submit"}}))
	talk := r.openLines("sender")
	if a := talk("{}"); a.Line != 1 || a.Status != 400 {
		t.Fatalf("%+v", a)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	if a := talk(""); a.EndedAfter == nil || *a.EndedAfter != 1 || a.Status != 503 || a.Problem.Reason != "SHUTTING_DOWN" {
		t.Errorf("%+v", a)
	}
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), "cut off") {
		t.Errorf("the batch was cut off:\n%s", r.log)
	}
}

// Once its credential is taken back, a batch ends, also while nothing of it comes.
func TestLinesEndWithTheCredential(t *testing.T) {
	cfg := withCallers(newConfig(t), map[string][]string{"goes": {"submit"}, "stays": {"submit"}})
	r := run(t, cfg)
	defer r.stop()
	goes, stays := r.openLines("goes"), r.openLines("stays")
	goes("{}")
	stays("{}")
	next := *cfg
	next.Callers = append([]config.Caller(nil), cfg.Callers...)
	withCallers(&next, map[string][]string{"stays": {"submit"}})
	if err := r.ReloadCallers(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	if a := goes(""); a.EndedAfter == nil || *a.EndedAfter != 1 || a.Status != 401 || a.Problem.Reason != "UNAUTHENTICATED" {
		t.Errorf("%+v", a)
	}
	if a := stays("{}"); a.Line != 2 || a.Status != 400 {
		t.Errorf("%+v", a)
	}
}

// TestRestOfABatchIsNoRequest: what a client sends of a body after the batch has ended is not served as another request.
func TestRestOfABatchIsNoRequest(t *testing.T) {
	cfg := withCallers(newConfig(t), map[string][]string{"goes": {"submit"}, "stays": {"submit"}})
	r := run(t, cfg)
	defer r.stop()
	_, address, _ := strings.Cut(r.Addresses().HTTP, "://")
	conn := must(net.Dial("tcp", address))
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "POST /v1/submissions:batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Type: application/x-ndjson\r\n"+
		"Transfer-Encoding: chunked\r\n\r\n1000\r\n{\"ref\":", bearer("goes"))
	answer := bufio.NewReader(conn)
	response := must(http.ReadResponse(answer, nil))
	next := *cfg
	next.Callers = append([]config.Caller(nil), cfg.Callers...)
	withCallers(&next, map[string][]string{"stays": {"submit"}})
	if err := r.ReloadCallers(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	if last := must(io.ReadAll(response.Body)); !bytes.Contains(last, []byte("endedAfter")) {
		t.Errorf("the batch ends with %q", last)
	}
	_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") // in the chunk that was begun
	if more, _ := io.ReadAll(answer); len(more) > 0 {
		t.Errorf("the rest of the body is answered with %q", more)
	}
}

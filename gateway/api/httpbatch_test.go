// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

const batchPath = "/v1/submissions:batch"

// serveLines serves service, whose requests count in memory.
func serveLines(t *testing.T, service Service, memory *gateway.Memory, change func(*HTTPConfig)) *server {
	t.Helper()
	cfg := HTTPConfig{
		Upload: upload.Config{MaxArtifact: testMaxArtifact, SpoolDir: t.TempDir(), MaxSpool: testMaxArtifact},
		Ready:  func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	routes := NewHTTP(service, cfg)
	s := &server{t: t, Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		held, err := memory.Admit(upload.RequestMemory)
		if err != nil {
			problem.FromError(err).WriteHTTP(w)
			return
		}
		defer held.Close()
		routes.ServeHTTP(w, r.WithContext(gateway.WithHeld(r.Context(), held)))
	}))}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func serveHTTP2(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func noChange(*HTTPConfig) {}

// answerLine is a line of an answer, as tests read it.
type answerLine struct {
	Line       int    `json:"line"`
	Ref        string `json:"ref"`
	EndedAfter *int   `json:"endedAfter"`
	Status     int    `json:"status"`
	RetryAfter int    `json:"retryAfter"`
	Submission struct {
		ID      string         `json:"id"`
		State   string         `json:"state"`
		Receipt map[string]any `json:"receipt"`
	} `json:"submission"`
	Problem struct {
		Status int    `json:"status"`
		Reason string `json:"reason"`
		Detail string `json:"detail"`
		Hint   string `json:"hint"`
	} `json:"problem"`
}

// outcome is the reason of a refusal, or the submission's state.
func (a answerLine) outcome() string {
	if a.Problem.Reason != "" {
		return a.Problem.Reason
	}
	return a.Submission.State
}

// sendLines sends a batch, and returns its answers by line; the last line of one that was not read to its end is 0.
func (s *server) sendLines(query string, body io.Reader) map[int]answerLine {
	s.t.Helper()
	var sent bytes.Buffer
	r, err := http.NewRequest(http.MethodPost, s.URL+batchPath+query, io.TeeReader(body, &sent))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	res, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.ProtoMajor == 1 && !res.Close {
		s.t.Error("the connection stays open: what is left of a body would be another request")
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "application/x-ndjson" {
		s.t.Fatalf("%d %v %.300s", res.StatusCode, res.Header, raw)
	}
	if sent.Len() < 1<<20 {
		recordExchange(s.t, r, sent.Bytes(), answered{status: res.StatusCode, header: res.Header, raw: raw})
	}
	return readAnswers(s.t, raw)
}

func readAnswers(t *testing.T, raw []byte) map[int]answerLine {
	t.Helper()
	answers := map[int]answerLine{}
	for line := range bytes.Lines(raw) {
		a := readAnswer(t, line)
		if _, twice := answers[a.Line]; twice {
			t.Errorf("line %d is answered twice", a.Line)
		}
		answers[a.Line] = a
	}
	return answers
}

func readAnswer(t *testing.T, line []byte) (a answerLine) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(line))
	if err := dec.Decode(&a); err != nil || !bytes.HasSuffix(line, []byte("}\n")) {
		t.Fatalf("%q: %v", line, err)
	}
	if a.Problem.Reason != "" && a.Status != a.Problem.Status || a.Status < 300 == (a.Submission.ID == "") || (a.Line == 0) != (a.EndedAfter != nil) {
		t.Errorf("%s", line)
	}
	return a
}

// signedLine is a submission as a line without its end.
func signedLine(t *testing.T, ref, text string) string {
	t.Helper()
	r := gatewaytest.Signed(t, text)
	return encodeLine(t, map[string]any{"ref": ref, "signature": r.Signature, "keys": r.Keys, "format": "x509", "artifact": []byte(text)})
}

func encodeLine(t *testing.T, fields map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Each line is answered as a submission of its own would be, whatever becomes of the others.
func TestLineBatch(t *testing.T) {
	s := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), noChange)
	r := gatewaytest.Signed(t, "by digest")
	digest := encodeLine(t, map[string]any{
		"ref": "by digest", "signature": r.Signature, "keys": r.Keys, "format": "x509", "labels": map[string]string{"a": "b"},
		"digest": "sha256:" + fmt.Sprintf("%x", sha256.Sum256([]byte("by digest"))),
	})
	lines := []string{
		signedLine(t, "first", "one"),     // 1
		"",                                // 2
		`{"ref":"malformed","signature":`, // 3
		digest + "\r",                     // 4
		`{"ref":"<&>\u2028","signature":"YQ==","artefact":"YQ=="}`, // 5
		"\ufeff" + signedLine(t, "mark", "two"),                    // 6
		encodeLine(t, map[string]any{"ref": "bad", "signature": r.Signature, "keys": r.Keys, "format": "x509", "artifact": []byte("another")}), // 7
		`{"signature":"YQ=="}`,        // 8
		"   \t ",                      // 9
		signedLine(t, "last", "four"), // 10: no line end
	}
	got := s.sendLines("", strings.NewReader(strings.Join(lines, "\n")))
	for line, want := range map[int]struct {
		ref, outcome string
		status       int
	}{
		1: {"first", "PENDING", 202}, 3: {"malformed", "MALFORMED_REQUEST", 400}, 4: {"by digest", "PENDING", 202}, 5: {"<&>\u2028", "MALFORMED_REQUEST", 400},
		6: {"", "MALFORMED_REQUEST", 400}, 7: {"bad", "SIGNATURE_INVALID", 422}, 8: {"", "UNKNOWN_FORMAT", 415}, 10: {"last", "PENDING", 202},
	} {
		a := got[line]
		if a.Ref != want.ref || a.outcome() != want.outcome && a.Status != 200 || a.Status != want.status && a.Status != 200 {
			t.Errorf("line %d: %+v", line, a)
		}
		if a.Status == 202 && a.RetryAfter == 0 {
			t.Errorf("line %d does not say when to ask again: %+v", line, a)
		}
		delete(got, line)
	}
	if len(got) > 0 {
		t.Errorf("more is answered: %+v", got)
	}
	if got := s.sendLines("", strings.NewReader("")); len(got) > 0 {
		t.Errorf("an empty body: %+v", got)
	}
}

// With a wait, an answer has the receipt; who sends the same again gets the same, as POST /v1/submissions answers.
func TestLineBatchWaits(t *testing.T) {
	log := gatewaytest.NewLog()
	s := serveLines(t, start(t, log), gateway.NewMemory(64<<20), noChange)
	body := signedLine(t, "a", "one") + "\n" + signedLine(t, "b", "two") + "\n{}\n"
	ids := map[string]bool{}
	for again, want := range []int{http.StatusCreated, http.StatusOK} {
		got := s.sendLines("?wait=30s", strings.NewReader(body))
		for _, line := range []int{1, 2} {
			if a := got[line]; a.Status != want || a.Submission.State != "LOGGED" || len(a.Submission.Receipt) == 0 {
				t.Errorf("%d. time, line %d: %+v", again+1, line, a)
			}
			ids[got[line].Submission.ID] = true
		}
		if len(got) != 3 || got[3].Problem.Reason == "" {
			t.Errorf("%+v", got)
		}
	}
	if len(ids) != 2 {
		t.Errorf("%d submissions, want 2", len(ids))
	}
}

// More may wait for the log than are worked on at once, and each wait ends.
func TestLineBatchWaitEnds(t *testing.T) {
	log := gatewaytest.NewLog()
	log.SetDown(errors.New("down"))
	memory := gateway.NewMemory(64 << 20)
	s := serveLines(t, start(t, log), memory, noChange)
	var body strings.Builder
	const lines = 40 // as many as the store takes
	for i := range lines {
		body.WriteString(signedLine(t, "", fmt.Sprint(i)) + "\n")
	}
	started := time.Now()
	got := s.sendLines("?wait=500ms", strings.NewReader(body.String()))
	if took := time.Since(started); len(got) != lines || took < 500*time.Millisecond {
		t.Fatalf("%d answers in %s", len(got), took)
	}
	for _, a := range got {
		if a.Status != http.StatusAccepted || a.Submission.State != "PENDING" {
			t.Errorf("%+v", a)
		}
	}
	waitFor(t, func() bool { return memory.Used() == 0 })
}

// What is refused before anything is read is a problem like any other.
func TestLineBatchIsRefused(t *testing.T) {
	s := serve(t)
	line := signedLine(t, "", "x")
	for name, c := range map[string]struct {
		method, query, kind string
		status              int
		reason              string
	}{
		"JSON":          {http.MethodPost, "", "application/json", 400, "MALFORMED_REQUEST"},
		"no type":       {http.MethodPost, "", "", 400, "MALFORMED_REQUEST"},
		"form":          {http.MethodPost, "", "multipart/form-data; boundary=x", 400, "MALFORMED_REQUEST"},
		"a long wait":   {http.MethodPost, "?wait=2h", "application/x-ndjson", 400, "MALFORMED_REQUEST"},
		"more":          {http.MethodPost, "?way=x", "application/jsonl", 400, "MALFORMED_REQUEST"},
		"another verb":  {http.MethodGet, "", "application/x-ndjson", 405, "MALFORMED_REQUEST"},
		"another type?": {http.MethodPost, "", "application/x-ndjson2", 400, "MALFORMED_REQUEST"},
	} {
		t.Run(name, func(_ *testing.T) {
			s.expect(s.do(c.method, batchPath+c.query, c.kind, strings.NewReader(line)), c.status, c.reason)
		})
	}
	full := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(upload.LineMemory), noChange)
	full.expect(full.do(http.MethodPost, batchPath, "application/x-ndjson", strings.NewReader(line)), 503, "MEMORY_FULL")
	stopping, stop := context.WithCancel(t.Context())
	stop()
	stopped := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(8<<20), func(c *HTTPConfig) { c.Stopping = stopping })
	stopped.expect(stopped.do(http.MethodPost, batchPath, "application/x-ndjson", strings.NewReader(line)), 503, "SHUTTING_DOWN")
}

// Each line counts against the rate limit, also one that is malformed, and what that refuses is that one's.
func TestLineBatchItemsAreCounted(t *testing.T) {
	var counted, refused atomic.Int64
	s := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), func(c *HTTPConfig) {
		c.CountItem = func(*http.Request) error {
			if counted.Add(1) > 3 {
				return problem.LimitedError(1500 * time.Millisecond)
			}
			return nil
		}
		c.Refused = func(formats.Reason) { refused.Add(1) }
	})
	got := s.sendLines("", strings.NewReader(strings.Repeat(`{"ref":"x"}`+"\n", 7)+"{\n"))
	limited := 0
	for _, a := range got {
		if a.Problem.Reason == "RATE_LIMITED" && a.Status == http.StatusTooManyRequests && a.RetryAfter == 2 {
			limited++
		}
	}
	if len(got) != 8 || counted.Load() != 8 || refused.Load() != 8 || limited != 5 {
		t.Errorf("%d answers, %d counted, %d refused, %d of them by rate: %+v", len(got), counted.Load(), refused.Load(), limited, got)
	}
}

// A panic over one line is that one's INTERNAL; the others and the process live on.
func TestLineBatchPanics(t *testing.T) {
	over := gatewaytest.Signed(t, "2").Signature
	counted := map[string]int{}
	s := serveLines(t, fragile{start(t, gatewaytest.NewLog()), over}, gateway.NewMemory(64<<20), func(c *HTTPConfig) {
		c.Panics = panics.NewReporter(c.Logger, func(where string) { counted[where]++ })
	})
	bad := encodeLine(t, map[string]any{"signature": over, "ref": "bad"})
	got := s.sendLines("", strings.NewReader(signedLine(t, "", "1")+"\n"+bad+"\n"+signedLine(t, "", "3")))
	if got[2].Problem.Reason != "INTERNAL" || got[2].Ref != "bad" || got[1].Status > 202 || got[3].Status > 202 || counted["HTTP"] != 1 {
		t.Errorf("%+v, panics %v", got, counted)
	}
}

// Answers come while the client still sends, also over HTTP/2.
func TestLineBatchAnswersWhileItIsSent(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", secure), func(t *testing.T) {
			s := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), noChange)
			if secure {
				s.Server = serveHTTP2(t, s.Config.Handler)
			}
			body, send := io.Pipe()
			r, _ := http.NewRequest(http.MethodPost, s.URL+batchPath, body)
			r.Header.Set("Content-Type", "application/jsonl")
			r.Header.Set("Expect", "100-continue")
			res, err := s.Client().Do(r)
			if err != nil || res.StatusCode != http.StatusOK || (res.ProtoMajor == 2) != secure {
				t.Fatalf("%+v, %v", res, err)
			}
			defer res.Body.Close()
			answers := bufio.NewReader(res.Body)
			for i := range 5 {
				if _, err := io.WriteString(send, signedLine(t, fmt.Sprint(i), fmt.Sprint(i))+"\n"); err != nil {
					t.Fatal(err)
				}
				line, err := answers.ReadBytes('\n')
				if err != nil {
					t.Fatal(err)
				}
				if a := readAnswer(t, line); a.Ref != fmt.Sprint(i) || a.Line != i+1 || a.Status > 202 {
					t.Errorf("%+v", a)
				}
			}
			_ = send.Close()
			if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
				t.Errorf("%q, %v", rest, err)
			}
		})
	}
}

// A gateway that stops reads no further, answers what it has read, and says where it stopped.
func TestLineBatchEndsWithTheGateway(t *testing.T) {
	stopping, stop := context.WithCancel(t.Context())
	defer stop()
	s := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), func(c *HTTPConfig) { c.Stopping = stopping })
	body, send := io.Pipe()
	defer send.Close()
	r, _ := http.NewRequest(http.MethodPost, s.URL+batchPath, body)
	r.Header.Set("Content-Type", "application/x-ndjson")
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	_, _ = io.WriteString(send, "\n"+signedLine(t, "", "one")+"\n"+`{"signature":`)
	line, _ := answers.ReadBytes('\n')
	if a := readAnswer(t, line); a.Line != 2 || a.Status > 202 {
		t.Fatalf("%+v", a)
	}
	stop()
	line, err = answers.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, line); a.EndedAfter == nil || *a.EndedAfter != 2 || a.Status != 503 || a.Problem.Reason != "SHUTTING_DOWN" {
		t.Errorf("%s", line)
	}
	if rest, err := io.ReadAll(answers); len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

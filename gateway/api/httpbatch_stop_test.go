// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// held is a service that begins with no submission before it is released.
type held struct {
	Service
	begun    chan struct{}
	released chan struct{}
}

func (h *held) Begin(ctx context.Context, r gateway.Request) (gateway.Draft, error) {
	h.begun <- struct{}{}
	select {
	case <-h.released:
		return h.Service.Begin(ctx, r)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Whatever ends a batch in the middle of a line: the lines before it are answered as if nothing had happened, and the last word is the
// true reason. None waits for the log any more.
func TestLineBatchEndsInMidLine(t *testing.T) {
	const lines = 5
	takenBack := formats.NewError(problem.ReasonUnauthenticated, "the credential was taken back", "")
	for name, c := range map[string]struct {
		idle    time.Duration
		end     func(stop context.CancelFunc, takeBack context.CancelCauseFunc)
		outcome string
		status  int
		retry   bool
	}{
		"the gateway stops":   {0, func(stop context.CancelFunc, _ context.CancelCauseFunc) { stop() }, "SHUTTING_DOWN", 503, true},
		"credential is taken": {0, func(_ context.CancelFunc, takeBack context.CancelCauseFunc) { takeBack(takenBack) }, "UNAUTHENTICATED", 401, false},
		"the client sleeps":   {100 * time.Millisecond, func(context.CancelFunc, context.CancelCauseFunc) {}, "REQUEST_TIMEOUT", 408, false},
	} {
		for _, major := range []int{1, 2} {
			t.Run(fmt.Sprint(name, ", HTTP/", major), func(t *testing.T) {
				stopping, stop := context.WithCancel(t.Context())
				defer stop()
				lifetime, takeBack := context.WithCancelCause(t.Context())
				defer takeBack(nil)
				service := &held{start(t, silentLog()), make(chan struct{}, lines), make(chan struct{})}
				routes := NewHTTP(service, HTTPConfig{
					Upload: upload.Config{MaxArtifact: testMaxArtifact, SpoolDir: t.TempDir(), MaxSpool: testMaxArtifact, Pace: upload.Pace{Idle: c.idle}}, Stopping: stopping,
				})
				s := serveHTTP2(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					routes.ServeHTTP(w, r.WithContext(gateway.WithLifetime(r.Context(), lifetime)))
				}))
				client := s.Client()
				if major == 1 {
					client.Transport.(*http.Transport).ForceAttemptHTTP2 = false
					client.Transport.(*http.Transport).TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
				}
				body, send := io.Pipe()
				defer send.Close()
				r, _ := http.NewRequest(http.MethodPost, s.URL+batchPath+"?wait=60s", body)
				r.Header.Set("Content-Type", "application/x-ndjson")
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				if res.ProtoMajor != major {
					t.Fatal(res.Proto)
				}
				for i := range lines {
					_, _ = io.WriteString(send, signedLine(t, "", fmt.Sprint("line ", i))+"\n")
				}
				_, _ = io.WriteString(send, `{"signature":"YQ`)
				for range lines {
					<-service.begun
				}
				c.end(stop, takeBack)
				time.AfterFunc(300*time.Millisecond, func() { close(service.released) }) // long after the read has failed
				answers := bufio.NewReader(res.Body)
				raw, err := io.ReadAll(answers)
				if err != nil {
					t.Fatal(err)
				}
				got := readAnswers(t, raw)
				for i := range lines {
					if a := got[i+1]; a.Status != http.StatusAccepted && (c.status != http.StatusUnauthorized || a.Status != c.status) {
						t.Errorf("line %d: %+v", i+1, a)
					}
				}
				if a := got[0]; len(got) != lines+1 || a.EndedAfter == nil || *a.EndedAfter != lines || a.Status != c.status || a.outcome() != c.outcome || (a.RetryAfter > 0) != c.retry {
					t.Errorf("the last word: %s", raw)
				}
			})
		}
	}
}

// A gateway that stops lets no line wait for the log that was read with all others.
func TestLineBatchStoppedWhileItWaits(t *testing.T) {
	stopping, stop := context.WithCancel(t.Context())
	defer stop()
	s := serveLines(t, start(t, silentLog()), gateway.NewMemory(64<<20), func(c *HTTPConfig) { c.Stopping = stopping })
	time.AfterFunc(200*time.Millisecond, stop)
	started := time.Now()
	got := s.sendLines("?wait=60s", strings.NewReader(signedLine(t, "", "one")))
	if a := got[1]; len(got) != 1 || a.Status != http.StatusAccepted || time.Since(started) > 30*time.Second {
		t.Errorf("%+v after %v", got, time.Since(started))
	}
}

// silentLog is a log that takes nothing.
func silentLog() *gatewaytest.Log {
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrUnavailable)
	return log
}

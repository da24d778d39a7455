// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// anchoring is a stand-in that logs nothing before it has accepted so many submissions, and then all.
type anchoring struct {
	standIn
	after    int64
	accepted func() // called when it has
	posts    atomic.Int64
	once     sync.Once
	gets     atomic.Int64
}

func (g *anchoring) startAnchoring() string {
	g.pending.Store(1 << 40)
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(g.start())))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			g.gets.Add(1)
		}
		sent := int64(0)
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if sent = 1; strings.HasSuffix(r.URL.Path, ":batch") {
				sent = int64(bytes.Count(body, []byte("\n")))
			}
		}
		proxy.ServeHTTP(w, r)
		if sent > 0 && g.posts.Add(sent) >= g.after {
			g.once.Do(g.accepted)
		}
	}))
	g.t.Cleanup(s.Close)
	return s.URL
}

// TestBackfillWaitsForAnAnchor: many more are accepted than are under way at once, since the log takes all of them together.
func TestBackfillWaitsForAnAnchor(t *testing.T) {
	const n = 300
	tree := makeTree(t, n)
	g := &anchoring{standIn: standIn{t: t, receipt: offline("x509.receipt.json")}, after: n}
	g.accepted = func() { g.pending.Store(0) }
	code, out, errs := runBackfill(t.Context(), g.startAnchoring(), tree, "--parallel", "2", "--timeout", "20s")
	if got := readSummary(t, out); code != 0 || got.Logged != n {
		t.Errorf("exit %d, %+v\n%s", code, got, errs)
	}
	if whole, other := receiptsIn(t, tree); whole != n || other != 0 {
		t.Errorf("%d receipts, %d parts", whole, other)
	}
}

// TestBackfillInterruptedWaiting: whoever waits is told at once that the run ends.
func TestBackfillInterruptedWaiting(t *testing.T) {
	const n = 100
	tree := makeTree(t, n)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	g := &anchoring{standIn: standIn{t: t, receipt: offline("x509.receipt.json")}, after: n, accepted: interrupt}
	started := time.Now()
	code, out, errs := runBackfill(ctx, g.startAnchoring(), tree, "--parallel", "2")
	if got := readSummary(t, out); code != exitLater || got.Pending < n-2 || got.Pending+got.Unsent != n || time.Since(started) > 10*time.Second {
		t.Errorf("exit %d after %v, %+v\n%s", code, time.Since(started), got, errs)
	}
}

// TestBackfillChangedWhileWaiting: a receipt is kept for the file and signature that were sent alone.
func TestBackfillChangedWhileWaiting(t *testing.T) {
	for name, with := range map[string]string{"app": "other", "app.sig": "pgp-ed25519.sig"} {
		tree := makeTree(t, 1)
		g := &anchoring{standIn: standIn{t: t, receipt: offline("x509.receipt.json")}, after: 1}
		g.accepted = func() {
			copyFile(t, offline(with), filepath.Join(tree, "0", name))
			g.pending.Store(0)
		}
		if o := backfillOne(t, g.startAnchoring(), tree); string(o.Reason) != "FILE_CHANGED" || o.State != stateRefused {
			t.Errorf("%s: %+v", name, o)
		}
		if whole, _ := receiptsIn(t, tree); whole > 0 {
			t.Errorf("%s: there is a receipt", name)
		}
	}
}

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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
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

// TestMayWait: what is large, or would have to be fetched again, waits among the few that are under way.
func TestMayWait(t *testing.T) {
	for name, c := range map[string]struct {
		item backfill.Item
		want bool
	}{
		"usual":           {backfill.Item{Signature: "t/a.asc", Name: "a.asc", Artifact: "t/a", Labels: map[string]string{"a": "b"}, Listed: make([]backfill.Listed, 3)}, true},
		"fetched":         {backfill.Item{Signature: "https://h/a.asc", Artifact: "t/a"}, false},
		"large label":     {backfill.Item{Signature: "t/a.asc", Labels: map[string]string{"a": strings.Repeat("b", maxWaitingItem)}}, false},
		"many keys":       {backfill.Item{Signature: "t/a.asc", Keys: slices.Repeat([]string{"t/key"}, maxWaitingItem)}, false},
		"a list of files": {backfill.Item{Signature: "t/Release.gpg", Listed: make([]backfill.Listed, 100)}, false},
	} {
		if got := mayWait(c.item); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestNextAsk: when the gateway expects it, within bounds.
func TestNextAsk(t *testing.T) {
	now := time.Now()
	for eta, want := range map[time.Duration]time.Duration{-time.Hour: leastPoll, time.Second: time.Second, 9 * time.Second: 9 * time.Second, time.Hour: mostWait} {
		if got := nextAsk(&pb.Submission{Eta: timestamppb.New(now.Add(eta))}, now); got.Round(time.Millisecond) != want {
			t.Errorf("expected in %v: %v, want %v", eta, got, want)
		}
	}
	if got := nextAsk(&pb.Submission{}, now); got != usualPoll {
		t.Errorf("nothing expected: %v", got)
	}
}

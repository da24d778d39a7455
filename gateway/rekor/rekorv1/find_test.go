// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestFindEach: a few are asked for at once, and one that the log answers wrongly for is no word on the others.
func TestFindEach(t *testing.T) {
	f := startFake(t)
	l := openFake(t, f, new(rekortest.Checkpoints), 0)
	shard := l.Describe().Shard
	bad, good := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("bad")), logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("good"))
	f.Append(bad.Body, good.Body)
	leaves := []gateway.LeafHash{bad.LeafHash, good.LeafHash}
	for i := range byte(40) {
		leaves = append(leaves, gateway.LeafHash{i})
	}
	var mu sync.Mutex
	under, most := 0, 0
	handler := f.server.Config.Handler
	f.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/entries/") {
			handler.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		under++
		most = max(most, under)
		mu.Unlock()
		defer func() { mu.Lock(); defer mu.Unlock(); under-- }()
		time.Sleep(5 * time.Millisecond)
		if strings.HasSuffix(r.URL.Path, fmt.Sprintf("%x", bad.LeafHash)) {
			http.Error(w, "broken", http.StatusInternalServerError)
			return
		}
		answered := httptest.NewRecorder()
		handler.ServeHTTP(answered, r)
		w.WriteHeader(answered.Code)
		_, _ = w.Write(answered.Body.Bytes())
	})
	found, err := l.Find(t.Context(), shard, leaves, 0, math.MaxUint64)
	if err != nil || len(found.Inclusions) != 1 || len(found.Failed) != 1 || !errors.Is(found.Failed[bad.LeafHash], gateway.ErrUnavailable) || found.AbsentTo != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	f.CheckInclusion(t, found.Inclusions[good.LeafHash], good)
	if most < 2 || most > 8 {
		t.Errorf("%d at once", most)
	}
	if found, err := l.Find(t.Context(), shard, leaves[:1], 0, math.MaxUint64); !errors.Is(err, gateway.ErrUnavailable) || found.AbsentTo != 0 {
		t.Errorf("all of one: %+v, %v", found, err)
	}
}

// TestOverloadInDoubt: a proxy may say 503 of what it has passed on; 429 is the log's own word that it has taken nothing.
func TestOverloadInDoubt(t *testing.T) {
	for code, want := range map[int]bool{http.StatusServiceUnavailable: true, http.StatusTooManyRequests: false} {
		f := startFake(t)
		l := openFake(t, f, new(rekortest.Checkpoints), 0)
		f.inject(fault{fail: func(_ *fake, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3")
			refuse(w, code)
		}})
		_, err := l.Add(t.Context(), l.Describe().Shard, logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("busy")))
		var overload *gateway.OverloadError
		if !errors.As(err, &overload) || overload.RetryAfter != 3*time.Second || overload.InDoubt != want || errors.Is(err, gateway.ErrNotSent) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

// TestSpared: while a log asks not to be read, it is not, whoever asks and for what; writes go on as they may. What it asks for is bounded.
func TestSpared(t *testing.T) {
	for name, c := range map[string]struct {
		code   int
		header string
		want   time.Duration // that it is spared; 0: not at all
	}{
		"for a second":   {http.StatusTooManyRequests, "1", time.Second},
		"for a while":    {http.StatusTooManyRequests, "", time.Second},
		"as it restarts": {http.StatusServiceUnavailable, "1", time.Second},
		"for ever":       {http.StatusTooManyRequests, "100000000", time.Hour},
		"not":            {http.StatusServiceUnavailable, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			l := openFake(t, f, new(rekortest.Checkpoints), 0)
			e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("an entry"))
			var reads, busy atomic.Int64
			busy.Store(1)
			handler := f.server.Config.Handler
			f.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet && reads.Add(1) == busy.Load() {
					if c.header != "" {
						w.Header().Set("Retry-After", c.header)
					}
					refuse(w, c.code)
					return
				}
				handler.ServeHTTP(w, r)
			})
			size := func() error { _, err := l.Size(t.Context(), l.Describe().Shard); return err }
			if err := size(); !errors.Is(err, gateway.ErrUnavailable) {
				t.Fatalf("busy: %v", err)
			}
			if err := size(); (err == nil) != (c.want == 0) || err != nil && !errors.Is(err, gateway.ErrUnavailable) {
				t.Errorf("at once: %v", err)
			}
			if got := reads.Load(); c.want != 0 && got != 1 {
				t.Errorf("it is read %d times", got)
			}
			if _, err := l.Add(t.Context(), l.Describe().Shard, e); err != nil {
				t.Errorf("adding: %v", err)
			}
			time.Sleep(1100 * time.Millisecond)
			if err := size(); (err == nil) != (c.want <= time.Second) {
				t.Errorf("a second later: %v", err)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// unreadableStore fails when it is read, as one does whose disk has failed.
type unreadableStore struct{ gateway.Store }

var errUnreadable = errors.New("disk I/O error")

func (unreadableStore) Stats(context.Context) (gateway.Stats, error) {
	return gateway.Stats{}, errUnreadable
}

// TestMetricsWhileTheStoreFails: what says that the store fails is there while it does.
func TestMetricsWhileTheStoreFails(t *testing.T) {
	var log bytes.Buffer
	s, m := newChainServer(t, &log)
	m.store.failures.WithLabelValues(opCommit).Inc()
	if err := m.register(queue{unreadableStore{}, func() []string { return []string{"a"} }}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.serveMetrics(m).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{`rekor_gateway_store_failures_total{operation="commit"} 1`, "rekor_gateway_ready 0"} {
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%d, without %s:\n%.200s", w.Code, want, w.Body)
		}
	}
	if !strings.Contains(log.String(), errUnreadable.Error()) {
		t.Errorf("nothing says why metrics are missing:\n%s", log.String())
	}
}

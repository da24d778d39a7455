// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
)

// TestSlowLine: what is sent with its artifact may take longer by its bytes, and all else no longer than any.
func TestSlowLine(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(time.Second):
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	cfg, err := Config{URL: slow.URL}.withClientDefaults()
	if err != nil {
		t.Fatal(err)
	}
	tr := &tree{requestTimeout: 100 * time.Millisecond, api: api{base: cfg.base, client: newClient(cfg), timeout: time.Second, answers: logmetrics.NewAnswers(), spare: &spare{}}}
	body := make([]byte, 60<<20)
	request := entryRequest{size: int64(len(body)), open: func(context.Context) io.Reader { return bytes.NewReader(body) }}
	if _, err := tr.addEntry(t.Context(), request, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without its artifact: %v", err)
	}
	request.whole = true // a minute more
	if _, err := tr.addEntry(t.Context(), request, nil); !errors.Is(err, gateway.ErrTooLarge) {
		t.Errorf("with its artifact: %v", err)
	}
}

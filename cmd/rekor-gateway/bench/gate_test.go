// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// gate stands before the log's tiles. While it is shut the log cannot be read, so that a gateway sends it nothing.
type gate struct {
	*httptest.Server
	shut atomic.Bool
}

func startGate(t *testing.T, log *rekortest.Server) *gate {
	g := new(gate)
	tiles := httputil.NewSingleHostReverseProxy(must(url.Parse(log.ReadURL())))
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.shut.Load() {
			http.Error(w, "shut", http.StatusServiceUnavailable)
			return
		}
		tiles.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// stand has a gateway read the log through the gate.
func (g *gate) stand(c *config.Config) { c.Logs[0].ReadURL = g.URL }

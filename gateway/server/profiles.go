// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/http/pprof" // what it adds to the default mux is served by nobody
)

// addProfiles serves what go tool pprof and go tool trace read. A profile over time lasts less than the admin listener lets an answer
// take. The command line is left out: what is served tells nothing of how the gateway is configured.
func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index) // also each profile by its name
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"net/http/pprof" // what it adds to the default mux is served by nobody
	"strconv"
)

// longestProfile bounds a profile over time, in seconds.
const longestProfile = 300

// addProfiles serves what go tool pprof and go tool trace read. The command line is left out: what is served tells nothing of how the
// gateway is configured.
func addProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", boundProfile(pprof.Index)) // also each profile by its name
	mux.HandleFunc("GET /debug/pprof/profile", boundProfile(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/trace", boundProfile(pprof.Trace))
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)
}

// boundProfile refuses what would last too long.
func boundProfile(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s := r.FormValue("seconds"); s != "" {
			if seconds, err := strconv.ParseFloat(s, 64); err != nil || !(seconds <= longestProfile) {
				http.Error(w, "seconds: "+strconv.Itoa(longestProfile)+" at most", http.StatusBadRequest)
				return
			}
		}
		h(w, r)
	}
}

// SPDX-License-Identifier: Apache-2.0

package web

import (
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

const reasonRateLimited = "RATE_LIMITED"

// Limit refuses callers, by their address, who ask more often than limiter lets them; those
// who fail the limiter itself may go on. Only the API below /v1/ counts.
func Limit(next http.Handler, limiter ratelimit.Limiter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return
		}
		if wait, err := limiter.Take(r.Context(), Caller(r.RemoteAddr)); err == nil && wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			refuse(w, http.StatusTooManyRequests, reasonRateLimited, "there are too many requests from this address",
				"wait as long as Retry-After says")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Caller is whom a remote address is counted as: its host, and for IPv6 the /64 it is in,
// since one host has a whole one.
func Caller(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}

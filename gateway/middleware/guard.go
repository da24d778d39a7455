// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

var (
	errCrossOrigin = formats.NewError(problem.ReasonCrossOrigin, "web pages of other origins may not call this gateway",
		"use a client that is no browser")

	errHostNotAllowed = formats.NewError(problem.ReasonHostNotAllowed, "this gateway is not known under the name in the Host header",
		"the gateway's operator can add the name to http.allowed_hosts")
)

// BlockForeignPages blocks requests that a foreign page makes from a user's browser. It refuses
// cross-origin requests, and Host names that are not the gateway's own, by which pages reach
// a local server through DNS. The gateway's names are loopback ones, the address that a
// connection came to, the host of the listen address, and the allowed hosts, with or without
// a port.
func BlockForeignPages(next http.Handler, listen string, allowed []string) http.Handler {
	origins := http.NewCrossOriginProtection()
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.FromError(errCrossOrigin).WriteHTTP(w)
	}))
	inner := origins.Handler(next)

	var hosts []string
	for _, h := range append([]string{listen}, allowed...) {
		if ip := net.ParseIP(normalizeHost(h)); ip == nil || !ip.IsUnspecified() { // "every address" is no name
			hosts = append(hosts, normalizeHost(h))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isKnownHost(r, hosts) {
			problem.FromError(errHostNotAllowed).WriteHTTP(w)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

func isKnownHost(r *http.Request, hosts []string) bool {
	host := normalizeHost(r.Host)
	if host == "" {
		return false
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback() || slices.Contains(hosts, host) || ip.Equal(localIP(r))
	}
	return host == "localhost" || slices.Contains(hosts, host)
}

// localIP is the address that the connection came to.
func localIP(r *http.Request) net.IP {
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return addr.IP
	}
	return nil
}

// normalizeHost takes the port, the brackets and the final dot off a host, in lower case.
func normalizeHost(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

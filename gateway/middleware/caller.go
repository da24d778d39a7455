// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net"
	"net/http"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// IdentifyCaller asks identify who sends a request, and puts the answer into the request's context
// (gateway.CallerFrom). An error of identify is the request's answer.
func IdentifyCaller(next http.Handler, identify func(*http.Request) (gateway.Caller, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := identify(r)
		if err != nil {
			problem.FromError(err).WriteHTTP(w)
			return
		}
		identified := r.WithContext(gateway.WithCaller(r.Context(), caller))
		defer func() { r.Pattern = identified.Pattern }() // the access log asks r for its route
		next.ServeHTTP(w, identified)
	})
}

// RateKey returns the key under which a request is counted: the caller's tenant, or the remote
// address for callers of the default tenant. Of an IPv6 address it is the /64, since one host
// usually has a whole one.
func RateKey(c gateway.Caller, remote string) string {
	if c.Tenant != gateway.DefaultTenant {
		return "tenant " + c.Tenant
	}
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

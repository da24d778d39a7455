// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net"
	"net/http"
	"net/netip"

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
		gateway.NoteFrom(r.Context()).NoteCaller(caller)
		identified := r.WithContext(gateway.WithCaller(r.Context(), caller))
		defer func() { r.Pattern = identified.Pattern }() // the access log asks r for its route
		next.ServeHTTP(w, identified)
	})
}

// RateKey returns the key under which a request is counted: the caller's name, or that of a tenant, or the remote
// address where neither is known. Of an IPv6 address it is the /64, since one host
// usually has a whole one, also where it is named with a zone.
func RateKey(c gateway.Caller, remote string) string {
	if c.Name != "" {
		return "caller " + c.Name
	}
	if c.Tenant != "" && c.Tenant != gateway.DefaultTenant {
		return "tenant " + c.Tenant
	}
	return AddressKey(remote)
}

// AddressKey returns the key under which all of a host's addresses are counted; remote may have a port.
func AddressKey(remote string) string {
	ip, ok := parseRemote(remote)
	if !ok || ip.Is4() {
		return hostOf(remote, ip)
	}
	network, err := ip.Prefix(64)
	if err != nil {
		return ip.String()
	}
	return network.Addr().String()
}

// hostOf names what is no address, such as a socket in memory, by itself.
func hostOf(remote string, ip netip.Addr) string {
	if ip.IsValid() {
		return ip.String()
	}
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

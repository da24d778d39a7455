// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Identity is who sends a request.
type Identity struct {
	Caller gateway.Caller
	// Lifetime ends when his credential is taken back; its cause is the refusal. nil: it does not end.
	Lifetime context.Context //nolint:containedctx // it is the credential's, not the request's
}

// IdentifyCaller asks identify who sends a request, and puts the answer into the request's context
// (gateway.CallerFrom). An error of identify is the request's answer, and counted for the address that it came from: where that has
// had more than limit, it is told that instead. Who is known is not held up by others at his address. What is left of a body is not read once its sender's
// credential is taken back, and what he waits for he does not get (gateway.LifetimeFrom).
func IdentifyCaller(next http.Handler, identify func(*http.Request) (Identity, error), limit *RateLimit) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gateway.NoteFrom(r.Context()).NoteAddress(r.RemoteAddr)
		who, err := identify(r)
		if err != nil {
			d, limited := limit.CountRequest(r.Context(), gateway.Caller{}, r.RemoteAddr)
			setRateFields(w.Header(), d)
			problem.FromError(cmp.Or(limited, err)).WriteHTTP(w)
			return
		}
		gateway.NoteFrom(r.Context()).NoteCaller(who.Caller)
		ctx := gateway.WithCaller(r.Context(), who.Caller)
		if who.Lifetime != nil {
			ctx = gateway.WithLifetime(ctx, who.Lifetime)
		}
		identified := r.WithContext(ctx)
		if who.Lifetime != nil {
			identified.Body = lifetimeBody{r.Body, who.Lifetime}
		}
		defer func() { r.Pattern = identified.Pattern }() // the access log asks r for its route
		next.ServeHTTP(w, identified)
	})
}

// lifetimeBody is a body that is read as long as lifetime. Asking that takes no lock.
type lifetimeBody struct {
	io.ReadCloser
	lifetime context.Context //nolint:containedctx // it is the credential's, not the request's
}

// Read implements io.Reader. What came in while the credential was taken back does not count either.
func (b lifetimeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.lifetime.Err() != nil {
		return 0, context.Cause(b.lifetime)
	}
	return n, err
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

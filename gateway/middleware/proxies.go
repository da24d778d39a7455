// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the hosts that are trusted to say for whom they forward requests.
type Proxies []netip.Prefix

// maxHops bounds the proxies that one request is followed back through.
const maxHops = 16

// The headers in which proxies say it. Each adds a hop at the right, or a line of its own after the others.
const (
	forwardedFor = "X-Forwarded-For"
	forwarded    = "Forwarded" // RFC 7239
)

// FindRemote takes the address of a request's remote out of its header, where a trusted proxy is the remote. See FindClient.
func (p Proxies) FindRemote(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = p.FindClient(r.RemoteAddr, r.Header)
		next.ServeHTTP(w, r)
	})
}

// Trust reports whether remote, an address with or without a port, is a trusted proxy's.
func (p Proxies) Trust(remote string) bool {
	addr, ok := parseRemote(remote)
	return ok && p.contains(addr)
}

// FindClient returns from where a request came that arrived from remote: the host nearest to us that is no trusted proxy. What
// stands in the header left of it anybody could have written, and is not looked at. Without a trusted proxy, remote is
// returned as it is.
//
// A proxy writes one of the two headers, and passes the other on as it came. So where both are there and do not agree, a
// client made one of them up, and nobody knows which: the request is the proxy's own then.
func (p Proxies) FindClient(remote string, header http.Header) string {
	proxy, ok := parseRemote(remote)
	if !ok || !p.contains(proxy) {
		return remote
	}
	byFor, byForwarded := header.Values(forwardedFor), header.Values(forwarded)
	client := p.followBack(proxy, byFor, parseHop)
	if len(byForwarded) > 0 {
		other := p.followBack(proxy, byForwarded, parseForwarded)
		if len(byFor) > 0 && other != client {
			return remote
		}
		client = other
	}
	if client == proxy {
		return remote
	}
	return client.String()
}

// followBack goes from the proxy to the hop before it, and on as long as hops are trusted. A hop that is not readable is
// counted as the proxy that wrote it.
func (p Proxies) followBack(proxy netip.Addr, lines []string, parse func(string) (netip.Addr, bool)) netip.Addr {
	client, hops := proxy, 0
	for _, line := range slices.Backward(lines) {
		for rest, more := line, true; more; hops++ {
			hop := rest
			if i := strings.LastIndexByte(rest, ','); i >= 0 {
				rest, hop = rest[:i], rest[i+1:]
			} else {
				more = false
			}
			addr, ok := parse(strings.TrimSpace(hop))
			if !ok || hops == maxHops {
				return client
			}
			if client = addr; !p.contains(addr) {
				return client
			}
		}
	}
	return client
}

func (p Proxies) contains(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// parseForwarded reads the "for" of one hop of Forwarded.
func parseForwarded(hop string) (netip.Addr, bool) {
	var found string
	for parameter := range strings.SplitSeq(hop, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if found != "" {
			return netip.Addr{}, false
		}
		found = value
	}
	if unquoted, ok := strings.CutPrefix(found, `"`); ok {
		if found, ok = strings.CutSuffix(unquoted, `"`); !ok {
			return netip.Addr{}, false
		}
	}
	return parseHop(found)
}

// parseHop reads an address, with or without a port and brackets.
func parseHop(hop string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(hop, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			hop = inner
		}
	}
	return parseRemote(hop)
}

// parseRemote reads an address, with or without a port. A zone is left out: it means nothing on another host.
func parseRemote(remote string) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, false
	}
	return addr.Unmap().WithZone(""), true
}

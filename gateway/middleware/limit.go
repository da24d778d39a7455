// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// RateLimit is what requests are held to, over HTTP and gRPC together. A nil one counts nothing.
type RateLimit struct {
	Limiter ratelimit.Limiter
	Limit   ratelimit.Limit // of who has none of his own; the zero one: he is not counted
	// OwnLimit returns the limit of a caller's own, the zero one where he has none, and whether those who call so are
	// strangers to each other. Nil: nobody has one. It is quick.
	OwnLimit func(gateway.Caller) (own ratelimit.Limit, strangers bool)
	// RefuseUncounted: when the limiter itself fails, requests are refused. Otherwise they go on.
	RefuseUncounted bool
}

// CountRequest counts one request of a caller, from an address. Of strangers, their addresses are counted first, and then all
// of them together. The error is its refusal, nil: it may go on. It returns nil for the decision where nothing was decided.
func (l *RateLimit) CountRequest(ctx context.Context, c gateway.Caller, remote string) (*ratelimit.Decision, error) {
	if l == nil {
		return nil, nil //nolint:nilnil // documented
	}
	own, strangers := l.limitOf(c)
	if !strangers {
		return l.take(ctx, RateKey(c, remote), own)
	}
	byAddress, err := l.take(ctx, AddressKey(remote), l.Limit)
	if err != nil {
		return byAddress, err
	}
	together, err := l.take(ctx, RateKey(c, remote), own)
	if together == nil || err == nil && byAddress != nil && byAddress.Remaining < together.Remaining {
		return byAddress, err
	}
	return together, err
}

func (l *RateLimit) limitOf(c gateway.Caller) (_ ratelimit.Limit, strangers bool) {
	if l.OwnLimit == nil {
		return l.Limit, false
	}
	own, strangers := l.OwnLimit(c)
	return cmp.Or(own, l.Limit), strangers
}

func (l *RateLimit) take(ctx context.Context, key string, limit ratelimit.Limit) (*ratelimit.Decision, error) {
	if limit == (ratelimit.Limit{}) {
		return nil, nil //nolint:nilnil // documented
	}
	d, err := l.Limiter.Take(ctx, key, limit)
	switch {
	case err != nil && l.RefuseUncounted:
		return nil, problem.ErrUncounted
	case err != nil:
		return nil, nil //nolint:nilnil // documented
	case !d.Allowed:
		return &d, problem.LimitedError(d.RetryAfter)
	}
	return &d, nil
}

// What requests are counted below: the API, Rekor's own, and own logs, which anybody can read. All else is small, and answered whatever goes on.
const (
	APIPath   = "/v1/"
	RekorPath = "/api/"
	OwnPath   = "/own/"
)

var countedPaths = []string{APIPath, RekorPath, OwnPath}

// LimitRate refuses callers who ask more often than limit lets them. Only what is below countedPaths counts.
// Every answer to a request that was counted says what is left.
func LimitRate(next http.Handler, limit *RateLimit) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.ContainsFunc(countedPaths, func(below string) bool { return strings.HasPrefix(r.URL.Path, below) }) {
			next.ServeHTTP(w, r)
			return
		}
		d, err := limit.CountRequest(r.Context(), gateway.CallerFrom(r.Context()), r.RemoteAddr)
		setRateFields(w.Header(), d)
		if err != nil {
			problem.FromError(err).WriteHTTP(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

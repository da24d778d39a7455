// SPDX-License-Identifier: Apache-2.0

package gateway

import "context"

// DefaultTenant is the tenant of every caller where there is no access control.
const DefaultTenant = "default"

// Right is what a caller may be allowed to do. Several are a bit set.
type Right uint8

// The rights. NoRight is what everybody has, without a credential.
const (
	NoRight   Right = 0
	MaySubmit Right = 1 << iota
	MayRead
	MayAudit

	AllRights = MaySubmit | MayRead | MayAudit
)

// Rights are the rights by their names in the configuration.
var Rights = map[string]Right{"submit": MaySubmit, "read": MayRead, "audit": MayAudit}

// Has reports whether r has all of want.
func (r Right) Has(want Right) bool { return r&want == want }

// Caller is who sends a request, once that is known. Callers can be compared.
type Caller struct {
	// Tenant is whose submissions the caller sends and sees.
	Tenant string
	// Name is the caller's in the configuration, or "": there is no access control, or what is asked for needs none.
	Name string
	// May is what the caller may do.
	May Right
	// Priority is that of his submissions, and the highest that he may ask for.
	Priority Priority
	// InPath: the caller has shown a token in the path of a URL, where others may have read it. It is good for little.
	InPath bool
}

// WithinPath returns c as the caller whose token is in the path of a URL.
func (c Caller) WithinPath() Caller {
	c.InPath = true
	return c
}

type callerKey struct{}

// WithCaller returns a context of a request by c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns whom WithCaller put into ctx, or a caller of the default tenant, who may do nothing.
func CallerFrom(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	return Caller{Tenant: DefaultTenant}
}

type lifetimeKey struct{}

// WithLifetime returns a context of a request whose credential is good until lifetime ends. The refusal is its cause then.
func WithLifetime(ctx, lifetime context.Context) context.Context {
	return context.WithValue(ctx, lifetimeKey{}, lifetime)
}

// LifetimeFrom returns what WithLifetime put into ctx, or a context that does not end.
func LifetimeFrom(ctx context.Context) context.Context {
	if lifetime, ok := ctx.Value(lifetimeKey{}).(context.Context); ok {
		return lifetime
	}
	return context.Background()
}

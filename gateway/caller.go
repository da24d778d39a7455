// SPDX-License-Identifier: Apache-2.0

package gateway

import "context"

// DefaultTenant is the tenant of every caller where there is no access control.
const DefaultTenant = "default"

// Caller is who sends a request, once that is known.
type Caller struct {
	// Tenant is whose submissions the caller sends and sees.
	Tenant string
}

type callerKey struct{}

// WithCaller returns a context of a request by c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerFrom returns whom WithCaller put into ctx, or the caller of the default tenant.
func CallerFrom(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	return Caller{Tenant: DefaultTenant}
}

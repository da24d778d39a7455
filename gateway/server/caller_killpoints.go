// SPDX-License-Identifier: Apache-2.0

//go:build killpoints

package server

import "github.com/rekor-gateway/rekor-gateway/gateway"

// testTenant names the caller's tenant, in this build alone, where there is no access control.
const testTenant = "x-test-tenant"

// callerNamed returns the caller of the tenant that a request's header names.
func callerNamed(header func(name string) string) gateway.Caller {
	if tenant := header(testTenant); tenant != "" {
		return gateway.Caller{Tenant: tenant, May: gateway.AllRights}
	}
	return defaultCaller
}

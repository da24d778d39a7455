// SPDX-License-Identifier: Apache-2.0

//go:build !killpoints

package server

import "github.com/rekor-gateway/rekor-gateway/gateway"

// callerNamed returns the caller of a request with these headers, where there is no access control.
func callerNamed(func(name string) string) gateway.Caller { return defaultCaller }

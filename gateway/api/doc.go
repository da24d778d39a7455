// SPDX-License-Identifier: Apache-2.0

// Package api is the gateway's surface: the gRPC service, the HTTP routes, and the one place
// where errors become statuses.
package api

// SPDX-License-Identifier: Apache-2.0

// Package api is the gateway's surface: the gRPC service and the HTTP routes. How errors look to
// callers is in api/problem, what a request may make the gateway hold in api/upload.
package api

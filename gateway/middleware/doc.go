// SPDX-License-Identifier: Apache-2.0

// Package middleware is the HTTP middleware: request ids, access log, panics, Host and Origin checks, caller,
// rate limit, admission. gateway/server puts it in order.
package middleware

// SPDX-License-Identifier: Apache-2.0

// Package problem is the one map from errors to what callers see: HTTP status, gRPC code, reason,
// message, hint, field and time to wait. Every part of the surface answers through it, the HTTP
// middleware and the gRPC interceptors included.
//
// A refusal is a *formats.Error; its reason has a row in the table of reasons. Sentinel errors of
// the domain are listed with the reason and the words they get. Anything else, a reason
// without a row included, is 500 INTERNAL and says nothing of its cause.
package problem

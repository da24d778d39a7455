// SPDX-License-Identifier: Apache-2.0

// Package client calls a gateway over gRPC. It needs none of what the gateway itself is made of.
//
// A [Client] is made once and used by as many goroutines as there are. It spreads calls over the gateway's addresses, streams
// artifacts of any size, repeats what failed for now, and follows a submission until it is logged. Repeating is safe: a gateway knows
// a submission by its signature, key and artifact, so one that is sent twice is one submission.
//
// docs/grpc.md explains deadlines, sizes, load balancing and keepalive.
package client

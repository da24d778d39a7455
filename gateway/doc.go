// SPDX-License-Identifier: Apache-2.0

// Package gateway is the domain: submissions are verified, planned, stored, logged by a worker
// and given receipts. It knows logs and stores only by the interfaces declared here, and
// neither HTTP nor gRPC nor SQL.
package gateway

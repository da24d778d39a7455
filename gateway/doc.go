// SPDX-License-Identifier: Apache-2.0

// Package gateway has the words and seams of the domain: what a request, a submission, an entry, a
// plan and a problem are, and what the domain needs of a log, a store and an attester. It starts no
// goroutine and does no I/O. The rooms do the work: intake takes submissions in, planning chooses how
// they are recorded, delivery takes them to the logs, lookup answers for them; gateway/server joins
// them. Rooms know neither each other nor HTTP, gRPC and SQL.
package gateway

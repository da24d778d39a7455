// SPDX-License-Identifier: Apache-2.0

// Package gateway has the words and seams of the domain. It starts no goroutine and does no I/O. The
// rooms do the work: intake takes submissions in, planning chooses how they are recorded, delivery
// takes them to the logs, lookup answers for them; gateway/server joins them. Rooms know neither each
// other nor HTTP, gRPC and SQL.
//
// # Words
//
// A [Submission] is what one tenant sent at once: one signature file over one artifact. It holds one
// [RecordedSignature] as a rule. An [Entry] is one record in one log; entries that two submissions
// have in common are one row.
//
// Each signature has a [Representation]:
//
//	NATIVE     the log's own entry kind: "this key signed these bytes"
//	PROJECTED  the signer's own signature and key over the bytes that the format really signs
//	ATTESTED   a statement of the gateway, which verified it; signed as DSSE
//
// and a [Way]: DIRECT is an entry in the log itself. Its evidence says whether the gateway hashed the
// artifact's bytes or was given a digest that the signature binds.
//
// A [Plan] says, before the artifact is seen, which representations are possible and why the others are
// not. A log is given an [Offer] and makes a [Prepared] entry of it, whose body is opaque to all but
// its adapter, and answers with an [Inclusion]. A log's tree is a [Shard] for ever: origin and key.
//
// The [Store] keeps all of that. A submission is accepted when it is fsynced, and LOGGED when as many
// logs as it needs have all of its entries (see [StateOf]).
package gateway

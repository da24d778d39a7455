// SPDX-License-Identifier: Apache-2.0

// Package receipt makes receipts and verifies them offline: no network, no database, no gateway.
//
// # Form
//
// A receipt is JSON (media type [MediaType]), the protobuf mapping of rekorgateway.receipt.v1.Receipt,
// in version [FormatVersion]; a receipt of an older version verifies for ever. It holds
//
//   - the original signature, byte for byte, and the signers' minimal keys,
//   - what was seen of the artifact: digests, each with its evidence, and size,
//   - how each signature is recorded, and
//   - one entry per record in a log: a Sigstore bundle v0.3 with the log's entry, inclusion proof and
//     checkpoint (C2SP tlog-checkpoint), and the recipe that rebuilds the bytes it is about.
//
// # Life
//
// [New] makes it without entries; [Project] and [Attestation] make an entry and the record to be logged;
// [Complete] puts the logs' proofs in. [Verify] runs the format's own check again over the artifact, by the
// keys that the reader expects, rebuilds each record and compares it, and proves that it is in a trusted log.
//
// Where the signature file is at hand, less will do: [Report.EmbedProof] puts a condensed receipt into the armor of a PGP signature, and
// [FindProof] reads it there; [ParseProof] reads one in a proof of its own. Verify, told so, makes what is left out again of the signature
// that it has verified, and holds that to the proofs.
//
// # What is believed
//
// Nothing that nobody signed decides anything. The list of all fields, and why each is believed, is in
// fields.go; what only the receipt says is reported as that. Time is judged as time.go says.
package receipt

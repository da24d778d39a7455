// SPDX-License-Identifier: Apache-2.0

// Package formats declares what a signature format plugin is and the words that
// plugins, planner and receipts share.
//
// A plugin lives in a folder of its own (formats/pgp, formats/ssh, …) and is listed
// once, in formats/all. It is pure: no network, no files, no clock but [Policy].Now, no
// work that it does not charge to the request's account ([StartWork]).
//
// # The way of one signature
//
// [Format].Parse is given everything but the artifact. It refuses all that can be refused without
// it, and returns a [Parsed] whose signer is known. Parsed.Describe says what is needed of the artifact:
// its bytes, a digest, or nothing. Parsed.Verify reads the artifact once, as a stream, in constant memory,
// and returns what was proven, [Verified]: digests with their [Evidence], signers by their SPKI, and, where the
// signed bytes can be rebuilt, a [Projection] with its [Recipe]. Each refusal is an [Error]: a reason for
// machines, a message and a hint for people.
//
// Package formatstest holds a plugin to all of that, and its example (formatstest/toy) is a plugin as small
// as it can be.
package formats

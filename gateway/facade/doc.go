// SPDX-License-Identifier: Apache-2.0

// Package facade is a log for clients of Rekor v1, over a log of Rekor v2, whose entries they cannot read. It is a log of the gateway's own (package
// ownlog): its leaves are the hashedrekord 0.0.1 of what is recorded in Rekor v2, one of each for ever, and its checkpoints, which have the form of
// Rekor v1's, are anchored in the same log of Rekor v2. What it answers with is true of its own tree: ids, indexes, proofs and signed entry
// timestamps (SET). Of what a client of Rekor v1 has sent as a rekord, of a format whose keys name nobody, the rekord is a leaf besides. Its time of an entry is when a checkpoint that covers it was signed first. That is the gateway's word, and no receipt has it.
//
// The store lists what becomes Logged in Rekor v2, in the transaction in which it does; a leaf is made of each, and taken off the list once it is
// stored. So a crash between the two makes a leaf again, which is the one that is there.
//
// A tree has one key. After it, another tree goes on, with the indexes that come next, and the former one stays readable.
package facade

// SPDX-License-Identifier: Apache-2.0

// Package formats declares what a signature format plugin is and the words that
// plugins, planner and receipts share.
//
// A plugin lives in a folder of its own (formats/pgp, formats/ssh, …) and is listed
// once, in formats/all. It is pure: no network, no files, no clock but Policy.Now.
//
// The way of one signature is Parse, which is given everything but the artifact and
// refuses everything that can be refused without it, then Verify, which reads the
// artifact once, as a stream, and returns what was proven.
//
// Signature and keys come from strangers. What reading and checking them costs is charged to
// one account for each request (Work), which travels in the context; the context's end stops it.
package formats

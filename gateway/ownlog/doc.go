// SPDX-License-Identifier: Apache-2.0

// Package ownlog runs a log of the gateway's own: an append-only log (https://c2sp.org/tlog-tiles) of records of the kind that Rekor
// has, thousands of which rest on one entry in Rekor. Records are entries in the store, which gives each the next index; every
// now and then the log's checkpoint (https://c2sp.org/tlog-checkpoint) is signed, and recorded in Rekor by an anchor, an ordinary entry signed with
// a key of its own. What an anchor that is logged covers, is logged.
//
// An anchor is a submission of a tenant of its own: delivery sends it, settles its doubts and hands it to other logs as it does with
// all. Its receipt keeps the checkpoint that it records, so that a checkpoint is stored in the moment in which it is to be sent, and
// never signed twice. Each anchor's key names the one before: of several processes on one store one is first, and the others
// go on with what it has made.
package ownlog

// SPDX-License-Identifier: Apache-2.0

// Package rekorcompat answers on Rekor's own routes, so that clients of Rekor change one URL and nothing else.
//
// Of Rekor v2 it has POST /api/v2/log/entries and CreateEntry over gRPC: what is sent is a submission as any other, verified here, held to
// the caller's policy and limits, stored, and delivered. The request waits for its entry in the log and is answered by it, as the log's own server
// would, with the log's proof and checkpoint. The checkpoint and the tiles of one log are read through it, too.
//
// Three things differ from the server. What is sent again is answered by its entry; a server of Rekor v2 has no more than an index for it
// (409), of which clients can make nothing. What is refused is told why. And a log that is slow or down loses nothing: who has waited too long
// is told to send the same again.
//
// Of Rekor v1 it has all that rekor-cli and build services ask for, over a V1Log: entries that are posted, artifacts and all, are submissions as any
// other, and answered by the log's entry, or by where it is when they were logged before, as the log's server does.
package rekorcompat

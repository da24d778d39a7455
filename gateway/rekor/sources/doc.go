// SPDX-License-Identifier: Apache-2.0

// Package sources says which shards a log has, where they are, and by which keys: from what the configuration says of the log and a
// Sigstore trusted root (static), or from a trusted root and a Sigstore signing config, which belong together.
//
// Whatever a source is, it yields the same: the shards of each log with the windows in which they are written to. Rotation is then
// that of the logs: a shard that begins or ends does so by the clock, and one that is new comes with the next reading.
package sources

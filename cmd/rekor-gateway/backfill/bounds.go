// SPDX-License-Identifier: Apache-2.0

package backfill

// What a scan holds and does at most, whatever it finds.
const (
	maxHead      = 64 << 10 // octets of a file that are looked at to see whether it is a signature
	maxRead      = 8 << 10  // octets of a file that an item has with it: most signatures have less, and thousands of items may wait
	maxFolder    = 1 << 20  // names in one folder: some 80 MiB while it is scanned
	maxDepth     = 256      // folders in folders
	maxFollowed  = 100_000  // folders that are reached through symbolic links
	maxList      = 16 << 20 // octets of a signed list
	maxListed    = 100_000  // files that a list names
	maxListLines = 500_000  // lines of it; Release files name each file under several digests
	maxListLine  = 16 << 10 // octets of a line of it
	maxCompared  = 1 << 40  // octets of the files of one list that are read: hours, if not days
	maxFault     = 1 << 10  // octets of what is kept of a listed file's fault
	maxRow       = 1 << 20  // octets of a line of a manifest
	maxRaw       = 8 << 10  // octets of a signature that nothing tells from other bytes
	readBatch    = 4096     // names of a folder that are read at once
)

// MaxFaults bounds what is kept of one list's files: mirrors have a part of what a Release file names.
const MaxFaults = 100

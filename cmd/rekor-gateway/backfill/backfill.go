// SPDX-License-Identifier: Apache-2.0

// Package backfill finds the signatures in a directory tree, or takes them from a manifest, and says what each is to be
// submitted with.
//
// It reads files and nothing else: it knows no network, writes nothing, and verifies no signature. What it cannot
// pair, it says why, and what to do. All of it is bounded, and nothing that it finds may be trusted: a tree of ten years has files
// of every kind in it.
package backfill

import (
	"context"
	"io/fs"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Item is one signature file and what it is to be submitted with, or why it cannot be.
type Item struct {
	Signature  string            // path as found, its root joined; an https:// or http:// URL, by a manifest
	Root       string            // the folder that none of its paths leads out of; "" with Options.AllowOutside
	Name       string            // path relative to its root, or from its own name on where there are several, slash separated; what reports and receipts are named after
	Keys       []string          // paths or URLs that a manifest names, or of TUF metadata that Scan finds, the repository's root; empty: those of the command line
	Artifact   string            // path or URL; "" with Digest, or where the signature holds its content (clear-signed, attached, TUF metadata)
	Decompress bool              // the signature is over the inner file of the compressed Artifact
	Digest     string            // ALG:HEX, by a manifest
	Alone      bool              // the folder had no name of another signature over the same file when it was read
	Bare       bool              // nor that of a receipt, which begins as this one's: Signature's without its suffix; nor that of a part of any receipt
	Seen       time.Time         // when Signature and Artifact were regular files; zero where nobody has looked
	Size       int64             // octets of Signature then; 0 where that is not known
	Read       *Read             // what Scan has read of Signature; nil where that is not known, or more than a few kilobytes
	Format     string            // "" is detected by content
	Labels     map[string]string // by a manifest; may be nil
	List       *List             // of a signed list (SHA256SUMS, InRelease, .dsc); else nil
	Problem    *formats.Error    // not nil: it cannot be submitted; says why, and what to do
}

// Read is all that was in a small file when it was read.
type Read struct {
	Content []byte
	Info    fs.FileInfo // what the file was when it was opened; by the end nothing had been written to it
	At      time.Time   // before that
}

// freshTime is how long what the scan has seen of files counts: those that take the items may be slow, and have one wait for hours.
const freshTime = time.Second

// IsFresh reports whether what Seen, Size and Read say of the files was so a moment ago.
func (i Item) IsFresh() bool { return !i.Seen.IsZero() && time.Since(i.Seen) < freshTime }

// Options say what is scanned, and how.
type Options struct {
	// Context ends the scan with its error. Nil is context.Background.
	Context context.Context

	// Include and Exclude are patterns of names, with / between folders: * is any part of a name, ** any folders. One without a / is
	// of the last element at any depth. A file counts that an Include matches, or all do when there is none, and
	// that no Exclude matches, nor a folder that it is in.
	Include, Exclude []string

	Follow       bool // symbolic links to folders and signatures are followed; without, they are passed over. Those to artifacts always are followed
	AllowOutside bool // paths and links may lead out of the root
}

// The reasons that this package gives beside those of formats. What they mean stands in the command's table.
const (
	ReasonFile              formats.Reason = "FILE"               // a file cannot be read
	ReasonFileChanged       formats.Reason = "FILE_CHANGED"       // a file was written while it was read
	ReasonOutsideRoot       formats.Reason = "OUTSIDE_ROOT"       // a path leads out of the folder that was named
	ReasonMalformedManifest formats.Reason = "MALFORMED_MANIFEST" // the manifest, or a line of it, is not one
	ReasonMalformedList     formats.Reason = "MALFORMED_LIST"     // a signed list cannot be read, so that its files were not checked
)

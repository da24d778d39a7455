// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
)

// shape is what a file's name says of it.
type shape struct {
	base string   // what it may be over, beside it; "" for what can only hold its content
	also []string // other names that base may have
	sure bool     // by its name it is a signature and nothing else
	raw  bool     // it may be a raw signature, which nothing tells from other bytes
	tuf  bool     // metadata of a TUF repository
}

// suffixes of a signature that stands beside what it is over, the longer before those that they end with.
var suffixes = []struct {
	text      string
	sure, raw bool
}{
	{".sigstore.json", true, false},
	{".sigstore", false, false},
	{".minisig", true, false},
	{".pem.sig", true, true},
	{".sshsig", true, false},
	{".sign", true, true},
	{".sig", true, true},
	{".p7s", true, false},
	{".p7m", false, false}, // or an encrypted message
	{".asc", false, false}, // or a key, or text in AsciiDoc
	{".gpg", false, false}, // or a keyring, or an encrypted file
	{".pgp", false, false},
}

// ReceiptSuffix is what a receipt's name has more than its file's. Such files are no signatures.
const ReceiptSuffix = ".receipt.json"

// PartPrefix and PartSuffix are how the name begins and ends that a receipt may have before it is whole.
const (
	PartPrefix = "."
	PartSuffix = ".part"
)

// maxSuffix is as long as the longest of suffixes.
const maxSuffix = 14

// clearNames are of files that are signed in the clear, if they are.
var clearNames = regexp.MustCompile(`(?i)\.(dsc|changes|buildinfo)$`)

// sumsNames are of lists of digests.
var sumsNames = regexp.MustCompile(`(?i)(^|[-_.])(sha-?2?-?(256|384|512)(sums?)?|shasums?-?(256|384|512)|b2sums?|blake2b(sums?)?|checksums?)(\.txt)?$`)

// findSuffix returns which of suffixes name has, or -1. It may be in capitals.
func findSuffix(name string) int {
	end := strings.ToLower(name[max(0, len(name)-maxSuffix):])
	for i, s := range suffixes {
		if strings.HasSuffix(end, s.text) && len(name) > len(s.text) {
			return i
		}
	}
	return -1
}

// CutSuffix parts the name of a signature file, without its folder, into that of the file it is over and what it has more: "app.tar.gz" and ".asc". The
// suffix is "" where the name has none of a signature.
func CutSuffix(name string) (base, suffix string) {
	if i := findSuffix(name); i >= 0 {
		at := len(name) - len(suffixes[i].text)
		return name[:at], name[at:]
	}
	return name, ""
}

// isSuffix reports whether text is one of suffixes: of app.pem.sig both .sig, over app.pem, and .pem.sig, over app.
func isSuffix(text string) bool {
	for _, s := range suffixes {
		if strings.EqualFold(s.text, text) {
			return true
		}
	}
	return false
}

// IsSigned reports whether a file of this name, without its folder, is a signature by its name, or holds one: app.asc, InRelease, app.dsc.
func IsSigned(name string) bool {
	_, suffix := CutSuffix(name)
	return suffix != "" || strings.EqualFold(name, "InRelease") || clearNames.MatchString(name)
}

// HoldsSignature reports whether the file of a list, such as SHA256SUMS, is signed in itself: its receipt has the list's name then.
func HoldsSignature(file string) bool {
	if !sumsNames.MatchString(filepath.Base(file)) {
		return false
	}
	f, _, err := Open(file)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read
	head, err := io.ReadAll(io.LimitReader(f, maxHead))
	if err != nil {
		return false
	}
	s := scanner{registry: all.Formats()}
	k, err := s.identify(context.Background(), head)
	return err == nil && k == holding
}

// shapeOf says whether the file called name may be a signature. isTUF tells whether its folder has TUF metadata.
func shapeOf(name string, isTUF func() bool) (shape, bool) {
	if strings.HasSuffix(name, ReceiptSuffix) {
		return shape{}, false
	}
	if i := findSuffix(name); i >= 0 {
		s := suffixes[i]
		sh := shape{base: name[:len(name)-len(s.text)], sure: s.sure, raw: s.raw}
		if s.text == ".pem.sig" {
			sh.also = []string{name[:len(name)-len(".sig")]} // a PEM file that was signed
		}
		return sh, true
	}
	switch {
	case strings.HasSuffix(name, ".json"):
		return shape{tuf: true}, isTUF()
	case strings.EqualFold(name, "InRelease"):
		return shape{sure: true}, true
	case clearNames.MatchString(name), sumsNames.MatchString(name):
		return shape{}, true
	}
	return shape{}, false
}

// inner is how the names of compressed files end, whose inner file may be what was signed.
var inner = []struct {
	text string
	of   string // what the inner file's name ends with in its place
	can  bool   // the gateway reads it
}{
	{".gz", "", true},
	{".xz", "", true},
	{".tgz", ".tar", true},
	{".txz", ".tar", true},
	{".bz2", "", false},
	{".zst", "", false},
	{".lz", "", false},
	{".lzma", "", false},
	{".tbz2", ".tar", false},
	{".zip", "", false},
	{".Z", "", false},
}

// compressedName returns the name of base when it is compressed that way, or "".
func compressedName(base, text, of string) string {
	stem, ok := strings.CutSuffix(base, of)
	if !ok {
		return ""
	}
	return stem + text
}

// isCompressed reports whether artifact is base, compressed in a way that the gateway reads.
func isCompressed(artifact, base string) bool {
	for _, c := range inner {
		if c.can && artifact == compressedName(base, c.text, c.of) {
			return true
		}
	}
	return false
}

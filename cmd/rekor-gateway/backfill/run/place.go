// SPDX-License-Identifier: Apache-2.0

package run

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
)

// suffixOrder has the endings of signatures' names in the order in which they come first.
var suffixOrder = []string{".asc", ".gpg", ".minisig", ".p7m", ".p7s", ".pem.sig", ".pgp", ".sig", ".sign", ".sigstore", ".sigstore.json", ".sshsig"}

// findEnding returns what the name of a signature has more than that of its file; "" where that does not tell.
func findEnding(item backfill.Item) string {
	if item.Artifact != "" && strings.HasPrefix(item.Signature, item.Artifact+".") {
		return item.Signature[len(item.Artifact):]
	}
	_, ending := backfill.CutSuffix(path.Base(filepath.ToSlash(item.Signature)))
	return ending
}

// place is where the receipt of a signature may be.
type place struct {
	root  string // the folder that the receipt stays below, whatever links are put there; "" where it need not
	first string // shared by all signatures over one file: whose comes first has it; "" where the signature has its content in it, and over a file that is a signature
	own   string // the signature's own
	rank  int    // of the signature's ending in suffixOrder, or -1
	stem  string // the signature's name without its suffix
	alone bool   // no other signature has the stem
}

// findPlace returns where the receipt of item goes: beside the files, or in the folder dir.
func findPlace(item backfill.Item, dir string) (place, error) {
	ending := findEnding(item)
	p := place{stem: strings.TrimSuffix(item.Signature, ending), rank: slices.Index(suffixOrder, ending), root: item.Root}
	if _, suffix := backfill.CutSuffix(path.Base(filepath.ToSlash(item.Signature))); suffix == ending {
		p.alone = item.Alone
	}
	suffix, base := ending, "" // base: without any suffix
	switch {
	case dir != "" && !filepath.IsLocal(filepath.FromSlash(item.Name)):
		return place{}, fault.WithHint(errors.New("the name leads out of the folder for receipts"), "name the files by paths within one folder")
	case dir != "":
		if item.Root != "" {
			p.root = dir
		}
		base = filepath.Join(dir, filepath.FromSlash(strings.TrimSuffix(item.Name, ending)))
	case item.Artifact != "" && !client.IsURL(item.Artifact) && !item.Decompress:
		base, suffix = item.Artifact, cmp.Or(ending, "."+filepath.Base(item.Signature))
	case !client.IsURL(item.Signature):
		base = p.stem
	default:
		return place{}, fault.WithHint(errors.New("the files are fetched, so that there is no place beside them"), "keep the receipts in a folder: --receipts FOLDER")
	}
	p.own = base + suffix + backfill.ReceiptSuffix
	if item.Artifact != "" || item.Digest != "" || suffix == "" {
		p.first = base + backfill.ReceiptSuffix
	}
	if p.first != p.own && (backfill.IsSigned(filepath.Base(base)) || !item.Decompress && backfill.HoldsSignature(item.Artifact)) {
		p.first = "" // that name is the signature's that the file is
	}
	return p, nil
}

// isMissing reports whether nothing is there now.
func isMissing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// wasBare reports whether neither file was there when the folder was read. What has come since where the receipt does not go is found when that is written,
// which replaces nothing.
func (p place) wasBare(item backfill.Item) bool {
	base, _ := backfill.CutSuffix(item.Signature)
	for _, path := range []string{p.own, p.first} {
		if rest, ok := strings.CutPrefix(path, base+"."); path != "" && (!ok || strings.ContainsRune(rest, filepath.Separator)) {
			return false
		}
	}
	return item.Bare
}

// comesFirst reports whether no other signature over the same file comes before this one.
func (p place) comesFirst() bool {
	if p.alone || client.IsURL(p.stem) {
		return true
	}
	for _, s := range suffixOrder[:max(p.rank, 0)] {
		if _, err := os.Lstat(p.stem + s); err == nil {
			return false
		}
	}
	return true
}

// choose returns the file for a receipt that is nowhere yet, where no receipt was in the first file, or one was.
func (p place) choose(firstIsFree bool) string {
	if p.first == "" || p.first == p.own || !p.comesFirst() || !firstIsFree {
		return p.own
	}
	return p.first
}

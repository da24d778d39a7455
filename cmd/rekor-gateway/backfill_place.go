// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
)

// signatureSuffixes are what signatures' names have more than those of their files, in the order in which they come first. A longer
// one stands before what it ends in.
var signatureSuffixes = []string{".asc", ".minisig", ".p7m", ".p7s", ".pem.sig", ".sig", ".sign", ".sigstore.json", ".sshsig"}

// cutSignatureSuffix returns the name of the file that a signature's name says it is over, and what it has more.
func cutSignatureSuffix(name string) (stem, suffix string) {
	for _, s := range signatureSuffixes {
		if stem, ok := strings.CutSuffix(name, s); ok && filepath.Base(stem) != "." && !strings.HasSuffix(stem, "/") {
			return stem, s
		}
	}
	return name, ""
}

// place is where the receipt of a signature may be.
type place struct {
	first string // shared by all signatures over one file: whose comes first has it; "" where the signature has its content in it
	own   string // the signature's own
	rank  int    // of the signature's suffix
	stem  string // the signature's name without its suffix
}

// findPlace returns where the receipt of item goes: beside the files, or in the folder dir.
func findPlace(item backfill.Item, dir string) (place, error) {
	stem, suffix := cutSignatureSuffix(item.Name)
	signature, ending := cutSignatureSuffix(item.Signature)
	var base string // without any suffix
	switch {
	case dir != "":
		base = filepath.Join(dir, filepath.FromSlash(stem))
		if !filepath.IsLocal(filepath.FromSlash(item.Name)) {
			return place{}, withHint(errors.New("the name leads out of the folder for receipts"), "name the files by paths within one folder")
		}
	case item.Artifact != "" && !client.IsURL(item.Artifact) && !item.Decompress:
		base = item.Artifact
		suffix = ending
		if suffix == "" {
			suffix = "." + filepath.Base(item.Signature)
		}
	case !client.IsURL(item.Signature):
		base, suffix = signature, ending
	default:
		return place{}, withHint(errors.New("the files are fetched, so that there is no place beside them"), "keep the receipts in a folder: --receipts FOLDER")
	}
	p := place{own: base + suffix + receiptSuffix, stem: signature, rank: len(signatureSuffixes)}
	for i, s := range signatureSuffixes {
		if s == ending {
			p.rank = i
		}
	}
	if suffix != "" && (item.Artifact != "" || item.Digest != "") {
		p.first = base + receiptSuffix
	}
	if suffix == "" {
		p.first = p.own
	}
	return p, nil
}

// comesFirst reports whether no other signature over the same file comes before this one.
func (p place) comesFirst() bool {
	if client.IsURL(p.stem) {
		return true
	}
	for _, s := range signatureSuffixes[:min(p.rank, len(signatureSuffixes))] {
		if _, err := os.Lstat(p.stem + s); err == nil && p.rank < len(signatureSuffixes) {
			return false
		}
	}
	return true
}

// choose returns the file for a receipt that is nowhere yet. isFree says whether a file is.
func (p place) choose(isFree func(path string) bool) string {
	if p.first == "" || p.first == p.own || !p.comesFirst() || !isFree(p.first) {
		return p.own
	}
	return p.first
}

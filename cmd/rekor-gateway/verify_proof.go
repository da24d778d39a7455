// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// signatureSuffixes are what the names of signature files with an armor have more than their files'.
var signatureSuffixes = []string{".asc", ".sig", ".sign", ".gpg"}

// loaded is a receipt to verify: whole, or what a proof has of it.
type loaded struct {
	*receiptpb.Receipt
	condensed bool
}

// findEmbedded looks for a proof in the file itself and in the signature files beside it. err is returned where there is none.
func (v *verifier) findEmbedded(t *target, err error) (loaded, error) {
	for _, suffix := range append([]string{""}, signatureSuffixes...) {
		path := t.artifact + suffix
		raw, ok := readArmored(path)
		if !ok {
			continue
		}
		r, perr := receipt.FindProof(raw)
		if perr != nil {
			return loaded{}, fmt.Errorf("%s: %w", path, perr)
		}
		if r != nil {
			t.receipt = path
			t.chooseSigned(r)
			return loaded{r, true}, nil
		}
	}
	return loaded{}, explainNoReceipt(*t, err)
}

// chooseSigned names the file that was signed where a signature file was named alone, as gpg --verify does.
func (t *target) chooseSigned(r *receiptpb.Receipt) {
	if t.receipt != t.artifact || r.GetArtifact().GetEmbedded() {
		return
	}
	for _, suffix := range signatureSuffixes {
		if signed, ok := strings.CutSuffix(t.artifact, suffix); ok && isFile(signed) {
			t.artifact = signed
			return
		}
	}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// readArmored returns ok false for what cannot be a signature file with a proof in it: a release of gigabytes is not read for that.
func readArmored(path string) (raw []byte, ok bool) {
	file, _, err := backfill.Open(path)
	if err != nil {
		return nil, false
	}
	defer file.Close() //nolint:errcheck // only read
	const enough = 512
	head, err := io.ReadAll(io.LimitReader(file, enough))
	if err != nil || !receipt.MayHaveProof(head) {
		return nil, false
	}
	rest, err := io.ReadAll(io.LimitReader(file, formats.MaxSignatureSize))
	return append(head, rest...), err == nil && len(head)+len(rest) <= formats.MaxSignatureSize
}

// readEmbedded reads the proof in a signature file that was named.
func readEmbedded(path string, raw []byte) (loaded, error) {
	r, err := receipt.FindProof(raw)
	switch {
	case err != nil:
		return loaded{}, fmt.Errorf("%s: %w", path, err)
	case r == nil:
		return loaded{}, withHint(fmt.Errorf("there is no proof in %s", path),
			"put it in: verify FILE --receipt RECEIPT --embed SIGNATURE-FILE; or name the receipt with --receipt FILE")
	}
	return loaded{r, true}, nil
}

// readProof reads a proof in a file of its own, which is for the signature file that --signature names.
func (v *verifier) readProof(text []byte) (loaded, error) {
	var signature []byte
	if v.signature != "" {
		var err error
		if signature, err = input.ReadFile(v.signature, formats.MaxSignatureSize); err != nil {
			return loaded{}, err
		}
	}
	r, err := receipt.ParseProof(text, signature)
	if err != nil {
		return loaded{}, err
	}
	if v.signature == "" {
		return loaded{}, withHint(errors.New("the proof has no signature in it"), "name the signature file: --signature FILE")
	}
	return loaded{r, true}, nil
}

// embedProof puts what was verified into the signature file, and returns its name.
func (v *verifier) embedProof(report *receipt.Report) (string, error) {
	if v.embed == "" {
		return "", nil
	}
	path, err := filepath.EvalSymlinks(v.embed) // what is renamed has to be the file itself
	if err != nil {
		return "", err
	}
	old, err := input.ReadFile(path, formats.MaxSignatureSize)
	if err != nil {
		return "", err
	}
	out, err := report.EmbedProof(old)
	if err != nil || bytes.Equal(out, old) {
		return v.embed, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", withHint(fmt.Errorf("%s is no file", v.embed), "name the signature file")
	}
	return v.embed, replaceFile(path, out, info.Mode().Perm())
}

// sameSignature reports whether a file is the signature of a receipt, whatever proof was put into it since.
func sameSignature(file, signature []byte) bool {
	return bytes.Equal(file, signature) || bytes.Equal(receipt.CutProof(file), receipt.CutProof(signature))
}

// embeddedRoom is more than a proof in armor headers has.
const embeddedRoom = 2 * receipt.MaxCondensed

// isAbsent reports whether a receipt that nobody has named is not there.
func (v *verifier) isAbsent(t *target, err error) bool {
	return errors.Is(err, fs.ErrNotExist) && t.artifact != "" && v.receipt == ""
}

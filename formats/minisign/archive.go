// SPDX-License-Identifier: Apache-2.0

package minisign

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// gzipStart is how the header begins that signify -z writes (RFC 1952, 2.3): deflate, a comment and nothing else, no time.
// Two octets follow, then the comment: a signify signature with its message.
const (
	gzipStart  = "\x1f\x8b\x08\x10\x00\x00\x00\x00"
	gzipHeader = 10
)

// archive is a gzip file whose header has the signed hashes of what follows it. signify itself rewrites any other header
// into this one.
type archive struct {
	file   []byte // all of it
	data   []byte // what follows the header
	date   time.Time
	hash   func() hash.Hash
	block  int
	hashes []string // of each block of data, in hexadecimal digits
}

func errArchive(message string) error {
	return formats.NewError(formats.ReasonMalformedSignature, message, "send the file as signify -S -z wrote it")
}

func parseArchive(raw []byte) (*signature, error) {
	raw = bytes.Clone(raw)
	end := -1
	if len(raw) > gzipHeader {
		end = bytes.IndexByte(raw[gzipHeader:], 0)
	}
	if end < 0 {
		return nil, errArchive("the header of the gzip file is cut short")
	}
	sig, err := parseText(raw[gzipHeader : gzipHeader+end])
	if err != nil {
		return nil, err
	}
	if !sig.signify || sig.message == nil {
		return nil, errArchive("the comment of the gzip file is no signature with hashes")
	}
	sig.archive, err = parseHashes(string(sig.message))
	if err != nil {
		return nil, err
	}
	sig.archive.file, sig.archive.data = raw, raw[gzipHeader+end+1:]
	return sig, nil
}

// The largest and the smallest block; signify's have 64 KiB.
const (
	minBlock = 1 << 10
	maxBlock = 16 << 20
)

// parseHashes reads the message: four lines of fields in their order, an empty line, a line for each block.
func parseHashes(message string) (*archive, error) {
	text, ok := strings.CutSuffix(message, "\n")
	lines := strings.Split(text, "\n")
	if !ok || len(lines) < 5 || lines[4] != "" {
		return nil, errArchive("the signed list of hashes is malformed")
	}
	a := &archive{hashes: lines[5:]}
	var fields [4]string
	for i, name := range []string{"date=", "key=", "algorithm=", "blocksize="} {
		if fields[i], ok = strings.CutPrefix(lines[i], name); !ok {
			return nil, errArchive("the signed list of hashes lacks its " + strings.TrimSuffix(name, "="))
		}
	}
	var err error
	if a.date, err = time.Parse(time.RFC3339, fields[0]); err != nil {
		return nil, errArchive("the date in the signed list of hashes is malformed")
	}
	switch fields[2] {
	case "SHA512/256":
		a.hash = sha512.New512_256
	case "SHA256":
		a.hash = sha256.New
	default:
		return nil, formats.NewError(formats.ReasonUnsupportedAlgorithm, "the file's hashes are neither SHA512/256 nor SHA256", "sign with: signify -S -z")
	}
	if a.block, err = strconv.Atoi(fields[3]); err != nil || a.block < minBlock || a.block > maxBlock {
		return nil, errArchive("the block size in the signed list of hashes is out of range")
	}
	return a, nil
}

// checkHashes compares each block of the data with its hash. There are as many as there are blocks.
func (a *archive) checkHashes(m *formats.Meter) error {
	if err := m.ChargeBytes(2 * len(a.data)); err != nil {
		return err
	}
	rest := a.data
	for _, want := range a.hashes {
		if err := m.ChargeElements(1); err != nil {
			return err
		}
		h := a.hash()
		n := min(a.block, len(rest))
		h.Write(rest[:n])
		if n == 0 || hex.EncodeToString(h.Sum(nil)) != want {
			return errBlocks()
		}
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return errBlocks()
	}
	return nil
}

func errBlocks() error {
	return formats.NewError(formats.ReasonArtifactMismatch, "the gzip file is not the one whose hashes are signed in its header",
		"send the whole file, as it was published")
}

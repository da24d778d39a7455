// SPDX-License-Identifier: Apache-2.0

package minisign

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	commentPrefix = "untrusted comment: "
	trustedPrefix = "trusted comment: "

	// minisign's own line buffers; it refuses longer lines.
	maxComment = 1024
	maxTrusted = 8192
)

var (
	algorithmLegacy    = [2]byte{'E', 'd'}
	algorithmPrehashed = [2]byte{'E', 'D'}
)

// signature is a decoded file; a signify one has no trusted comment and no global signature.
type signature struct {
	gominisign.Signature
	signify bool
	message []byte   // what follows a signify signature and is signed, nil when it is detached
	archive *archive // for a gzip file, whose message lists its hashes
}

const blanks = " \t\r\n"

func errMalformedSignature(message string) error {
	return formats.NewError(formats.ReasonMalformedSignature, message,
		"send the .minisig file (four lines) or signify .sig file (two lines) as the tool wrote it")
}

// parseSignature reads four lines (minisign), two (signify), two and a message, or a gzip file.
func parseSignature(raw []byte) (*signature, error) {
	if bytes.HasPrefix(raw, []byte(gzipStart)) {
		return parseArchive(raw)
	}
	return parseText(raw)
}

func parseText(raw []byte) (*signature, error) {
	head, message := cutLines(raw, 2)
	if !bytes.HasPrefix(head, []byte(commentPrefix)) {
		return nil, errMalformedSignature("the first line is not an untrusted comment")
	}
	lines, err := splitLines(head, 3)
	switch {
	case err != nil:
		return nil, errMalformedSignature(err.Error())
	case len(lines) > 1 && isBase64(lines[1], 42):
		return nil, errMalformedSignature("this is a public key, not a signature")
	case len(lines) < 2:
		return nil, errMalformedSignature("the signature is cut short: there is one line only")
	case bytes.HasPrefix(message, []byte("trusted comment")):
		return parseMinisign(bytes.TrimRight(raw, blanks))
	case isAnother(message):
		return nil, errMultiple()
	}
	sig, err := parseSignify(lines)
	if err == nil && len(bytes.Trim(message, blanks)) > 0 {
		sig.message = bytes.Clone(message)
	}
	return sig, err
}

// cutLines returns the first n lines and what follows them.
func cutLines(raw []byte, n int) (head, rest []byte) {
	at := 0
	for range n {
		i := bytes.IndexByte(raw[at:], '\n')
		if i < 0 {
			return raw, nil
		}
		at += i + 1
	}
	return raw[:at], raw[at:]
}

// isAnother reports whether a message starts as a signature itself. A public key may be a message.
func isAnother(message []byte) bool {
	head, _ := cutLines(message, 2)
	lines, err := splitLines(head, 3)
	return err == nil && len(lines) == 2 && strings.HasPrefix(lines[0], commentPrefix) && isBase64(lines[1], 74)
}

func errMultiple() error {
	return formats.NewError(formats.ReasonMultipleSignatures, "there is more than one signature",
		"send one signature per submission")
}

func parseMinisign(raw []byte) (*signature, error) {
	lines, err := splitLines(raw, 5)
	switch {
	case err != nil:
		return nil, errMalformedSignature(err.Error())
	case len(lines) < 4:
		return nil, errMalformedSignature("the signature is cut short: its trusted comment or global signature is missing")
	case len(lines) > 4 && strings.HasPrefix(lines[4], commentPrefix):
		return nil, errMultiple()
	case len(lines) > 4:
		return nil, formats.NewError(formats.ReasonTrailingData, "there is data after the signature", "send the .minisig file alone, as the tool wrote it")
	}
	if !strings.HasPrefix(lines[2], trustedPrefix) {
		return nil, errMalformedSignature("the third line is not a trusted comment")
	}
	if len(lines[2]) >= maxTrusted {
		return nil, errMalformedSignature("the trusted comment is longer than minisign allows")
	}
	if !isBase64(lines[1], 74) || !isBase64(lines[3], 64) {
		return nil, errMalformedSignature("the second or fourth line is not base64 of the right length")
	}
	sig, err := gominisign.DecodeSignature(strings.Join(lines, "\n"))
	if err != nil {
		return nil, errMalformedSignature("the signature cannot be decoded")
	}
	if sig.SignatureAlgorithm != algorithmLegacy && sig.SignatureAlgorithm != algorithmPrehashed {
		return nil, errUnsupportedAlgorithm()
	}
	return &signature{Signature: sig}, nil
}

func parseSignify(lines []string) (*signature, error) {
	if !isBase64(lines[1], 74) {
		return nil, errMalformedSignature("the second line is not base64 of the right length")
	}
	raw, err := base64.StdEncoding.DecodeString(lines[1])
	if err != nil {
		return nil, errMalformedSignature("the signature cannot be decoded")
	}
	sig := &signature{signify: true}
	copy(sig.SignatureAlgorithm[:], raw)
	copy(sig.KeyId[:], raw[2:])
	copy(sig.Signature.Signature[:], raw[10:])
	switch sig.SignatureAlgorithm {
	case algorithmLegacy:
		return sig, nil
	case algorithmPrehashed:
		return nil, errMalformedSignature("the signature is cut short: its trusted comment or global signature is missing")
	}
	return nil, errUnsupportedAlgorithm()
}

func errUnsupportedAlgorithm() error {
	return formats.NewError(formats.ReasonUnsupportedAlgorithm, "the signature's algorithm is neither Ed nor ED",
		"sign with minisign or signify")
}

// splitLines splits text of at most limit lines (more come as one, unchecked) at LF or CRLF,
// as minisign and signify do, with or without a line end at the end.
func splitLines(raw []byte, limit int) ([]string, error) {
	lines := strings.SplitN(string(raw), "\n", limit+1)
	if last := len(lines) - 1; last > 0 && lines[last] == "" {
		lines = lines[:last]
	}
	for i, line := range lines[:min(len(lines), limit-1)] {
		lines[i] = strings.TrimSuffix(line, "\r")
		if strings.ContainsFunc(lines[i], isControl) {
			return nil, fmt.Errorf("line %d holds control characters", i+1)
		}
	}
	if len(lines[0]) >= maxComment {
		return nil, fmt.Errorf("the first line is longer than %d characters", maxComment-1)
	}
	return lines, nil
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// isBase64 reports whether line is the one padded base64 encoding of some n bytes.
func isBase64(line string, n int) bool {
	raw, err := base64.StdEncoding.DecodeString(line)
	return err == nil && len(raw) == n && base64.StdEncoding.EncodeToString(raw) == line
}

func (s *signature) isPrehashed() bool { return s.SignatureAlgorithm == algorithmPrehashed }

func (s *signature) trustedText() string { return strings.TrimPrefix(s.TrustedComment, trustedPrefix) }

// readTimestamp returns the time in the tab-separated field "timestamp:SECONDS" that minisign
// writes into trusted comments of its own making; nil when there is none.
func (s *signature) readTimestamp() *time.Time {
	for field := range strings.SplitSeq(s.trustedText(), "\t") {
		digits, ok := strings.CutPrefix(field, "timestamp:")
		if !ok {
			continue
		}
		seconds, err := strconv.ParseUint(digits, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil // free text that happens to start so
		}
		const year9999 = 253402300799
		t := time.Unix(int64(min(seconds, year9999)), 0).UTC()
		return &t
	}
	return nil
}

// encodeCanonical returns the file with a constant untrusted comment and LF line ends.
func (s *signature) encodeCanonical() []byte {
	if !s.signify {
		c := s.Signature
		c.UntrustedComment = ""
		return c.Encode() // puts a constant in its place
	}
	raw := append(s.SignatureAlgorithm[:], s.KeyId[:]...)
	raw = append(raw, s.Signature.Signature[:]...)
	return []byte(commentPrefix + "verify with key.pub\n" + base64.StdEncoding.EncodeToString(raw) + "\n")
}

// SPDX-License-Identifier: Apache-2.0

package minisign

import (
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
}

func errMalformedSignature(message string) error {
	return formats.NewError(formats.ReasonMalformedSignature, message,
		"send the .minisig file (four lines) or signify .sig file (two lines) as the tool wrote it")
}

// parseSignature reads exactly four lines (minisign) or two (signify).
func parseSignature(raw []byte) (*signature, error) {
	lines, err := splitLines(raw, 5)
	if err != nil {
		return nil, errMalformedSignature(err.Error())
	}
	if !strings.HasPrefix(lines[0], commentPrefix) {
		return nil, errMalformedSignature("the first line is not an untrusted comment")
	}
	if err := checkCount(lines); err != nil {
		return nil, err
	}
	if len(lines) == 2 {
		return parseSignify(lines)
	}
	return parseMinisign(lines)
}

// checkCount tells what is missing from what is too much.
func checkCount(lines []string) error {
	another := func(i int) bool { return len(lines) > i && strings.HasPrefix(lines[i], "untrusted comment:") }
	switch {
	case len(lines) > 1 && isBase64(lines[1], 42):
		return errMalformedSignature("this is a public key, not a signature")
	case another(2) || another(4):
		return formats.NewError(formats.ReasonMultipleSignatures, "there is more than one signature",
			"send one signature per submission")
	case len(lines) > 4, len(lines) > 2 && isSignify(lines[0]) && !strings.HasPrefix(lines[2], trustedPrefix):
		return formats.NewError(formats.ReasonTrailingData, "there is data after the signature",
			"send the detached signature alone; signify writes one without its option -e")
	case len(lines) == 2 && isSignify(lines[0]), len(lines) == 4:
		return nil
	}
	return errMalformedSignature("the signature is cut short: its trusted comment or global signature is missing")
}

// isSignify tells signify's two lines from a .minisig file that has lost its last two. The
// comment is not signed, so this guards against accidents, not against forgers: the worst
// these can do is to hide the signer's own comment.
func isSignify(comment string) bool {
	text := strings.TrimPrefix(comment, commentPrefix)
	return strings.HasPrefix(text, "verify with ") ||
		strings.HasPrefix(text, "signature from ") && !strings.HasSuffix(text, "sign secret key")
}

func parseMinisign(lines []string) (*signature, error) {
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
	if sig.SignatureAlgorithm != algorithmLegacy {
		return nil, errUnsupportedAlgorithm()
	}
	return sig, nil
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

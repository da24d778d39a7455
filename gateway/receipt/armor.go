// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// An embedded proof stands in the headers of the first PGP signature armor of a file, below the headers that are there:
//
//	Comment: rekor-gateway.dev/proof/v1 2791 c9f0f895fb98ab91
//	Comment: CoADCAUS…
//
// The first line has the size of the condensed receipt in bytes, and the first digits of its SHA-256, so that damage is told from forgery; the others have it in base64, 64 characters each but the last. RFC 9580,
// section 6.2.2.1, allows any number of Comment headers, and that readers pass over them. They are not signed: whoever has the file can
// change them, and nothing in them is believed before Verify has checked it.
const (
	commentHeader = "Comment: "
	proofMarker   = "rekor-gateway.dev/proof/"
	proofVersion  = proofMarker + "v1 "
	proofWidth    = 64 // characters; 48 bytes
)

var (
	armorBegin = []byte("-----BEGIN PGP SIGNATURE-----")
	armorLines = []byte("-----BEGIN PGP ")
)

// MayHaveProof reports whether a file begins as one that a proof may be embedded in: a PGP armor or signed text.
func MayHaveProof(file []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(file, " \t\r\n"), armorLines)
}

// EmbedProof returns the signature file with what the receipt proves in its armor's headers, in place of such a proof that is there. gpg, gpgv
// and apt read it as before, and a gateway takes it for the same submission. A file that the receipt is not for is refused with
// ReasonClaimMismatch; one without an armor, a proof that is too large, and a receipt whose signer was not checked with ReasonExportNotPossible.
func (r *Report) EmbedProof(file []byte) ([]byte, error) {
	if !r.SignerChecked {
		return nil, refuse(ReasonExportNotPossible, "the signer was not checked, and the proof is not for anybody's signature", hintSigner)
	}
	return embedProof(file, r.receipt)
}

func embedProof(file []byte, r *receiptpb.Receipt) ([]byte, error) {
	bare, _, err := cutProof(file)
	if err != nil {
		return nil, err
	}
	if !equalContent(r, bare) {
		return nil, refuse(ReasonClaimMismatch, "the receipt is for another signature file", "name the signature file as it was submitted")
	}
	condensed, err := encodeCondensed(condense(r))
	if err != nil {
		return nil, err
	}
	return addProof(bare, condensed)
}

// FindProof returns the receipt that is embedded in a signature file, to verify with Options.Condensed, and nil when there is none. What is no
// proof, or two of them, is refused with ReasonMalformedReceipt.
func FindProof(file []byte) (*receiptpb.Receipt, error) {
	bare, condensed, err := cutProof(file)
	if err != nil || condensed == nil {
		return nil, err
	}
	c, err := decodeCondensed(condensed)
	if err != nil {
		return nil, err
	}
	if err := restoreCondensed(c, bare); err != nil {
		return nil, err
	}
	return c, nil
}

// CutProof returns a signature file without the proof that is embedded in it: the file itself when there is none, or none in order.
func CutProof(file []byte) []byte {
	bare, _, err := cutProof(file)
	if err != nil {
		return file
	}
	return bare
}

// armorHead is where the headers of a file's first signature armor are.
type armorHead struct {
	from, to int    // of the header lines; at to is the empty line that ends them
	end      string // of the lines: that of the armor's first
}

// findArmorHead returns ok false when there is no armor, or no end of its headers.
func findArmorHead(file []byte) (h armorHead, ok bool) {
	for at := 0; at < len(file); {
		line, next := lineAt(file, at)
		if text, crlf := bytes.CutSuffix(line, []byte("\r")); bytes.Equal(text, armorBegin) && next > at+len(line) {
			h = armorHead{from: next, end: "\n"}
			if crlf {
				h.end = "\r\n"
			}
			break
		}
		at = next
	}
	if h.from == 0 {
		return h, false
	}
	for at := h.from; at < len(file); {
		line, next := lineAt(file, at)
		if len(bytes.TrimRight(line, " \t\r")) == 0 {
			h.to = at
			return h, true
		}
		if !bytes.Contains(line, []byte(":")) {
			return h, false
		}
		at = next
	}
	return h, false
}

// cutEnd returns a header line, which lineAt has cut before its LF, without the rest of its end; ok false when its end is not the armor's.
func (h armorHead) cutEnd(line []byte) (text []byte, ok bool) {
	text, crlf := bytes.CutSuffix(line, []byte("\r"))
	return text, crlf == (h.end == "\r\n")
}

// lineAt returns the line that begins at an offset, without its LF, and where the next one begins.
func lineAt(b []byte, at int) (line []byte, next int) {
	n := bytes.IndexByte(b[at:], '\n')
	if n < 0 {
		return b[at:], len(b)
	}
	return b[at : at+n], at + n + 1
}

// addProof puts a proof into the armor of a file that has none.
func addProof(file, condensed []byte) ([]byte, error) {
	h, ok := findArmorHead(file)
	if !ok {
		return nil, refuse(ReasonExportNotPossible, "the file has no PGP signature armor that a proof could be put into",
			"sign with gpg --armor --detach-sign or --clear-sign and submit that; or keep the receipt beside the file")
	}
	var block bytes.Buffer
	fmt.Fprintf(&block, "%s%s%d %s%s", commentHeader, proofVersion, len(condensed), checksum(condensed), h.end)
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(condensed)), proofWidth) {
		fmt.Fprintf(&block, "%s%s%s", commentHeader, line, h.end)
	}
	return slices.Concat(file[:h.to], block.Bytes(), file[h.to:]), nil
}

func checksum(condensed []byte) string {
	const size = 8
	sum := sha256.Sum256(condensed)
	return hex.EncodeToString(sum[:size])
}

// cutProof parts a file into itself without its embedded proof, and the proof: nil when there is none.
func cutProof(file []byte) (bare, condensed []byte, err error) {
	h, ok := findArmorHead(file)
	if !ok {
		return file, nil, nil
	}
	marker := []byte(commentHeader + proofMarker)
	from := findMarker(file, h, marker)
	if from < 0 {
		if bytes.Contains(file[h.to:], marker) {
			return nil, nil, malformedProof(nil, "the proof does not stand in the headers of the first armor")
		}
		return file, nil, nil
	}
	condensed, to, err := readProof(file, from, h)
	if err != nil {
		return nil, nil, err
	}
	if bytes.Contains(file[to:], marker) {
		return nil, nil, malformedProof(nil, "there is more than one proof")
	}
	return slices.Concat(file[:from], file[to:]), condensed, nil
}

// findMarker returns where the first line of a proof begins, or -1.
func findMarker(file []byte, h armorHead, marker []byte) int {
	for at := h.from; at < h.to; {
		line, next := lineAt(file, at)
		if bytes.HasPrefix(line, marker) {
			return at
		}
		at = next
	}
	return -1
}

// readProof reads the proof whose first line is at from, and returns where it ends. Nothing is decoded before its size is known to be
// within the bound, and its lines to have that size.
func readProof(file []byte, from int, h armorHead) (condensed []byte, to int, err error) {
	line, at := lineAt(file, from)
	text, named := bytes.CutPrefix(line, []byte(commentHeader+proofVersion))
	if !named {
		return nil, 0, refuse(ReasonMalformedReceipt, "the proof is of a version that this program does not know", "verify with a newer program")
	}
	text, ended := h.cutEnd(text)
	number, sum, _ := bytes.Cut(text, []byte(" "))
	size, err := parseNumber(number)
	switch {
	case err != nil || !ended || size == 0:
		return nil, 0, malformedProof(err, "the first line of the proof has no size")
	case size > MaxCondensed:
		return nil, 0, malformedProof(nil, fmt.Sprintf("the proof is larger than %d bytes", MaxCondensed))
	}
	encoded := make([]byte, 0, base64.StdEncoding.EncodedLen(int(size)))
	for len(encoded) < cap(encoded) {
		if at >= h.to {
			return nil, 0, malformedProof(nil, "the proof ends too early")
		}
		line, next := lineAt(file, at)
		text, named := bytes.CutPrefix(line, []byte(commentHeader))
		text, ended := h.cutEnd(text)
		if !named || !ended || len(text) != min(cap(encoded)-len(encoded), proofWidth) {
			return nil, 0, malformedProof(nil, "a line of the proof is damaged")
		}
		encoded, at = append(encoded, text...), next
	}
	condensed, err = decodeBase64(encoded)
	if err != nil || len(condensed) != int(size) || checksum(condensed) != string(sum) {
		return nil, 0, malformedProof(err, "the proof is damaged")
	}
	return condensed, at, nil
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Bounds of an own log's checkpoint.
const (
	MaxOwnCheckpoint  = 48 << 10 // bytes, with all cosignatures
	maxSignatureLines = 64
)

// ownCheckpoint is a checkpoint of an own log (C2SP tlog-checkpoint), whose signature nobody has checked yet.
type ownCheckpoint struct {
	origin string
	size   uint64
	root   [sha256.Size]byte
	// anchored is the signed note with the log's own signature line alone.
	anchored []byte
}

// AnchoredBytes returns what an anchor of an own log's checkpoint records: the signed note with the signature line of the log's own,
// which is the one with the origin as its name, and without those of witnesses. The note's text has to be origin, size and root alone.
// No signature is checked.
func AnchoredBytes(checkpoint []byte) ([]byte, error) {
	c, err := parseOwnCheckpoint(checkpoint)
	if err != nil {
		return nil, fmt.Errorf("parsing own checkpoint: %w", err)
	}
	return c.anchored, nil
}

// parseOwnCheckpoint accepts one spelling of each checkpoint: no extension lines, canonical numbers and base64.
func parseOwnCheckpoint(b []byte) (ownCheckpoint, error) {
	const textLines = 3
	body, ended := bytes.CutSuffix(b, []byte("\n"))
	lines := bytes.Split(body, []byte("\n"))
	switch {
	case len(b) > MaxOwnCheckpoint:
		return ownCheckpoint{}, fmt.Errorf("it is over %d bytes", MaxOwnCheckpoint)
	case !ended || !utf8.Valid(b) || bytes.ContainsFunc(body, isForbidden):
		return ownCheckpoint{}, fmt.Errorf("it is not made of lines of text")
	case len(lines) < textLines+2 || len(lines) > textLines+1+maxSignatureLines || len(lines[textLines]) > 0:
		return ownCheckpoint{}, fmt.Errorf("it is not origin, size and root, an empty line, and 1 to %d signatures", maxSignatureLines)
	}
	c := ownCheckpoint{origin: string(lines[0])}
	if !isKeyName(lines[0]) {
		return ownCheckpoint{}, fmt.Errorf("%.80q is no origin", lines[0])
	}
	var err error
	if c.size, err = parseNumber(lines[1]); err != nil {
		return ownCheckpoint{}, fmt.Errorf("reading size: %w", err)
	}
	if c.root, err = parseHash(lines[2]); err != nil {
		return ownCheckpoint{}, fmt.Errorf("reading root: %w", err)
	}
	own, err := findOwnLine(lines[textLines+1:], lines[0])
	if err != nil {
		return ownCheckpoint{}, err
	}
	c.anchored = bytes.Join([][]byte{lines[0], lines[1], lines[2], nil, own, nil}, []byte("\n"))
	return c, nil
}

// isForbidden reports whether a signed note may not hold r.
func isForbidden(r rune) bool { return r < ' ' && r != '\n' }

// isKeyName reports whether b is a name as signed notes have them.
func isKeyName(b []byte) bool {
	return len(b) > 0 && !bytes.ContainsFunc(b, unicode.IsSpace) && !bytes.Contains(b, []byte("+"))
}

// findOwnLine returns the one signature line with the origin as its name.
func findOwnLine(lines [][]byte, origin []byte) ([]byte, error) {
	var own []byte
	for _, line := range lines {
		name, err := parseSignatureLine(line)
		switch {
		case err != nil:
			return nil, err
		case !bytes.Equal(name, origin):
			continue
		case own != nil:
			return nil, fmt.Errorf("it has two signatures by its log")
		}
		own = line
	}
	if own == nil {
		return nil, fmt.Errorf("it has no signature by its log")
	}
	return own, nil
}

// parseSignatureLine returns the name in a line "— NAME BASE64" of a signed note.
func parseSignatureLine(line []byte) ([]byte, error) {
	const keyHashSize = 4
	rest, dashed := bytes.CutPrefix(line, []byte("— "))
	name, text, _ := bytes.Cut(rest, []byte(" "))
	signature, err := decodeBase64(text)
	if !dashed || !isKeyName(name) || err != nil || len(signature) <= keyHashSize {
		return nil, fmt.Errorf("%.80q is no signature", line)
	}
	return name, nil
}

// parseNumber reads a number as it is written by the log: no sign, no leading zero, and at most 63 bits.
func parseNumber(b []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil || n > math.MaxInt64 || strconv.FormatUint(n, 10) != string(b) {
		return 0, fmt.Errorf("%.40q is no number, or written in another way", b)
	}
	return n, nil
}

func parseHash(b []byte) ([sha256.Size]byte, error) {
	var buffer [sha256.Size + 1]byte // as much as the decoder asks for
	if len(b) == base64.StdEncoding.EncodedLen(sha256.Size) {
		if h, err := appendBase64(buffer[:0], b); err == nil && len(h) == sha256.Size {
			return [sha256.Size]byte(h), nil
		}
	}
	return [sha256.Size]byte{}, fmt.Errorf("%.80q is no hash", b)
}

// decodeBase64 reads base64 in its one canonical spelling.
func decodeBase64(b []byte) ([]byte, error) { return appendBase64(nil, b) }

var strictBase64 = base64.StdEncoding.Strict()

// appendBase64 is decodeBase64 behind dst. Where the length fits, no line breaks are in it, which the decoder passes over even where it is strict.
func appendBase64(dst, b []byte) ([]byte, error) {
	raw, err := strictBase64.AppendDecode(dst, b)
	if err == nil && len(b) == base64.StdEncoding.EncodedLen(len(raw)-len(dst)) {
		return raw, nil
	}
	if _, err := base64.StdEncoding.AppendDecode(nil, b); err != nil {
		return nil, err
	}
	return nil, errors.New("it is not canonical")
}

// SignedCheckpoint is an own log's checkpoint, signed to be anchored.
type SignedCheckpoint struct {
	Checkpoint []byte // the signed note; its cosignatures do not count
	Signature  []byte // ECDSA P-256 over SHA-256 of AnchoredBytes, ASN.1 DER
	SPKI       []byte // the anchor key, DER
}

// AnchorRecord returns the entry of a checkpoint that is anchored, in the form of a receipt's, and the record to log. AnchorOf makes an
// anchor of the entry, once it has its proof.
func AnchorRecord(s SignedCheckpoint) (*receiptpb.LogEntry, hashedrekord.Record, error) {
	anchored, err := AnchoredBytes(s.Checkpoint)
	if err != nil {
		return nil, hashedrekord.Record{}, err
	}
	digest := sha256.Sum256(anchored)
	return Project(formats.Projection{
		Candidate: formats.Candidate{SPKI: s.SPKI, Scheme: formats.ECDSA, Hash: formats.SHA256},
		Digest:    formats.Digest{Algorithm: formats.SHA256, Value: digest[:]}, Signature: s.Signature,
		Recipe: formats.Recipe{Artifact: true},
	}, false)
}

// AnchorOf returns the anchor that is in an entry of AnchorRecord.
func AnchorOf(e *receiptpb.LogEntry) *receiptpb.Anchor {
	return &receiptpb.Anchor{Bundle: e.GetBundle(), Spki: e.GetSpki()}
}

// isAnchorOf compares what is logged as an anchor with the record of the checkpoint, by the key that the anchor names, and verifies
// the signature. It goes by the anchor and what is anchored alone, so that it need not be found twice.
func isAnchorOf(c ownCheckpoint, a *receiptpb.Anchor) error {
	e := &receiptpb.LogEntry{Bundle: a.GetBundle(), Spki: a.GetSpki()}
	record, err := loggedRecord(e)
	if err == nil {
		err = checkMessage(e, record)
	}
	if err != nil {
		return err
	}
	digest := sha256.Sum256(c.anchored)
	switch {
	case len(record.Certificate) > 0 || !bytes.Equal(record.SPKI, a.GetSpki()):
		return fmt.Errorf("entry has another key than the anchor")
	case record.KeyDetails != commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256 || !bytes.Equal(record.Digest, digest[:]):
		return fmt.Errorf("entry is for something else than the checkpoint")
	}
	return record.Verify()
}

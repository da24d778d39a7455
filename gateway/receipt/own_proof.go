// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
)

// Bounds of a proof's text.
const (
	MaxOwnProof  = 52 << 10 // bytes
	maxOwnHashes = 63       // as many levels as a tree of 63 bits has
)

// OwnProof is where a record is in an own log, with the proof of it. As text it is of the form https://c2sp.org/tlog-proof.
type OwnProof struct {
	Index      uint64
	Hashes     [][sha256.Size]byte // RFC 6962, section 2.1.1
	Checkpoint []byte              // C2SP tlog-checkpoint
}

const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	indexPrefix = "index "
)

// FormatOwnProof returns the text of p: the only one of it that ParseOwnProof accepts.
func FormatOwnProof(p OwnProof) ([]byte, error) {
	const hashLine = 44 + len("\n")
	text := make([]byte, 0, len(proofHeader)+len(indexPrefix)+24+hashLine*len(p.Hashes)+len(p.Checkpoint))
	text = append(append(text, proofHeader+"\n"+indexPrefix...), strconv.FormatUint(p.Index, 10)...)
	for _, h := range p.Hashes {
		text = base64.StdEncoding.AppendEncode(append(text, '\n'), h[:])
	}
	text = append(append(text, "\n\n"...), p.Checkpoint...)
	if _, err := ParseOwnProof(text); err != nil {
		return nil, fmt.Errorf("formatting proof: %w", err)
	}
	return text, nil
}

// ParseOwnProof reads the text of a proof. It accepts one spelling of each: no line that is empty but the one before
// the checkpoint, canonical numbers and base64, no extra data, nothing after the checkpoint's last line. Nothing in it is proven yet.
func ParseOwnProof(text []byte) (OwnProof, error) {
	p, _, err := parseOwnProof(text, nil)
	return p, err
}

// parseOwnProof is ParseOwnProof, with what is in the checkpoint.
func parseOwnProof(text []byte, known *Memory) (OwnProof, ownCheckpoint, error) {
	if len(text) > MaxOwnProof {
		return OwnProof{}, ownCheckpoint{}, fmt.Errorf("parsing proof: it is over %d bytes", MaxOwnProof)
	}
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	first, rest, more := bytes.Cut(head, []byte("\n"))
	if !found || string(first) != proofHeader || !more {
		return OwnProof{}, ownCheckpoint{}, fmt.Errorf("parsing proof: it does not begin as a %s", proofHeader)
	}
	index, rest, more := bytes.Cut(rest, []byte("\n"))
	number, named := bytes.CutPrefix(index, []byte(indexPrefix))
	n, err := parseNumber(number)
	if !named || err != nil {
		return OwnProof{}, ownCheckpoint{}, fmt.Errorf("parsing proof: %.80q is no index", index)
	}
	p := OwnProof{Index: n, Checkpoint: checkpoint}
	if more {
		if p.Hashes, err = parseHashes(rest); err != nil {
			return OwnProof{}, ownCheckpoint{}, fmt.Errorf("parsing proof: %w", err)
		}
	}
	c, err := known.parseOwn(checkpoint)
	if err != nil {
		return OwnProof{}, ownCheckpoint{}, fmt.Errorf("parsing proof: parsing own checkpoint: %w", err)
	}
	return p, c, nil
}

// parseHashes reads a hash from each line.
func parseHashes(lines []byte) ([][sha256.Size]byte, error) {
	n := bytes.Count(lines, []byte("\n")) + 1
	if n > maxOwnHashes {
		return nil, fmt.Errorf("it has over %d hashes", maxOwnHashes)
	}
	hashes := make([][sha256.Size]byte, n)
	for i := range hashes {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\n"))
		var err error
		if hashes[i], err = parseHash(line); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	tlogproof "github.com/transparency-dev/formats/proof"
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
	text := tlogproof.TLogProof{Index: p.Index, Hashes: p.Hashes, Checkpoint: p.Checkpoint}.Marshal()
	if _, err := ParseOwnProof(text); err != nil {
		return nil, fmt.Errorf("formatting proof: %w", err)
	}
	return text, nil
}

// ParseOwnProof reads the text of a proof. It accepts one spelling of each: no line that is empty but the one before
// the checkpoint, canonical numbers and base64, no extra data, nothing after the checkpoint's last line. Nothing in it is proven yet.
func ParseOwnProof(text []byte) (OwnProof, error) {
	if len(text) > MaxOwnProof {
		return OwnProof{}, fmt.Errorf("parsing proof: it is over %d bytes", MaxOwnProof)
	}
	head, checkpoint, found := bytes.Cut(text, []byte("\n\n"))
	lines := bytes.Split(head, []byte("\n"))
	if !found || string(lines[0]) != proofHeader || len(lines) < 2 {
		return OwnProof{}, fmt.Errorf("parsing proof: it does not begin as a %s", proofHeader)
	}
	index, hashes := lines[1], lines[2:]
	number, named := bytes.CutPrefix(index, []byte(indexPrefix))
	n, err := parseNumber(number)
	if !named || err != nil {
		return OwnProof{}, fmt.Errorf("parsing proof: %.80q is no index", index)
	}
	if len(hashes) > maxOwnHashes {
		return OwnProof{}, fmt.Errorf("parsing proof: it has over %d hashes", maxOwnHashes)
	}
	p := OwnProof{Index: n, Checkpoint: checkpoint}
	for _, line := range hashes {
		h, err := parseHash(line)
		if err != nil {
			return OwnProof{}, fmt.Errorf("parsing proof: %w", err)
		}
		p.Hashes = append(p.Hashes, h)
	}
	if _, err := parseOwnCheckpoint(checkpoint); err != nil {
		return OwnProof{}, fmt.Errorf("parsing proof: parsing own checkpoint: %w", err)
	}
	return p, nil
}

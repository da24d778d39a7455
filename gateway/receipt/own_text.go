// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"encoding/base64"
	"fmt"

	tlogproof "github.com/transparency-dev/formats/proof"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// MaxProofText bounds a proof in a file of its own, in bytes.
const MaxProofText = MaxOwnProof + 4*((MaxCondensed+2)/3) + 64

const extraPrefix = "extra "

// IsProofText reports whether a file begins as a c2sp.org/tlog-proof@v1, or as torchwood's spicy command writes that: without its
// first line.
func IsProofText(b []byte) bool {
	return bytes.HasPrefix(b, []byte(proofHeader+"\n")) || bytes.HasPrefix(b, []byte(indexPrefix))
}

// formatProofText returns the proof of the one entry of a receipt, with the condensed receipt, but for that proof, as its extra data.
func formatProofText(r *receiptpb.Receipt) ([]byte, error) {
	p, err := ParseOwnProof([]byte(r.GetEntries()[0].GetOwn().GetProof()))
	if err != nil {
		return nil, err
	}
	c := condense(r)
	c.Entries[0].Own.Proof = ""
	extra, err := encodeCondensed(c)
	if err != nil {
		return nil, err
	}
	return tlogproof.TLogProof{Index: p.Index, Hashes: p.Hashes, Checkpoint: p.Checkpoint, ExtraData: extra}.Marshal(), nil
}

// ParseProof reads a proof beside a signature file, and returns the receipt to verify with Options.Condensed. One without a condensed
// receipt as its extra data proves a record's place in an own log and no more: it is refused with ReasonNoAnchor. What is no proof
// is refused with ReasonMalformedReceipt.
func ParseProof(text, file []byte) (*receiptpb.Receipt, error) {
	if len(text) > MaxProofText {
		return nil, malformedProof(nil, fmt.Sprintf("the proof is larger than %d bytes", MaxProofText))
	}
	extra, bare, err := cutExtra(text)
	if err != nil {
		return nil, malformedProof(err, "the proof's extra data is damaged")
	}
	p, err := ParseOwnProof(bare)
	if err != nil {
		return nil, malformedProof(err, "this is no proof as a gateway writes it")
	}
	if extra == nil {
		return nil, refuseNoAnchor(p)
	}
	c, err := decodeCondensed(extra)
	if err != nil {
		return nil, err
	}
	if len(c.GetEntries()) != 1 || c.GetEntries()[0].GetOwn() == nil || c.GetEntries()[0].GetOwn().GetProof() != "" {
		return nil, malformedProof(nil, "the proof's extra data is of another record")
	}
	c.Entries[0].Own.Proof = string(bare)
	if err := restoreCondensed(c, CutProof(file)); err != nil {
		return nil, err
	}
	return c, nil
}

// refuseNoAnchor is for a proof that ends in an own log: nothing shows that anybody but the gateway has seen that log.
func refuseNoAnchor(p OwnProof) error {
	c, err := parseOwnCheckpoint(p.Checkpoint)
	if err != nil {
		return malformedProof(err, "this is no proof as a gateway writes it")
	}
	return refuse(ReasonNoAnchor, fmt.Sprintf("the proof is for record %d of the gateway's own log %.80s alone: it says neither who signed what nor that the log's checkpoint is anchored in another log, so nothing was verified", p.Index, c.origin),
		"give the receipt (rekor-gateway get ID --receipt FILE), or the proof that verify --export-tlog-proof writes with its extra line; nothing is known to be wrong with this one")
}

// cutExtra parts a proof into its extra data, nil for none, and itself without that and with its first line.
func cutExtra(text []byte) (extra, bare []byte, err error) {
	if bytes.HasPrefix(text, []byte(indexPrefix)) {
		return nil, append([]byte(proofHeader+"\n"), text...), nil
	}
	rest, headed := bytes.CutPrefix(text, []byte(proofHeader+"\n"+extraPrefix))
	if !headed {
		return nil, text, nil
	}
	line, rest, _ := bytes.Cut(rest, []byte("\n"))
	if len(line) == 0 || len(line) > base64.StdEncoding.EncodedLen(MaxCondensed) {
		return nil, nil, fmt.Errorf("it has %d characters", len(line))
	}
	if extra, err = decodeBase64(line); err != nil {
		return nil, nil, err
	}
	return extra, append([]byte(proofHeader+"\n"), rest...), nil
}

// spicyText returns a proof as torchwood's spicy command reads it.
func spicyText(proof string) []byte {
	return bytes.TrimPrefix([]byte(proof), []byte(proofHeader+"\n"))
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// levels are those of a tree of 10 million records.
const levels = 24

// TestOwnProofSize: a proof in a tree of a million records, without cosignatures.
func TestOwnProofSize(t *testing.T) {
	const limit = 1200
	own, _ := noteKey(t, ownOrigin)
	p := receipt.OwnProof{Index: 1<<20 - 2, Checkpoint: []byte(signNote(t, ownOrigin+"\n1048576\n"+base64Of(make([]byte, 32))+"\n", own))}
	for i := range 20 {
		p.Hashes = append(p.Hashes, sha256.Sum256(fmt.Append(nil, i)))
	}
	text, err := receipt.FormatOwnProof(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", len(text))
	if len(text) > limit {
		t.Errorf("%d bytes, want at most %d", len(text), limit)
	}
}

// TestBatchedReceiptSize: a receipt in an own log and a log of 10 million entries each, cosigned by three witnesses, without what the
// submitter sent.
func TestBatchedReceiptSize(t *testing.T) {
	const limit = 6 << 10 // of JSON without spaces
	b := batch(t, native(t), receiptpb.Receipt_NATIVE)
	r := growTrees(t, b.receipt)
	own := r.GetEntries()[0].GetOwn()
	text := own.GetProof()
	e, body := r.GetEntries()[0], len(own.GetBody())
	r.Signature.Content, r.Signature.Keys, r.Signers[0].Spki, e.Spki, e.Bundle.GetMessageSignature().Signature, own.Body = nil, nil, nil, nil, nil, nil
	indented, err := receipt.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, indented); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes as it is written, %d without spaces, %d as protobuf, of which the proof has %d; the record has %d more",
		len(indented), compact.Len(), proto.Size(r), len(text), body)
	if compact.Len() > limit {
		t.Errorf("%d bytes, want at most %d", compact.Len(), limit)
	}
}

// growTrees returns a receipt as if own log and log had 10 million entries each, the latter with three cosignatures.
func growTrees(t *testing.T, batched *receiptpb.Receipt) *receiptpb.Receipt {
	t.Helper()
	r := proto.CloneOf(batched)
	own := r.GetEntries()[0].GetOwn()
	var hashes [][]byte
	p, err := receipt.ParseOwnProof([]byte(own.GetProof()))
	if err != nil {
		t.Fatal(err)
	}
	p.Hashes = nil
	for i := range levels {
		h := sha256.Sum256(fmt.Append(nil, i))
		hashes, p.Hashes = append(hashes, h[:]), append(p.Hashes, h)
	}
	text, err := receipt.FormatOwnProof(p)
	if err != nil {
		t.Fatal(err)
	}
	own.Proof = string(text)
	anchor := anchorLog(own.GetAnchors()[0]).GetInclusionProof()
	anchor.Hashes = hashes
	for i := range 3 {
		anchor.Checkpoint.Envelope += fmt.Sprintf("— witness-%d.example.com %s\n", i, base64Of(make([]byte, 4+8+64)))
	}
	return r
}

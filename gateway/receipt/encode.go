// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// MediaType is a receipt's.
const MediaType = "application/vnd.rekor-gateway.receipt.v1+json"

// FormatVersion is the newest version of receipts; absent is 1. A receipt of any version up to it
// verifies, for ever.
const FormatVersion = 4

// What a version of receipts is for.
const (
	versionOne     = 2 // files with one signature
	versionSeveral = 3 // files with several
	versionBatched = 4 // signatures that are recorded in a gateway's own log
)

// Limits of a receipt that is read.
const (
	MaxSize    = 16 << 20 // bytes of JSON
	MaxEntries = 64
	maxTokens  = 100_000 // of JSON: what is made of many small messages takes much more memory than its text
)

// Marshal returns r as indented JSON (the protobuf mapping, bytes in base64, zero values and empty lists included).
func Marshal(r *receiptpb.Receipt) ([]byte, error) { return MarshalAppend(nil, r) }

// MarshalAppend is Marshal that appends to b.
func MarshalAppend(b []byte, r *receiptpb.Receipt) ([]byte, error) {
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	raw, err := encodeJSON((*scratch)[:0], r)
	if err != nil {
		return nil, fmt.Errorf("encoding receipt: %w", err)
	}
	if cap(raw) <= maxScratch {
		*scratch = raw
	}
	return append(indentJSON(b, raw), '\n'), nil // protojson chooses its spaces at random
}

// maxScratch bounds what is kept for the next receipt, in bytes.
const maxScratch = 1 << 20

// scratches are what receipts are encoded into first: thousands of them are in one run.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

// Unmarshal reads a receipt. An unknown field, another media type and anything over MaxSize are
// refused with ReasonMalformedReceipt. What the receipt says is not checked; see Verify.
func Unmarshal(b []byte) (*receiptpb.Receipt, error) {
	if len(b) > MaxSize {
		return nil, refuse(ReasonMalformedReceipt, "the receipt is larger than 16 MiB", "give the receipt file, not the artifact")
	}
	if !hasFewTokens(b) {
		return nil, refuse(ReasonMalformedReceipt, "the file is not a receipt, or made of far too many parts", "give the receipt as the gateway returned it")
	}
	var r receiptpb.Receipt
	if err := protojson.Unmarshal(b, &r); err != nil {
		return nil, formats.WrapError(err, ReasonMalformedReceipt, "the file is not a receipt",
			"give the receipt as the gateway returned it (the answer to a submission has it as .receipt); a newer program may be needed for a newer receipt")
	}
	if r.GetMediaType() != MediaType {
		return nil, refuse(ReasonMalformedReceipt, fmt.Sprintf("the media type is %.80q, not that of a receipt", r.GetMediaType()),
			"give the receipt as the gateway returned it, not a Sigstore bundle")
	}
	return &r, nil
}

// hasFewTokens reports whether b is JSON of at most maxTokens.
func hasFewTokens(b []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // protojson refuses these
	for range maxTokens {
		if _, err := d.ReadToken(); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
	return false
}

// checkShape refuses a receipt that lacks a part that Verify looks at; condensed: but for those that condense leaves out.
func checkShape(r *receiptpb.Receipt, condensed bool) error {
	problem := ""
	switch {
	case r.GetMediaType() != MediaType:
		problem = "has another media type"
	case r.GetFormatVersion() > FormatVersion:
		return refuse(ReasonMalformedReceipt, fmt.Sprintf("the receipt is of version %d, and this program knows up to %d", r.GetFormatVersion(), FormatVersion),
			"verify with a newer program")
	case len(r.GetSignature().GetContent()) == 0 || r.GetSignature().GetFormat() == "":
		problem = "has no signature"
	case len(r.GetSigners()) == 0:
		problem = "names no signer"
	case r.GetArtifact().GetSize() < -1:
		problem = "has an artifact of a negative size"
	case r.GetArtifact() == nil:
		problem = "says nothing of the artifact"
	case len(r.GetEntries()) == 0:
		problem = "has no log entry"
	case len(r.GetEntries()) > MaxEntries:
		problem = fmt.Sprintf("has more than %d log entries", MaxEntries)
	default:
		return checkEntries(r, condensed)
	}
	return malformed(problem)
}

func checkEntries(r *receiptpb.Receipt, condensed bool) error {
	for _, e := range r.GetEntries() {
		if err := checkEntry(e, r.GetFormatVersion(), condensed); err != nil {
			return err
		}
	}
	return nil
}

// checkEntry refuses an entry that is not in a log, or in a gateway's own, or in both.
func checkEntry(e *receiptpb.LogEntry, version uint32, condensed bool) error {
	switch {
	case e.GetOwn() != nil && version < versionBatched:
		return malformed("has parts of a newer version than it says")
	case condensed && isCondensed(e):
		return checkCondensedEntry(e)
	case e.GetOwn() == nil:
		return checkBundle(e.GetBundle())
	case e.GetBundle().GetMediaType() != BundleMediaType:
		return malformed(noBundle)
	}
	return checkOwnShape(e)
}

const noBundle = "has a log entry without a Sigstore bundle v0.3"

// checkBundle refuses a bundle without just one log entry.
func checkBundle(b *bundlepb.Bundle) error {
	if b.GetMediaType() != BundleMediaType {
		return malformed(noBundle)
	}
	return checkLoggedOnce(b)
}

func checkLoggedOnce(b *bundlepb.Bundle) error {
	m := b.GetVerificationMaterial()
	switch {
	case len(m.GetTlogEntries()) != 1:
		return malformed("has a bundle without exactly one log entry")
	case m.GetTlogEntries()[0].GetInclusionProof().GetCheckpoint().GetEnvelope() == "":
		return malformed("has a log entry without an inclusion proof and checkpoint")
	}
	return nil
}

func malformed(problem string) error {
	return refuse(ReasonMalformedReceipt, "the receipt "+problem, hintAgain)
}

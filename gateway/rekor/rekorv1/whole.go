// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dustin/go-humanize"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/tufrecord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Acceptor accepts what a Rekor v1 log accepts, without one.
type Acceptor struct{ InlineMax int64 } // gateway.LogInfo.InlineMax

// Accepts is gateway.Log's.
func (a Acceptor) Accepts(o gateway.Offer) error { return accepts(o, a.InlineMax) }

// Describe is gateway.Log's, as far as it says what the log takes.
func (a Acceptor) Describe() gateway.LogInfo {
	return gateway.LogInfo{APIVersion: 1, InlineMax: a.InlineMax}
}

// accepts reports whether a log that takes artifacts of up to inlineMax bytes takes o; see gateway.Log.
func accepts(o gateway.Offer, inlineMax int64) error {
	if o.Whole == nil {
		return recording.Accepts(hashedrekord.RekorV1, o)
	}
	return checkWhole(o.Whole, inlineMax)
}

// checkWhole refuses what the log would refuse for what surrounds the signature. The signature itself was verified more strictly than the log does.
func checkWhole(w *gateway.Whole, inlineMax int64) error {
	if w.Format == tufrecord.Format {
		return checkTUF(w)
	}
	switch {
	case !slices.Contains(rekord.Formats, w.Format):
		return recording.ErrNoWhole
	case inlineMax <= 0:
		return formats.NewError(formats.ReasonNotProjectable, "artifacts are not sent to this log, which its own entries for this format need",
			"ask the gateway's operator to set inline_max of the log")
	case w.Size < 0:
		return formats.NewError(formats.ReasonNeedsBytes, "the log has to see the artifact itself for an entry of its own for this format", "send the artifact in place of a digest")
	case w.Size > inlineMax:
		return formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the artifact is larger than the %s that are sent to the log with an entry of its own for this format", humanize.IBytes(uint64(inlineMax))),
			"leave the representation to the gateway, or ask its operator for a larger inline_max of the log")
	}
	return nil
}

// checkTUF refuses metadata whose entry would be too large. That the log verifies it, the format has found out; of one without content nothing is
// known yet.
func checkTUF(w *gateway.Whole) error {
	if w.Signature == nil {
		return nil
	}
	if _, err := tufrecord.Body(w.Whole); errors.Is(err, tufrecord.ErrTooLarge) {
		return formats.WrapError(err, formats.ReasonTooLarge, "the metadata and its root, in base64, are larger than the 64 KiB that are recorded with all that they say",
			"leave the representation to the gateway, or split the metadata by delegations")
	} else if err != nil {
		return formats.WrapError(err, formats.ReasonNotProjectable, "the log has no entry for such metadata", "leave the representation to the gateway")
	}
	return nil
}

// prepareTUF is Prepare for metadata that is sent with its root.
func prepareTUF(log string, w *gateway.Whole) (gateway.Prepared, *receiptpb.LogEntry, error) {
	if err := checkTUF(w); err != nil {
		return gateway.Prepared{}, nil, err
	}
	body, err := tufrecord.Body(w.Whole)
	if err != nil {
		return gateway.Prepared{}, nil, formats.WrapError(err, formats.ReasonNotProjectable, "the log has no entry for such metadata", "leave the representation to the gateway")
	}
	return gateway.Prepared{
		Log: log, LeafHash: tufrecord.LeafHash(body), Kind: tufrecord.Kind, Body: body, Signature: w.Signature,
	}, receipt.RecordTUF(w.Whole, w.SPKI), nil
}

// prepareWhole is Prepare for a signature that the log has an entry kind of its own for.
func prepareWhole(log string, w *gateway.Whole, inlineMax int64) (gateway.Prepared, *receiptpb.LogEntry, error) {
	if w.Format == tufrecord.Format {
		return prepareTUF(log, w)
	}
	if err := checkWhole(w, inlineMax); err != nil {
		return gateway.Prepared{}, nil, err
	}
	if w.Size == 0 {
		return gateway.Prepared{}, nil, formats.NewError(formats.ReasonNotProjectable, "the log takes no empty artifact", "leave the representation to the gateway")
	}
	record := rekord.Record{Whole: w.Whole, Digest: w.SHA256}
	body, err := rekord.Body(record)
	if err != nil {
		return gateway.Prepared{}, nil, formats.WrapError(err, formats.ReasonTooLarge, fmt.Sprintf("the entry would be over %d bytes", rekord.MaxBody), "send the signer's key alone")
	}
	return gateway.Prepared{
		Log: log, LeafHash: rekord.LeafHash(body), Kind: rekord.Kind, Body: body, Signature: w.Signature,
	}, receipt.RecordWhole(record, w.SPKI), nil
}

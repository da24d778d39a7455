// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"context"
	"fmt"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// checkRecords checks that each log entry records what the receipt says.
func (v *verification) checkRecords(ctx context.Context) error {
	switch v.receipt.GetRepresentation() {
	case receiptpb.Receipt_NATIVE:
		v.report.proven("recorded as: NATIVE, %s says that this key signed these bytes", v.recorder())
		switch entries := v.receipt.GetEntries(); {
		case len(entries) > 0 && hasRekord(entries[0]):
			return v.checkRekords(ctx)
		case len(entries) > 0 && hasTUF(entries[0]):
			return v.checkTUFs(ctx)
		}
		return v.checkProjections(true)
	case receiptpb.Receipt_PROJECTED:
		v.report.proven("recorded as: PROJECTED, %s says that this key signed the bytes this format really signs", v.recorder())
		return v.checkProjections(false)
	case receiptpb.Receipt_ATTESTED:
		return v.checkAttestations()
	}
	return malformed("does not say how the signature is recorded")
}

// loggedRecord returns what the log has recorded in an entry, where that is a hashedrekord. Each kind of entry has a file of its own,
// named after it; to add a kind, give it a case here or, where it has no signature over a digest, in checkRecords.
func loggedRecord(e *receiptpb.LogEntry) (hashedrekord.Record, error) {
	if own := e.GetOwn(); own != nil {
		return readHashedRekord(e, own.GetBody()) // of either kind
	}
	switch k := logged(e).GetKindVersion(); k.GetKind() + "/" + k.GetVersion() {
	case hashedrekord.Kind, hashedrekord.V1Kind:
		return readHashedRekord(e, logged(e).GetCanonicalizedBody())
	default:
		return hashedrekord.Record{}, fmt.Errorf("entry is %.20q %.20q, not %s", k.GetKind(), k.GetVersion(), hashedrekord.Kind)
	}
}

// takenBy returns what the log of an entry takes.
func takenBy(e *receiptpb.LogEntry) hashedrekord.Algorithms {
	if e.GetOwn() != nil {
		return hashedrekord.Own
	}
	if logged(e).GetKindVersion().GetVersion() == hashedrekord.V1APIVersion {
		return hashedrekord.RekorV1
	}
	return hashedrekord.RekorV2
}

// logged returns the transparency log's part of an entry.
func logged(e *receiptpb.LogEntry) *rekorpb.TransparencyLogEntry {
	return e.GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
}

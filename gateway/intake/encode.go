// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// recorded is a verified signature in the form in which it will be logged.
type recorded struct {
	representation gateway.Representation
	receipt        *receiptpb.Receipt
	entries        []gateway.NewEntry
}

// encode chooses the representation by what was really verified, and encodes it for every log.
func (d *Draft) encode(ctx context.Context, id string, v *formats.Verified, packed *formats.Digest) (recorded, error) {
	chosen, projections, err := d.service.planner.Choose(d.plan, d.request.Representation, v)
	if err != nil {
		return recorded{}, err
	}
	skeleton := d.skeleton(id, v, chosen, packed)
	r := recorded{representation: chosen, receipt: skeleton}
	if chosen == gateway.Attested {
		if d.request.PublishCertificate {
			return recorded{}, errNoCertificate
		}
		entry, record, err := d.service.cfg.Attester.Attest(ctx, skeleton)
		if err != nil {
			return recorded{}, fmt.Errorf("attesting: %w", err)
		}
		if err := r.addEntries(d.service.cfg.Logs, entry, record); err != nil {
			return recorded{}, err
		}
		return r, nil
	}
	for _, p := range projections {
		if err := d.notePublished(p, skeleton); err != nil {
			return recorded{}, err
		}
		entry, record, err := receipt.Project(p, d.request.PublishCertificate)
		if err != nil {
			return recorded{}, err
		}
		if err := r.addEntries(d.service.cfg.Logs, entry, record); err != nil {
			return recorded{}, err
		}
	}
	return r, nil
}

// addEntries encodes one record for every log; the receipt gets a log entry for each.
func (r *recorded) addEntries(logs []gateway.Log, entry *receiptpb.LogEntry, record hashedrekord.Record) error {
	for _, l := range logs {
		prepared, err := l.Prepare(record)
		if err != nil {
			return err
		}
		r.entries = append(r.entries, prepared)
		r.receipt.Entries = append(r.receipt.Entries, proto.CloneOf(entry))
	}
	return nil
}

// skeleton is the submission's receipt, still without log entries.
func (d *Draft) skeleton(id string, v *formats.Verified, r gateway.Representation, packed *formats.Digest) *receiptpb.Receipt {
	return receipt.New(receipt.Facts{
		ID: id, Signature: d.request.Signature, Description: d.plan.Description, Verified: v, Policy: d.policy, Container: packed,
		Representation: receiptpb.Receipt_Representation(receiptpb.Receipt_Representation_value[string(r)]),
	})
}

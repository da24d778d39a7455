// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// recorded is a verified signature in the form in which it will be logged.
type recorded struct {
	representation gateway.Representation
	receipt        *receiptpb.Receipt
	entries        []gateway.NewEntry
}

// encodeEntries chooses the representation by what verification found, and encodes an entry for
// every log.
func (d *Draft) encodeEntries(ctx context.Context, id string, v *formats.Verified, packed *formats.Digest) (recorded, error) {
	chosen, projections, err := d.service.planner.Choose(d.plan, d.request.Representation, v)
	if err != nil {
		return recorded{}, err
	}
	skeleton := d.makeSkeleton(id, v, chosen, packed)
	r := recorded{representation: chosen, receipt: skeleton}
	offers, err := d.makeOffers(ctx, chosen, projections, skeleton)
	if err != nil {
		return recorded{}, err
	}
	for _, o := range offers {
		if err := r.addEntries(d.service.cfg.Logs, o); err != nil {
			return recorded{}, err
		}
	}
	return r, nil
}

// makeOffers returns what each log is asked to record: the gateway's statement, or every projection.
func (d *Draft) makeOffers(ctx context.Context, chosen gateway.Representation, projections []formats.Projection, skeleton *receiptpb.Receipt) ([]gateway.Offer, error) {
	if chosen == gateway.Attested {
		if d.request.PublishCertificate {
			return nil, errNoCertificate
		}
		statement, err := d.service.cfg.Attester.Attest(ctx, skeleton)
		if err != nil {
			return nil, fmt.Errorf("attesting: %w", err)
		}
		return []gateway.Offer{{Statement: &statement}}, nil
	}
	offers := make([]gateway.Offer, len(projections))
	for i := range projections {
		if err := d.notePublished(projections[i], skeleton); err != nil {
			return nil, err
		}
		offers[i] = gateway.Offer{Projection: &projections[i], Certificate: d.request.PublishCertificate}
	}
	return offers, nil
}

// addEntries prepares one offer for every log; the receipt gets an entry for each.
func (r *recorded) addEntries(logs []gateway.Log, o gateway.Offer) error {
	for _, l := range logs {
		prepared, entry, err := l.Prepare(o)
		if err != nil {
			return err
		}
		r.entries = append(r.entries, gateway.NewEntry{Prepared: prepared})
		r.receipt.Entries = append(r.receipt.Entries, entry)
	}
	return nil
}

// makeSkeleton is the submission's receipt, still without log entries.
func (d *Draft) makeSkeleton(id string, v *formats.Verified, r gateway.Representation, packed *formats.Digest) *receiptpb.Receipt {
	return receipt.New(receipt.Facts{
		ID: id, Signature: d.request.Signature, Description: d.plan.Description, Verified: v, Policy: d.policy, Container: packed,
		Representation: receiptpb.Receipt_Representation(receiptpb.Receipt_Representation_value[string(r)]),
	})
}

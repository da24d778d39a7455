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

// recorded is a verified submission in the form in which it will be logged.
type recorded struct {
	representations []gateway.Representation // of each signature
	receipt         *receiptpb.Receipt
	entries         []gateway.NewEntry
}

// choice is how one signature is recorded.
type choice struct {
	representation gateway.Representation
	projections    []formats.Projection // none: a statement, or whole
	whole          *gateway.Whole
}

// encodeEntries chooses the representation of each signature by what verification found, and the logs that it goes
// to, and encodes its entries for these.
func (d *Draft) encodeEntries(ctx context.Context, id string, v *formats.Verified, packed *formats.Digest) (recorded, error) {
	plans, parts := d.plan.Each(), v.Each()
	choices := make([]choice, len(parts))
	var r recorded
	for i, part := range parts {
		var err error
		c := &choices[i]
		if c.representation, c.projections, err = d.target.planner.Choose(plans[i], d.request.Representation, part); err != nil {
			return recorded{}, err
		}
		if c.representation == gateway.Native && len(c.projections) == 0 {
			if c.whole, err = d.makeWhole(plans[i], part); err != nil {
				return recorded{}, err
			}
		}
		r.representations = append(r.representations, c.representation)
	}
	logs := d.target.chooseLogs(d.service.cfg.Condition)
	r.receipt = d.makeSkeleton(id, v, r.representations, packed)
	for i, c := range choices {
		offers, err := d.makeOffers(ctx, c, i, r.receipt)
		if err != nil {
			return recorded{}, err
		}
		for _, o := range offers {
			if err := r.addEntries(logs, o, i, d.blobOf(c)); err != nil {
				return recorded{}, err
			}
		}
	}
	if n := len(r.receipt.GetEntries()); n > receipt.MaxEntries {
		return recorded{}, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the signatures take %d log entries, and a receipt holds %d", n, receipt.MaxEntries),
			"send the file in parts, with fewer signatures each")
	}
	return r, nil
}

// makeOffers returns what each log is asked to record of the signature at a position: the gateway's statement, or every
// projection, or the signature with all that it is over.
func (d *Draft) makeOffers(ctx context.Context, c choice, at int, skeleton *receiptpb.Receipt) ([]gateway.Offer, error) {
	if (c.representation == gateway.Attested || c.whole != nil) && d.request.PublishCertificate {
		return nil, errNoCertificate
	}
	if c.whole != nil {
		noteWhole(c.whole, skeleton)
		return []gateway.Offer{{Whole: c.whole}}, nil
	}
	if c.representation == gateway.Attested {
		statement, err := d.service.cfg.Attester.Attest(ctx, receipt.ForSignature(skeleton, at))
		if err != nil {
			return nil, fmt.Errorf("attesting: %w", err)
		}
		return []gateway.Offer{{Statement: &statement}}, nil
	}
	offers := make([]gateway.Offer, len(c.projections))
	for i := range c.projections {
		if err := d.notePublished(c.projections[i], skeleton); err != nil {
			return nil, err
		}
		offers[i] = gateway.Offer{Projection: &c.projections[i], Certificate: d.request.PublishCertificate}
	}
	return offers, nil
}

// addEntries prepares one offer of the signature at a position for every log; the receipt gets an entry for each.
func (r *recorded) addEntries(logs []gateway.Recorder, o gateway.Offer, at int, blob *gateway.Blob) error {
	for _, l := range logs {
		prepared, entry, err := l.Prepare(o)
		if err != nil {
			return err
		}
		entry.Signature = uint32(at)
		r.entries = append(r.entries, gateway.NewEntry{Prepared: prepared, Blob: blob})
		r.receipt.Entries = append(r.receipt.Entries, entry)
	}
	return nil
}

// makeSkeleton is the submission's receipt, still without log entries.
func (d *Draft) makeSkeleton(id string, v *formats.Verified, rs []gateway.Representation, packed *formats.Digest) *receiptpb.Receipt {
	f := receipt.Facts{
		ID: id, Signature: d.request.Signature, Description: d.plan.Description, Verified: v, Policy: d.policy, Container: packed,
	}
	for _, r := range rs {
		f.Representations = append(f.Representations, receiptpb.Receipt_Representation(receiptpb.Receipt_Representation_value[string(r)]))
		if d.target.way == gateway.Batched {
			f.Ways = append(f.Ways, receiptpb.RecordedSignature_BATCHED)
		}
	}
	return receipt.New(f)
}

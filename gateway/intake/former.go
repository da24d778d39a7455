// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// storeSubmission stores sub, or returns the row in which it is stored already. The row of an earlier release that one of
// the former keys finds is somebody else's when its receipt does not fit what was sent; then sub is stored beside it.
func (d *Draft) storeSubmission(ctx context.Context, sub gateway.NewSubmission, v *formats.Verified) (gateway.Submission, error) {
	size := d.held.Size()
	stored, err := d.service.commits.commitSubmission(gateway.WithHeld(ctx, d.held), sub)
	if errors.Is(err, gateway.ErrBlobGone) { // it took too long to come
		err = fmt.Errorf("%w: %w", gateway.ErrNotStored, err)
	}
	if err != nil || !stored.Existing || stored.Key == sub.Key {
		return stored, err
	}
	held := gateway.HeldFrom(ctx).Part() // committing has given back what sub takes
	defer held.Close()
	if err := held.Grow(size); err != nil {
		return gateway.Submission{}, err
	}
	archived, err := d.service.cfg.Archive.Archived(ctx, stored.Tenant, stored.ID)
	if err != nil {
		return gateway.Submission{}, fmt.Errorf("reading the receipt of submission %s: %w", stored.ID, err)
	}
	if stored.Needed == sub.Needed && fitsStored(sub.Receipt, archived.Receipt, v) {
		return stored, nil
	}
	sub.FormerKeys = nil
	return d.service.commits.commitSubmission(gateway.WithHeld(ctx, held), sub)
}

// fitsStored reports whether a stored receipt shows what the new one would of what the former keys leave out: the
// signers' keys, the published certificates and, where copies of a signature differ, the signature.
func fitsStored(fresh, stored *receiptpb.Receipt, v *formats.Verified) bool {
	return slices.EqualFunc(fresh.GetSignature().GetKeys(), stored.GetSignature().GetKeys(), bytes.Equal) &&
		slices.Equal(listPublishedNotes(fresh), listPublishedNotes(stored)) &&
		(v.Form == nil || bytes.Equal(fresh.GetSignature().GetContent(), stored.GetSignature().GetContent()))
}

func listPublishedNotes(r *receiptpb.Receipt) (notes []string) {
	for _, n := range r.GetNotes() {
		if strings.HasPrefix(n, publishedNote) {
			notes = append(notes, n)
		}
	}
	return notes
}

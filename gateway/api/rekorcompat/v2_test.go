// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"context"
	"errors"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// emptyReceipts are of entries in logs of another kind alone.
type emptyReceipts struct{ Service }

func (emptyReceipts) Receipt(context.Context, gateway.Submission) (*receiptpb.Receipt, error) {
	return new(receiptpb.Receipt), nil
}

// What is in as many logs as are needed, and not in one of Rekor v2 yet, is to be asked for again; else there is nothing to ask for.
func TestEntryIsPending(t *testing.T) {
	v := NewV2(V2Config{Service: emptyReceipts{}, Log: func() Log { return nil }})
	body := []byte("body")
	leaf := gateway.LeafHash(rfc6962.DefaultHasher.HashLeaf(body))
	for name, test := range map[string]struct {
		entry gateway.Entry
		want  error
	}{
		"pending":         {gateway.Entry{LeafHash: leaf, State: gateway.Pending}, errNotInTime},
		"failed":          {gateway.Entry{LeafHash: leaf, State: gateway.Failed}, errOtherEntry},
		"of another form": {gateway.Entry{LeafHash: gateway.LeafHash{1}, State: gateway.Pending}, errOtherEntry},
	} {
		sub := &gateway.Submission{State: gateway.Logged, Entries: []gateway.Entry{{State: gateway.Logged}, test.entry}}
		if e, err := v.findEntry(t.Context(), sub, body); !errors.Is(err, test.want) || e != nil {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// TestOwnTreeOfAnySize: whatever size an own log signs, there is a verdict on its receipt.
func TestOwnTreeOfAnySize(t *testing.T) {
	t.Parallel()
	b := batch(t, native(t), receiptpb.Receipt_NATIVE)
	for _, size := range []uint64{1 << 61, 1 << 62, 1<<62 + 1, 1<<63 - 1} {
		for _, index := range []uint64{0, 3, size - 1} {
			p := receipt.OwnProof{Index: index, Checkpoint: b.own.CheckpointOf(size), Hashes: make([][32]byte, 62)}
			text, err := receipt.FormatOwnProof(p)
			if err != nil {
				t.Fatal(err)
			}
			r, verdict := proto.CloneOf(b.receipt), make(chan error, 1)
			r.GetEntries()[0].GetOwn().Proof = string(text)
			o := b.options()
			go func() {
				_, err := receipt.Verify(t.Context(), r, o)
				verdict <- err
			}()
			select {
			case err := <-verdict:
				if formats.ReasonOf(err) != receipt.ReasonProofInvalid {
					t.Errorf("record %d of %d: %v", index, size, err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("there is no verdict on record %d of %d", index, size)
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"os"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// BenchmarkUnmarshal reads a receipt, as whoever verifies a tree does for each file.
func BenchmarkUnmarshal(b *testing.B) {
	raw, err := os.ReadFile("testdata/corpus/own-x509-p256/receipt.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := receipt.Unmarshal(raw); err != nil {
			b.Fatal(err)
		}
	}
}

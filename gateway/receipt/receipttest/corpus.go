// SPDX-License-Identifier: Apache-2.0

package receipttest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Corpus returns a receipt of package receipt's frozen corpus, for the tests of a package beside it.
func Corpus(tb testing.TB, name string) *receiptpb.Receipt {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "receipt", "testdata", "corpus", name, "receipt.json"))
	if err != nil {
		tb.Fatal(err)
	}
	r, err := receipt.Unmarshal(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

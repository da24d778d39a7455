// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// BenchmarkLines is what a scrape asks of the store, with more in line than is counted.
func BenchmarkLines(b *testing.B) {
	s, err := Open(b.Context(), b.TempDir()+"/store.db", Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for i := range 80 {
		var subs []gateway.NewSubmission
		for j := range 250 {
			subs = append(subs, storetest.NewSubmission(fmt.Sprint("tenant ", j), fmt.Sprint(i, " ", j), "log"))
		}
		if _, err := s.Enqueue(b.Context(), subs); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		lines, err := s.Lines(b.Context())
		if err != nil || len(lines) != 2 || lines[0].Entries+lines[1].Entries != gateway.MaxLine {
			b.Fatalf("%v, %v", lines, err)
		}
	}
}

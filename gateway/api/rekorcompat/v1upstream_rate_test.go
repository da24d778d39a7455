// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"sync"
	"testing"

	"golang.org/x/time/rate"
)

// TestRefusedReadsTakeNone: who is refused a read, however many there are at once, takes none from those who come later.
func TestRefusedReadsTakeNone(t *testing.T) {
	t.Parallel()
	l := upstreamLog{reads: rate.NewLimiter(0.01, 1)}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for range 2000 {
				_ = l.takeRead()
			}
		})
	}
	all.Wait()
	if owed := l.reads.Tokens(); owed < 0 {
		t.Errorf("%.0f reads are owed", -owed)
	}
}

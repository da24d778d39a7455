// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
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

// TestReadsTogether: who asks for many at once gets all or none, and who gets none takes nothing from others; he is told when there are as many.
func TestReadsTogether(t *testing.T) {
	t.Parallel()
	l := upstreamLog{reads: rate.NewLimiter(0.01, MaxQueries)}
	if _, err := l.readTogether(MaxQueries - 2); err != nil {
		t.Errorf("as many as there are: %v", err)
	}
	for range 10 {
		_, err := l.readTogether(4)
		if wait := problem.FromError(err).RetryAfter; wait < 190*time.Second || wait > 200*time.Second {
			t.Fatalf("more than there are: %v, again in %v", err, wait)
		}
	}
	if _, err := l.readTogether(2); err != nil {
		t.Errorf("the rest: %v", err)
	}
}

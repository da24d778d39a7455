// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// TestPromises asks the plugins alone, which takes no processes, about ten times as many
// variations as TestCompare.
func TestPromises(t *testing.T) {
	count := 10 * wantedCount(t)
	for format := range panels {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			for _, s := range variations(t, format, count) {
				if err := promises(s, rekorGateway(s)); err != nil {
					t.Errorf("%v: %v", s, err)
				}
			}
		})
	}
}

// promises checks what holds for whatever rekor-gateway accepts, without regard to the others: the
// log will find the projections valid, the kept keys verify the signature again, and a
// signature that still verifies after it was changed is the same submission, unless it was added to.
func promises(s submission, v verdict) error {
	if !v.accepted {
		return nil
	}
	for _, part := range v.verified.Each() {
		for i, p := range part.Projections {
			if err := p.VerifyDigest(); err != nil {
				return fmt.Errorf("projection %d: %w", i, err)
			}
		}
	}
	again := s
	again.keys = v.verified.Keys
	if w := rekorGateway(again); !w.accepted || !bytes.Equal(w.verified.Canonical, v.verified.Canonical) {
		return fmt.Errorf("with the keys that are kept: %v", w)
	}
	if s.origin == nil {
		return nil
	}
	if w := rekorGateway(*s.origin); w.accepted && len(w.verified.Each()) == len(v.verified.Each()) && !bytes.Equal(w.verified.Canonical, v.verified.Canonical) {
		return errors.New("accepted as another submission than the signature it was made from")
	}
	return nil
}

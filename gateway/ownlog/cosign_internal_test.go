// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// changedStore has other cosignatures each time.
type changedStore struct {
	ReadStore
	next []string
}

func (s *changedStore) Cosignatures(context.Context, string, uint64) ([]gateway.Cosignature, error) {
	line := s.next[0]
	s.next = s.next[1:]
	return []gateway.Cosignature{{Witness: "w", Line: line}}, nil
}

// TestCosignedByRoot: what is kept of one checkpoint is not shown for another of the same size, which a store that went back may have.
func TestCosignedByRoot(t *testing.T) {
	t.Parallel()
	r := NewReader(&changedStore{next: []string{"first", "second"}}, "own-test")
	for _, c := range []struct{ checkpoint, line string }{{"one\n", "first"}, {"other\n", "second"}, {"one\n", "first"}} {
		signed, err := r.addCosignatures(t.Context(), 5, []byte(c.checkpoint))
		if want := c.checkpoint + c.line + "\n"; err != nil || string(signed) != want {
			t.Errorf("it is %q, %v; want %q", signed, err, strings.TrimSpace(want))
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"errors"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/container"
)

// Slow uploads of xz containers hold up neither gzip ones nor, for ever, other xz ones.
func TestUnpackingIsBounded(t *testing.T) {
	s := &Service{unpacking: make(chan struct{}, 1), patience: 10 * time.Millisecond}
	done, err := s.unpack(t.Context(), container.XZ)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.unpack(t.Context(), container.XZ); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := s.unpack(t.Context(), container.Gzip); err != nil {
		t.Errorf("gzip: %v", err)
	}
	done()
	if _, err := s.unpack(t.Context(), container.XZ); err != nil {
		t.Errorf("after the first: %v", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"errors"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Slow uploads of xz containers hold up neither gzip ones nor, for ever, other xz ones.
func TestUnpackingIsBounded(t *testing.T) {
	u := &unpacker{places: make(chan struct{}, 1), patience: 10 * time.Millisecond}
	done, err := u.takePlace(t.Context(), container.XZ)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.takePlace(t.Context(), container.XZ); !errors.Is(err, gateway.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := u.takePlace(t.Context(), container.Gzip); err != nil {
		t.Errorf("gzip: %v", err)
	}
	done()
	if _, err := u.takePlace(t.Context(), container.XZ); err != nil {
		t.Errorf("after the first: %v", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Those that find no place are told to come back; places and memory are given back.
func TestParsingPlaces(t *testing.T) {
	p := &parsingPlaces{places: semaphore.NewWeighted(1), patience: 20 * time.Millisecond}
	m := gateway.NewMemory(1 << 20)
	held, err := m.Admit(0)
	if err != nil {
		t.Fatal(err)
	}
	r := gateway.Request{Signature: make([]byte, 1000), Keys: [][]byte{make([]byte, 1000)}}
	done, err := p.takePlace(t.Context(), r, held)
	if err != nil || m.Used() != 2000*parsingCopies {
		t.Fatalf("%v, %d bytes are counted", err, m.Used())
	}
	if _, err := p.takePlace(t.Context(), r, held); !errors.Is(err, gateway.ErrBusy) {
		t.Errorf("without a place: %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := p.takePlace(gone, r, held); !errors.Is(err, context.Canceled) {
		t.Errorf("for a client who left: %v", err)
	}
	if done(); m.Used() != 2000*parsedCopies {
		t.Errorf("%d bytes are counted for what was parsed", m.Used())
	}
	if err := held.Grow(900 << 10); err != nil {
		t.Fatal(err)
	}
	r.Signature = make([]byte, 10_000)
	if _, err := p.takePlace(t.Context(), r, held); !errors.Is(err, gateway.ErrMemoryFull) {
		t.Errorf("without memory: %v", err)
	}
	held.Close()
	if done, err = p.takePlace(t.Context(), r, nil); err != nil {
		t.Errorf("the place was not given back: %v", err)
	}
	done()
}

func TestParsingMemoryIsBound(t *testing.T) {
	parsing, parsed := parsingMemory(gateway.Request{Signature: make([]byte, 4<<20), Keys: [][]byte{make([]byte, 4<<20)}})
	if parsing != parsingMost || parsed != 8<<20*parsedCopies {
		t.Errorf("%d, then %d", parsing, parsed)
	}
}

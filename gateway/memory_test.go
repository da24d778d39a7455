// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// New requests are refused first, those under way only when nothing is left, and all comes back.
func TestMemoryKeepsRoomForRequestsUnderWay(t *testing.T) {
	t.Parallel()
	m := NewMemory(100)
	first, err := m.Admit(70)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Admit(10); !errors.Is(err, ErrMemoryFull) {
		t.Errorf("a new request past three quarters: %v", err)
	}
	if err := first.Grow(30); err != nil {
		t.Errorf("a request under way: %v", err)
	}
	if err := first.Grow(1); !errors.Is(err, ErrMemoryFull) {
		t.Errorf("past the end: %v", err)
	}
	first.Shrink(50)
	if m.Used() != 50 {
		t.Errorf("%d bytes are held, want 50", m.Used())
	}
	first.Close()
	first.Close()
	if second, err := m.Admit(75); err != nil || m.Used() != 75 {
		t.Errorf("after the others are gone: %v, %d bytes", err, m.Used())
	} else if second.Close(); m.Used() != 0 {
		t.Errorf("%d bytes stay held", m.Used())
	}
}

func TestMemoryOfParts(t *testing.T) {
	t.Parallel()
	m := NewMemory(100)
	whole, err := m.Admit(10)
	if err != nil {
		t.Fatal(err)
	}
	part := whole.Part()
	inner := part.Part()
	if err := errors.Join(part.Grow(20), inner.Grow(30)); err != nil {
		t.Fatal(err)
	}
	if whole.Size() != 60 || part.Size() != 50 || m.Used() != 60 {
		t.Errorf("whole %d, part %d, all %d", whole.Size(), part.Size(), m.Used())
	}
	part.Close()
	if whole.Size() != 10 || m.Used() != 10 {
		t.Errorf("without the part: whole %d, all %d", whole.Size(), m.Used())
	}
	inner.Shrink(30)
	inner.Close()
	if err := inner.Grow(1); !errors.Is(err, ErrMemoryFull) {
		t.Errorf("a part of what is closed grows: %v", err)
	}
	if whole.Close(); m.Used() != 0 {
		t.Errorf("%d bytes stay held", m.Used())
	}
	if counted := m.Count(1000); m.Used() != 1000 {
		t.Error("what is there in any case is not counted")
	} else if counted.Close(); m.Used() != 0 {
		t.Errorf("%d bytes stay held", m.Used())
	}
}

func TestMemoryDetached(t *testing.T) {
	t.Parallel()
	m := NewMemory(100)
	whole, err := m.Admit(10)
	if err != nil {
		t.Fatal(err)
	}
	part, late := whole.Part(), whole.Part()
	if err := part.Grow(20); err != nil {
		t.Fatal(err)
	}
	part.Detach()
	if whole.Close(); m.Used() != 20 {
		t.Errorf("%d bytes are held after the request, want 20", m.Used())
	}
	if part.Close(); m.Used() != 0 {
		t.Errorf("%d bytes stay held", m.Used())
	}
	if late.Detach().Grow(1) == nil || m.Used() != 0 {
		t.Error("a part of what is closed grows once it is detached")
	}
}

func TestNoMemoryAccount(t *testing.T) {
	t.Parallel()
	h := HeldFrom(context.Background())
	if err := h.Part().Grow(1 << 60); err != nil || h.Size() != 0 {
		t.Errorf("%v", err)
	}
	h.Shrink(1)
	h.Close()
}

func TestMemoryConcurrently(t *testing.T) {
	t.Parallel()
	m := NewMemory(1000)
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for range 1000 {
				whole, err := m.Admit(50)
				if err != nil {
					continue
				}
				part := whole.Part()
				_ = part.Grow(200)
				if used := m.Used(); used > 1000 {
					t.Errorf("%d bytes are held", used)
				}
				part.Close()
				whole.Close()
			}
		})
	}
	if working.Wait(); m.Used() != 0 {
		t.Errorf("%d bytes stay held", m.Used())
	}
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"sync"
)

// ErrMemoryFull: the requests under way hold all the memory that requests may hold. The same may be sent
// again later.
var ErrMemoryFull = errors.New("requests hold as much memory as they may")

// Memory is the account of what all requests of one process hold in memory together. Whoever is about to
// hold more asks first and is refused at once when there is no room: nobody waits for memory while holding
// some, so that there is no deadlock. A quarter is kept for requests under way: new ones are refused
// before those that were let in. It is safe for concurrent use.
type Memory struct {
	limit int64 // bytes

	mu   sync.Mutex // over used, and over every Held of this account
	used int64
}

// NewMemory returns an account of limit bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit} }

// Used returns the bytes that are held now.
func (m *Memory) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// Admit lets a new request in, which holds size bytes from the start, or returns ErrMemoryFull. The caller
// closes what it returns when the request has ended.
func (m *Memory) Admit(size int64) (*Held, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used+size > m.limit-m.limit/4 {
		return nil, ErrMemoryFull
	}
	m.used += size
	return &Held{memory: m, size: size}, nil
}

// Count counts size bytes that are held in any case, since their number is bounded elsewhere, as for an
// open connection. The account may be over its limit then, and refuses others.
func (m *Memory) Count(size int64) *Held {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used += size
	return &Held{memory: m, size: size}
}

// Held is what one request holds, or one part of it. A nil Held has no limit and counts nothing. It is
// safe for concurrent use.
type Held struct {
	memory *Memory
	parent *Held // nil for a whole request

	// Owned by memory.mu.
	size   int64 // parts included
	closed bool
}

// Part returns an account within h that still holds nothing, for what may be given back before h is.
// Closing h closes it, too.
func (h *Held) Part() *Held {
	if h == nil {
		return nil
	}
	return &Held{memory: h.memory, parent: h}
}

// Detach takes h out of the account it is a part of, so that it outlives that: for work that goes on when its
// request has ended. Whoever does it closes h.
func (h *Held) Detach() *Held {
	if h == nil {
		return nil
	}
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	if h.isClosed() {
		h.closed = true
		return h
	}
	for p := h.parent; p != nil; p = p.parent {
		p.size -= h.size
	}
	h.parent = nil
	return h
}

// Grow is called before n more bytes are held. When it returns ErrMemoryFull nothing has changed.
func (h *Held) Grow(n int64) error {
	if h == nil {
		return nil
	}
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	if h.memory.used+n > h.memory.limit || h.isClosed() {
		return ErrMemoryFull
	}
	h.addBytes(n)
	return nil
}

// Shrink gives n bytes back.
func (h *Held) Shrink(n int64) {
	if h == nil {
		return
	}
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	if !h.isClosed() {
		h.addBytes(-min(n, h.size))
	}
}

// Size returns the bytes that h holds.
func (h *Held) Size() int64 {
	if h == nil {
		return 0
	}
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	return h.size
}

// Close gives everything back. Closing again does nothing.
func (h *Held) Close() {
	if h == nil {
		return
	}
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	if !h.isClosed() {
		h.addBytes(-h.size)
	}
	h.closed = true
}

// isClosed is called with memory.mu held, as addBytes is.
func (h *Held) isClosed() bool {
	for ; h != nil; h = h.parent {
		if h.closed {
			return true
		}
	}
	return false
}

func (h *Held) addBytes(n int64) {
	h.memory.used += n
	for ; h != nil; h = h.parent {
		h.size += n
	}
}

type heldKey struct{}

// WithHeld returns a context of a request whose memory is counted in h.
func WithHeld(ctx context.Context, h *Held) context.Context {
	return context.WithValue(ctx, heldKey{}, h)
}

// HeldFrom returns what WithHeld put into ctx, or nil.
func HeldFrom(ctx context.Context) *Held {
	h, _ := ctx.Value(heldKey{}).(*Held)
	return h
}

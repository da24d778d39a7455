// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"slices"
	"sync"
)

// How much is kept. All but two kinds are recognised by their first bytes; the longest trailer of
// OpenPGP's version 4 has 65,547 bytes.
const (
	headSize = 64 << 10
	tailSize = 66 << 10
)

// window is the beginning and the end of a stream. The two overlap in a short one.
type window struct {
	head []byte
	tail []byte // a ring once it has tailSize bytes
	next int    // where the ring's oldest byte is
	size int64
}

var windows = sync.Pool{New: func() any {
	return &window{head: make([]byte, 0, headSize), tail: make([]byte, 0, tailSize)}
}}

func newWindow() *window { return windows.Get().(*window) }

// release gives w back; nothing may look at it any more.
func (w *window) release() {
	*w = window{head: w.head[:0], tail: w.tail[:0]}
	windows.Put(w)
}

func (w *window) write(p []byte) {
	w.size += int64(len(p))
	w.head = append(w.head, p[:min(len(p), headSize-len(w.head))]...)
	p = p[max(len(p)-tailSize, 0):]
	n := min(len(p), tailSize-len(w.tail))
	w.tail = append(w.tail, p[:n]...)
	for p = p[n:]; len(p) > 0; p = p[n:] {
		n = copy(w.tail[w.next:], p)
		w.next = (w.next + n) % tailSize
	}
}

// straighten brings the ring's bytes into their order.
func (w *window) straighten() {
	if w.next > 0 {
		slices.Reverse(w.tail[:w.next])
		slices.Reverse(w.tail[w.next:])
		slices.Reverse(w.tail)
	}
	w.next = 0
}

// complete reports whether the head is all there is.
func (w *window) complete() bool { return w.size == int64(len(w.head)) }

// last returns the last n bytes, and false when there are fewer or they were not kept.
func (w *window) last(n int) ([]byte, bool) {
	if n < 0 || n > len(w.tail) {
		return nil, false
	}
	return w.tail[len(w.tail)-n:], true
}

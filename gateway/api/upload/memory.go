// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"io"
	"sync/atomic"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// memory counts bytes that requests hold.
type memory struct {
	max  int64
	used atomic.Int64
}

// held is a reader whose bytes stay counted until it is released.
type held struct {
	src    io.Reader
	memory *memory
	size   int64
}

func (m *memory) holdBody(src io.Reader) *held { return &held{src: src, memory: m} }

// Read fails with problem.ErrMemoryFull when there is no room for what it has read.
func (h *held) Read(p []byte) (int, error) {
	n, err := h.src.Read(p)
	h.size += int64(n)
	if h.memory.used.Add(int64(n)) > h.memory.max {
		return 0, problem.ErrMemoryFull
	}
	return n, err
}

func (h *held) releaseMemory() { h.memory.used.Add(-h.size) }

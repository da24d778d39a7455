// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/binary"
	"errors"
	"testing"
)

// TestVerifyOnce: what has verified is not verified again, and only that.
func TestVerifyOnce(t *testing.T) {
	calls := 0
	verify := func(err error) func() error { return func() error { calls++; return err } }
	refused := errors.New("refused")
	m := NewMemory()
	key, text := []byte("key"), []byte("text")
	for i, step := range []struct {
		memory *Memory
		verify error
		parts  [][]byte
		want   error
		calls  int
	}{
		{m, refused, [][]byte{key, text}, refused, 1}, // what is refused is not remembered
		{m, nil, [][]byte{key, text}, nil, 1},
		{m, refused, [][]byte{key, text}, nil, 0},
		{m, refused, [][]byte{[]byte("keyt"), []byte("ext")}, refused, 1},
		{m, refused, [][]byte{key, text, nil}, refused, 1},
		{m, refused, [][]byte{text, key}, refused, 1},
		{nil, refused, [][]byte{key, text}, refused, 1},
		{NewMemory(), refused, [][]byte{key, text}, refused, 1},
	} {
		calls = 0
		if err := step.memory.verifyOnce(verify(step.verify), step.parts...); !errors.Is(err, step.want) || calls != step.calls {
			t.Errorf("%d: %v after %d calls", i, err, calls)
		}
	}
}

// TestMemoryIsBounded: the oldest is forgotten.
func TestMemoryIsBounded(t *testing.T) {
	m := NewMemory()
	for i := range 3 * maxRemembered {
		_ = m.verifyOnce(func() error { return nil }, binary.BigEndian.AppendUint64(nil, uint64(i)))
	}
	if n := m.verified.Len(); n != maxRemembered {
		t.Errorf("remembers %d", n)
	}
}

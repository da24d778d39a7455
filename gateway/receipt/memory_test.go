// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
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
	signature := "\n— own.example " + base64.StdEncoding.EncodeToString(make([]byte, 68)) + "\n"
	for i := range 3 * maxOpened {
		checkpoint := fmt.Appendf(nil, "own.example\n%d\n%s\n%s", i, base64.StdEncoding.EncodeToString(make([]byte, 32)), signature)
		for range 2 {
			if c, err := m.parseOwn(checkpoint); err != nil || c.size != uint64(i) {
				t.Fatalf("checkpoint %d: size %d, %v", i, c.size, err)
			}
		}
	}
	if n := m.own.Len(); n != maxOpened {
		t.Errorf("remembers %d checkpoints", n)
	}
}

// TestHashParts: no two lists of parts have one hash.
func TestHashParts(t *testing.T) {
	seen := map[hashOfParts]string{}
	for _, parts := range []string{"", ",", "a", "a,", ",a", "a,b", "b,a", "ab", "ab,", "a,b,", "a,,b", strings.Repeat("a,", 20), strings.Repeat("a,", 21)} {
		h := hashParts(bytes.Split([]byte(parts), []byte(","))...)
		if other, there := seen[h]; there {
			t.Errorf("%q and %q have one hash", parts, other)
		}
		seen[h] = parts
	}
}

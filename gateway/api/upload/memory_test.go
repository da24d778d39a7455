// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Bodies count while they are held, those that found no room included, and not after that.
func TestMemoryIsBounded(t *testing.T) {
	m := &memory{max: 10}
	first, second := m.holdBody(strings.NewReader("123456")), m.holdBody(strings.NewReader("123456"))
	if _, err := io.ReadAll(first); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(second); !errors.Is(err, problem.ErrMemoryFull) || len(got) > 0 {
		t.Errorf("%q, %v", got, err)
	}
	second.releaseMemory()
	first.releaseMemory()
	third := m.holdBody(strings.NewReader("1234567890"))
	if got, err := io.ReadAll(third); err != nil || len(got) != 10 {
		t.Errorf("after the others are gone: %q, %v", got, err)
	}
	if third.releaseMemory(); m.used.Load() != 0 {
		t.Errorf("%d bytes are still counted", m.used.Load())
	}
}

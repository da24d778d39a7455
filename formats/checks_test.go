// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"errors"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestCheckOnce: what was found good is not checked again, and nothing else passes for it: another kind, other parts, the same octets parted elsewhere,
// what was refused before.
func TestCheckOnce(t *testing.T) {
	if err := formats.RememberChecks(16); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(formats.ForgetChecks)
	calls, refusal := 0, error(nil)
	check := func(kind string, parts ...string) error {
		var octets [][]byte
		for _, p := range parts {
			octets = append(octets, []byte(p))
		}
		return formats.CheckOnce(kind, func() error { calls++; return refusal }, octets...)
	}
	for range 2 {
		if err := check("kind", "ab", "c"); err != nil || calls != 1 {
			t.Errorf("%v, checked %d times", err, calls)
		}
	}
	refusal = errors.New("refused")
	for _, other := range [][]string{{"other", "ab", "c"}, {"kind", "a", "bc"}, {"kind", "abc"}, {"kind", "ab", "c", ""}, {"kindab", "c"}, {"kind", "ab", "d"}} {
		for range 2 {
			calls = 0
			if err := check(other[0], other[1:]...); !errors.Is(err, refusal) || calls != 1 {
				t.Errorf("%q: %v, checked %d times", other, err, calls)
			}
		}
	}
	formats.ForgetChecks()
	if err := check("kind", "ab", "c"); !errors.Is(err, refusal) {
		t.Error("it is remembered by a process that remembers nothing")
	}
}

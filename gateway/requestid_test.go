// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"strings"
	"testing"
)

func TestNewRequestID(t *testing.T) {
	t.Parallel()
	for _, sane := range []string{"a", "build-7.2_x", strings.Repeat("x", 64)} {
		if got := NewRequestID(sane); got != sane {
			t.Errorf("%q became %q", sane, got)
		}
	}
	seen := map[string]bool{}
	for _, strange := range []string{"", "a b", "a\nb", "ä", "a=b", strings.Repeat("x", 65), "\x00"} {
		got := NewRequestID(strange)
		if got == strange || len(got) < 16 || seen[got] {
			t.Errorf("%q became %q", strange, got)
		}
		seen[got] = true
	}
	if id := RequestID(WithRequestID(t.Context(), "x")); id != "x" || RequestID(t.Context()) != "" {
		t.Errorf("%q", id)
	}
}

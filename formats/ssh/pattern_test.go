// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"regexp"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func meter(t testing.TB) *formats.Meter {
	t.Helper()
	m, err := formats.StartWork(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMatchList(t *testing.T) {
	for _, c := range []struct {
		s, list string
		want    bool
	}{
		{"a@example.org", "a@example.org", true},
		{"a@example.org", "*@example.org", true},
		{"a@example.org", "?@example.org", true},
		{"ab@example.org", "?@example.org", false},
		{"a@example.org", "b,*", true},
		{"a@example.org", "*,!a@*", false},
		{"a@example.org", "!b", false},
		{"a@example.org.evil", "*@example.org", false},
		{"A", "a", false},
		{"", "*", true},
		{"", "", true},
		{"a", "", false},
		{"a[b", "a[b", true},
		{"aXbXc", "a*X*c", true},
		{"abab", "*ab", true},
		{"x", "**", true},
	} {
		if got, err := matchList(meter(t), c.s, c.list); err != nil || got != c.want {
			t.Errorf("%q against %q: %v", c.s, c.list, got)
		}
	}
}

// FuzzMatchPattern compares with the same pattern as a regular expression.
func FuzzMatchPattern(f *testing.F) {
	f.Add("a@example.org", "*@example.?rg")
	f.Add("aaaab", "*a*a*b")
	f.Fuzz(func(t *testing.T, s, pattern string) {
		if len(s)+len(pattern) > 200 || strings.ToValidUTF8(s+pattern, "") != s+pattern || !isASCII(s+pattern) {
			return // a regular expression's "." is a rune; here it is a byte
		}
		quoted := regexp.QuoteMeta(pattern)
		quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, ".*"), `\?`, ".")
		want := regexp.MustCompile(`(?s)\A` + quoted + `\z`).MatchString(s)
		if got := matchPattern(s, pattern); got != want {
			t.Errorf("%q against %q: %v, want %v", s, pattern, got, want)
		}
	})
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) }

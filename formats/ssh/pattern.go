// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// matchList reports whether s matches a pattern list (ssh_config(5), "PATTERNS"): at least
// one of the patterns separated by commas, and none of those after a "!".
func matchList(m *formats.Meter, s, list string) (bool, error) {
	found := false
	for pattern := range strings.SplitSeq(list, ",") {
		if err := m.ChargeMatch(len(s), len(pattern)); err != nil {
			return false, err
		}
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matchPattern(s, pattern) {
			continue
		}
		if negated {
			return false, nil
		}
		found = true
	}
	return found, nil
}

// matchPattern matches "*" (any characters) and "?" (one). On a mismatch it goes back to the
// last "*" only, which suffices and keeps the time at len(s)·len(pattern).
func matchPattern(s, pattern string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(pattern) && pattern[j] == '*':
			star, mark = j, i
			j++
		case j < len(pattern) && (pattern[j] == '?' || pattern[j] == s[i]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	return strings.Trim(pattern[j:], "*") == ""
}

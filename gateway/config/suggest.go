// SPDX-License-Identifier: Apache-2.0

package config

import "fmt"

// DidYouMean returns ` (did you mean "x"?)` for the known word closest to the one typed, or
// "" when none is close: at most a third of its letters differ.
func DidYouMean(typed string, known []string) string {
	best, least := "", len(typed)/3+2
	for _, word := range known {
		if d := editDistance(typed, word); d < least {
			best, least = word, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

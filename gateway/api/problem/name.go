// SPDX-License-Identifier: Apache-2.0

package problem

import "strconv"

// QuoteName returns a name that a client gave to a part, a field or a parameter, fit for a problem's message: in
// quotes, with other characters than printable ASCII escaped, and cut where it is long.
func QuoteName(name string) string {
	const longest = 64
	if len(name) > longest {
		return strconv.QuoteToASCII(name[:longest]) + "…"
	}
	return strconv.QuoteToASCII(name)
}

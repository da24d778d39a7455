// SPDX-License-Identifier: Apache-2.0

package receipt

// TrustOf returns why a field, as in the list of fields, is believed; "" for a field that is not listed by
// itself.
func TrustOf(path string) string { return string(fields[path]) }

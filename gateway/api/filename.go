// SPDX-License-Identifier: Apache-2.0

package api

import (
	"mime"
	"strings"
)

// maxName bounds the name of an artifact in that of its receipt, in bytes.
const maxName = 150

// receiptDisposition returns the Content-Disposition of the receipt of an artifact called name, which a client chose;
// "" is not known. verify looks for ARTIFACT.receipt.json.
func receiptDisposition(name string) string {
	file := "receipt.json"
	if clean := cleanFileName(name); clean != "" {
		file = clean + ".receipt.json"
	}
	return mime.FormatMediaType("attachment", map[string]string{"filename": file})
}

// cleanFileName returns what every file system and shell takes for a plain file name.
func cleanFileName(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("._-+~", r):
			return r
		}
		return '_'
	}, name)
	clean = strings.TrimLeft(clean, ".-~") // no hidden file, no option, nobody's home
	return clean[:min(len(clean), maxName)]
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Bounds on a submission's labels.
const (
	MaxLabels     = 16
	MaxLabelName  = 63  // bytes
	MaxLabelValue = 255 // bytes
)

// CheckLabels refuses labels that are over the bounds or not text, with ReasonMalformedLabel.
func CheckLabels(labels map[string]string) error {
	if len(labels) > MaxLabels {
		return formats.NewError(ReasonMalformedLabel, "there are more than 16 labels", "send fewer")
	}
	for k, v := range labels {
		if k == "" || len(k) > MaxLabelName || len(v) > MaxLabelValue || !isText(k) || !isText(v) {
			return formats.NewError(ReasonMalformedLabel, "a label's name is empty, or its name or value too long, not UTF-8 or with control characters",
				"write name=value, the name of at most 63 bytes and the value of at most 255")
		}
	}
	return nil
}

// isText reports whether s is UTF-8 without control characters.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

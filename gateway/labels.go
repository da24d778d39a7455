// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Bounds on a submission's labels.
const (
	MaxLabels     = 16
	MaxLabelName  = 63  // bytes
	MaxLabelValue = 255 // bytes
)

// ReasonMalformedLabel: too many labels, or one that is too long or not text.
const ReasonMalformedLabel formats.Reason = "MALFORMED_LABEL"

func checkLabels(labels map[string]string) error {
	if len(labels) > MaxLabels {
		return formats.NewError(ReasonMalformedLabel, "there are more than 16 labels", "send fewer")
	}
	for k, v := range labels {
		if k == "" || len(k) > MaxLabelName || len(v) > MaxLabelValue || !utf8.ValidString(k) || !utf8.ValidString(v) {
			return formats.NewError(ReasonMalformedLabel, "a label's name or value is empty, too long or not UTF-8",
				"write name=value, the name of at most 63 bytes and the value of at most 255")
		}
	}
	return nil
}

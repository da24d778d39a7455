// SPDX-License-Identifier: Apache-2.0

package api

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// readQuality returns how much a client likes what is called name, from 0 (not at all, or not named) to 1, as Accept or
// Accept-Encoding says (RFC 9110, section 12.4.2). Wildcards name nothing.
func readQuality(values []string, name string) float64 {
	for one := range strings.SplitSeq(strings.Join(values, ","), ",") {
		called, params, err := mime.ParseMediaType(one)
		if err != nil || called != name {
			continue
		}
		quality, given := params["q"]
		if !given {
			return 1
		}
		if q, err := strconv.ParseFloat(quality, 64); err == nil && q > 0 && q <= 1 {
			return q
		}
		return 0
	}
	return 0
}

// wantsReceipt reports whether the client asks for a receipt alone.
func wantsReceipt(r *http.Request) bool {
	accept := r.Header.Values("Accept")
	q := readQuality(accept, receipt.MediaType)
	return q > 0 && q >= readQuality(accept, jsonType)
}

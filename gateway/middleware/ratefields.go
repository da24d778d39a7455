// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// The fields that tell callers their rate limit, from the IETF's draft-ietf-httpapi-ratelimit-headers. Over gRPC they are
// trailing metadata, in lower case.
const (
	RateLimitField  = "RateLimit"
	RatePolicyField = "RateLimit-Policy"
)

// FormatRatePolicy returns the value of RatePolicyField: the burst, and the seconds in which all of it comes back.
func FormatRatePolicy(d ratelimit.Decision) string {
	return fmt.Sprintf(`"requests";q=%d;w=%d`, d.Limit.Burst, seconds(d.Limit.Window()))
}

// FormatRateLimit returns the value of RateLimitField: the requests that could follow at once, and the seconds until all of
// the burst could.
func FormatRateLimit(d ratelimit.Decision) string {
	return fmt.Sprintf(`"requests";r=%d;t=%d`, d.Remaining, seconds(d.Reset))
}

// seconds are rounded up: whoever waits that long has waited long enough.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// setRateFields tells the decision in the header of an answer; nil is none.
func setRateFields(h http.Header, d *ratelimit.Decision) {
	if d != nil {
		h.Set(RatePolicyField, FormatRatePolicy(*d))
		h.Set(RateLimitField, FormatRateLimit(*d))
	}
}

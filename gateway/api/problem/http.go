// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
)

// contentType is that of RFC 9457 problem details.
const contentType = "application/problem+json"

// details are RFC 9457 problem details with a machine-readable reason.
type details struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

// WriteHTTP answers with p, on one line for build logs. A failure to send is the client's.
func (p Problem) WriteHTTP(w http.ResponseWriter) {
	body := p.EncodeJSON()
	if seconds := p.RetrySeconds(); seconds > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="rekor-gateway"`)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body))) // clients know its end before the connection's
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // #nosec G705 -- JSON, sent as such
}

// RetrySeconds returns after how many seconds the same may be sent again; 0: that is not known.
func (p Problem) RetrySeconds() int { return int(math.Ceil(p.RetryAfter.Seconds())) }

// EncodeJSON returns p as problem details, with a line end. It is text for people as well: nothing is escaped for HTML.
func (p Problem) EncodeJSON() []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(details{http.StatusText(p.Status), p.Status, string(p.Reason), p.Message, p.Hint}) // strings and a number
	return out.Bytes()
}

// HTTPReason returns the reason in an answer that WriteHTTP wrote, or "".
func HTTPReason(header http.Header, body []byte) string {
	var d details
	if header.Get("Content-Type") != contentType || json.Unmarshal(body, &d) != nil {
		return ""
	}
	return d.Reason
}

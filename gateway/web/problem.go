// SPDX-License-Identifier: Apache-2.0

package web

import (
	"encoding/json"
	"net/http"
)

// problem is RFC 9457 problem details with a machine-readable reason, as the API's own.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

const problemType = "application/problem+json"

// The reasons this package gives.
const (
	reasonHost        = "HOST_NOT_ALLOWED"
	reasonCrossOrigin = "CROSS_ORIGIN_REQUEST"
	reasonInternal    = "INTERNAL"
)

func refuse(w http.ResponseWriter, status int, reason, detail, hint string) {
	body, err := json.Marshal(problem{http.StatusText(status), status, reason, detail, hint})
	if err != nil {
		body = []byte(`{"status":500,"reason":"INTERNAL"}`)
	}
	w.Header().Set("Content-Type", problemType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a failure to send is the client's
}

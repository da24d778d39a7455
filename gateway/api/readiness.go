// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// readiness is the body of /readyz.
type readiness struct {
	Status  string         `json:"status"`            // "ready", "degraded" or "not ready"
	Reason  formats.Reason `json:"reason,omitempty"`  // why it is not ready, where that is known
	Message string         `json:"message,omitempty"` // the same in words, without what only the gateway's log says
	Logs    []logTrouble   `json:"logs"`              // those that cannot be used now
	Drift   []Drift        `json:"drift"`             // where gateways on one store do not agree
}

// Drift is where another gateway on the same store differs from this one in what all have to agree on.
type Drift struct {
	Replica string `json:"replica"` // the other one: what its ID begins with
	Part    string `json:"part"`    // what differs
}

type logTrouble struct {
	ID      string `json:"id"`
	Problem string `json:"problem"` // a gateway.Problem
	Message string `json:"message"`
}

// EncodeReadiness returns the status and the body of /readyz. Err is why nothing can be taken; degraded are
// the logs that cannot be used, each with a gateway.Problem. Submissions for them are taken, and wait.
func EncodeReadiness(err error, degraded map[string]string, drift []Drift) (status int, body []byte) {
	r := readiness{Status: "ready", Logs: []logTrouble{}, Drift: append([]Drift{}, drift...)}
	for _, id := range slices.Sorted(maps.Keys(degraded)) {
		r.Logs = append(r.Logs, logTrouble{ID: id, Problem: degraded[id], Message: problem.LogMessage(degraded[id])})
	}
	status = http.StatusOK
	switch {
	case err != nil:
		r.Status, status = "not ready", http.StatusServiceUnavailable
		if p := problem.FromError(err); p.Reason != problem.ReasonInternal { // of that only the gateway's log knows more
			r.Reason, r.Message = p.Reason, p.Message
		}
	case len(r.Logs)+len(r.Drift) > 0:
		r.Status = "degraded"
	}
	body, _ = json.Marshal(r) // of texts alone
	return status, body
}

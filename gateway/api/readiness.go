// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// readiness is the body of /readyz.
type readiness struct {
	Status  string         `json:"status"`            // "ready", "degraded" or "not ready"
	Reason  formats.Reason `json:"reason,omitempty"`  // why it is not ready, or degraded besides logs and drift, where that is known
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
// the logs that cannot be used, each with a gateway.Problem. Submissions for them are taken, and wait. So are those while
// there is a notice, which is told where there is no err.
func EncodeReadiness(err error, degraded map[string]string, drift []Drift, notices ...error) (status int, body []byte) {
	r := readiness{Status: "ready", Logs: []logTrouble{}, Drift: append([]Drift{}, drift...)}
	for _, id := range slices.Sorted(maps.Keys(degraded)) {
		r.Logs = append(r.Logs, logTrouble{ID: id, Problem: degraded[id], Message: problem.LogMessage(degraded[id])})
	}
	status = http.StatusOK
	told := errors.Join(notices...)
	if err != nil {
		told = err
	}
	if told != nil {
		if p := problem.FromError(told); p.Reason != problem.ReasonInternal { // of that only the gateway's log knows more
			r.Reason, r.Message = p.Reason, p.Message
		}
	}
	switch {
	case err != nil:
		r.Status, status = "not ready", http.StatusServiceUnavailable
	case len(r.Logs)+len(r.Drift) > 0 || told != nil:
		r.Status = "degraded"
	}
	body, _ = json.Marshal(r) // of texts alone
	return status, body
}

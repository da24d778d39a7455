// SPDX-License-Identifier: Apache-2.0

// Package audit writes the audit trail to a file: a line of JSON for each record.
package audit

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// line is a record as it is written. docs/operations.md lists the fields.
type line struct {
	Time       string   `json:"time"`
	Event      string   `json:"event"`
	Caller     string   `json:"caller,omitempty"`
	Tenant     string   `json:"tenant,omitempty"`
	Address    string   `json:"address,omitempty"`
	RequestID  string   `json:"requestId,omitempty"`
	Submission string   `json:"submissionId,omitempty"`
	Signers    []string `json:"signers,omitempty"`
	Artifacts  []string `json:"artifactDigests,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Detail     string   `json:"detail,omitempty"`
	Count      int      `json:"count,omitempty"`
}

// encodeLine returns the record with the line's end.
func encodeLine(r *gateway.AuditRecord) ([]byte, error) {
	l := line{
		Time: r.Time.UTC().Format(time.RFC3339Nano), Event: string(r.Event), Caller: r.Caller, Tenant: r.Tenant, Address: r.Address,
		RequestID: r.RequestID, Submission: r.Submission, Reason: string(r.Reason), Detail: r.Detail, Count: r.Count,
	}
	for _, id := range r.Signers {
		l.Signers = append(l.Signers, "sha256:"+hex.EncodeToString(id[:]))
	}
	for _, d := range r.Artifacts {
		l.Artifacts = append(l.Artifacts, d.String())
	}
	b, err := json.Marshal(l)
	return append(b, '\n'), err
}

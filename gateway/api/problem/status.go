// SPDX-License-Identifier: Apache-2.0

package problem

import (
	"bytes"
	"encoding/json"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// rpcStatus is google.rpc.Status as grpc-gateway writes it.
type rpcStatus struct {
	Code    codes.Code `json:"code"`
	Message string     `json:"message"`
	Details []string   `json:"details"` // none
}

// joinWords returns all that a problem says, for clients that show a message and nothing else.
func joinWords(reason, message, hint string) string {
	if reason != "" {
		message = reason + ": " + message
	}
	if hint != "" {
		message += "; " + hint
	}
	return message
}

// ConvertToStatus returns what WriteHTTP has written, header and body, as google.rpc.Status in JSON, with the reason and the hint in
// its message; nil for what it has not written.
func ConvertToStatus(header http.Header, body []byte) []byte {
	var d details
	if header.Get("Content-Type") != contentType || json.Unmarshal(body, &d) != nil {
		return nil
	}
	r, ok := rows[formats.Reason(d.Reason)]
	if !ok {
		r = failed
	}
	return encodePlain(rpcStatus{r.code, joinWords(d.Reason, d.Detail, d.Hint), []string{}})
}

// rekorV1Error is how Rekor v1 refuses: with the HTTP status.
type rekorV1Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// ConvertToRekorV1 returns what WriteHTTP has written with a status as Rekor v1's server writes it; else it is as ConvertToStatus.
func ConvertToRekorV1(header http.Header, status int, body []byte) []byte {
	var d details
	if header.Get("Content-Type") != contentType || json.Unmarshal(body, &d) != nil {
		return nil
	}
	return encodePlain(rekorV1Error{status, joinWords(d.Reason, d.Detail, d.Hint)})
}

// encodePlain returns v, of strings and numbers, as JSON whose characters are as they are.
func encodePlain(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return out.Bytes()
}

// IsProblem reports whether an answer with this header has problem details for its body.
func IsProblem(header http.Header) bool { return header.Get("Content-Type") == contentType }

// WithWordsInMessage returns the status err with its reason and hint in its message. A nil err stays nil.
func WithWordsInMessage(err error) error {
	info := findInfo(err)
	if info == nil {
		return err
	}
	s := status.Convert(err)
	out := status.New(s.Code(), joinWords(info.GetReason(), s.Message(), info.GetMetadata()["hint"]))
	var kept []protoadapt.MessageV1
	for _, d := range s.Details() {
		if m, ok := d.(protoadapt.MessageV1); ok {
			kept = append(kept, m)
		}
	}
	if detailed, derr := out.WithDetails(kept...); derr == nil {
		out = detailed
	}
	return out.Err()
}

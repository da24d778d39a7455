// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"net/http"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func writeMessage(w http.ResponseWriter, status int, m proto.Message) error {
	body, err := marshalJSON(m)
	if err != nil {
		return err
	}
	return writeJSON(w, status, body)
}

// writeJSON sends body with a line end. A failure to send is the client's, and no error.
func writeJSON(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body[:len(body):len(body)], '\n')) // #nosec G705 -- JSON, sent as such
	return nil
}

// marshalJSON is protobuf's JSON without the white space it varies on purpose.
func marshalJSON(m proto.Message) ([]byte, error) {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

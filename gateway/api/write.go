// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
)

const jsonType = "application/json"

// minPacked is the least size of an answer that is compressed, in bytes.
const minPacked = 1 << 10

// writeMessage sends m, which is small.
func (h *httpServer) writeMessage(w http.ResponseWriter, r *http.Request, m proto.Message) error {
	body, err := marshalJSON(m)
	if err != nil {
		return err
	}
	return h.writeJSON(w, r, http.StatusOK, body)
}

func (h *httpServer) writeJSON(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	return h.writeBody(w, r, status, jsonType, body)
}

// writeBody sends body with a line end, compressed where the client likes that. What is asked for with GET has an entity
// tag, and is not sent to whoever has it already. A failure to send is the client's, and no error.
func (h *httpServer) writeBody(w http.ResponseWriter, r *http.Request, status int, mediaType string, body []byte) error {
	body = bytes.TrimSuffix(body, lineEnd)
	header := w.Header()
	header.Set("Content-Type", mediaType)
	header.Add("Vary", "Accept-Encoding")
	if status == http.StatusOK && r.Method != http.MethodPost {
		tag := makeTag(body)
		header.Set("ETag", tag)
		header.Set("Cache-Control", "private, no-cache") // a caller's own, and it changes
		if matchesTag(r.Header.Values("If-None-Match"), tag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	end := lineEnd
	if len(body) >= minPacked && readQuality(r.Header.Values("Accept-Encoding"), "gzip") > 0 {
		var err error
		if body, err = h.packBody(r, body); err != nil {
			return err
		}
		header.Set("Content-Encoding", "gzip")
		end = nil
	}
	header.Set("Content-Length", strconv.Itoa(len(body)+len(end)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // #nosec G705 -- JSON, sent as such
	_, _ = w.Write(end)
	return nil
}

var lineEnd = []byte{'\n'}

// packBody returns body and a line end, compressed.
func (h *httpServer) packBody(r *http.Request, body []byte) ([]byte, error) {
	return build(r.Context(), h.answers, func() ([]byte, error) {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		for _, part := range [][]byte{body, lineEnd} {
			if _, err := w.Write(part); err != nil {
				return nil, err
			}
		}
		err := w.Close()
		return out.Bytes(), err
	}, func(packed []byte) int { return cap(packed) })
}

// makeTag returns a weak entity tag: compressed or not, the answer is the same.
func makeTag(body []byte) string {
	sum := sha256.Sum256(body)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
}

// matchesTag reports whether one of the tags in If-None-Match is tag.
func matchesTag(values []string, tag string) bool {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") { // ours have no comma
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

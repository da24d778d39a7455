// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

var (
	errRekorTooLarge = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the request is larger than %d KiB", MaxRekorJSON>>10),
		"a log's entry has 64 KiB at most: send the digest, the signature and the signer's key or certificate alone")
	errRekorJSON   = problem.Malformed("the body is not the JSON of a Rekor v2 CreateEntryRequest", "send what Rekor v2 takes: hashedRekordRequestV002 with digest and signature")
	errRekorTokens = problem.Malformed(fmt.Sprintf("the JSON has more than %d names and values", MaxRekorTokens), "send one entry: a digest, its signature and the signer's key or certificate")
)

// ReadRekorJSON reads the JSON of a request of Rekor's own API. It is within the bounds, and JSON; what it says nobody has looked at. held counts what
// is held of it, and what decoding it takes, until it is closed.
func (r *Reader) ReadRekorJSON(req *http.Request, control *http.ResponseController) (raw []byte, held *gateway.Held, err error) {
	held = gateway.HeldFrom(req.Context()).Part()
	raw, err = readHeld(r.timeBody(req, req.Body, control), MaxRekorJSON, held)
	switch {
	case err != nil:
	case len(raw) > MaxRekorJSON:
		err = errRekorTooLarge
	default:
		if err = held.Grow(int64(cap(raw)) * JSONCopies); err == nil {
			err = checkRekorJSON(raw)
		}
	}
	if err != nil {
		held.Close()
		return nil, nil, err
	}
	return raw, held, nil
}

// checkRekorJSON refuses what is no JSON, and what would become many times its size when it is decoded.
func checkRekorJSON(raw []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	for range MaxRekorTokens {
		if _, err := dec.ReadToken(); err == io.EOF { //nolint:errorlint // jsontext's own
			return nil
		} else if err != nil {
			return errRekorJSON
		}
	}
	return errRekorTokens
}

// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// jsonSubmission is the JSON form of a submission; bytes are base64.
type jsonSubmission struct {
	Signature      []byte            `json:"signature"`
	Keys           [][]byte          `json:"keys"`
	Artifact       *[]byte           `json:"artifact"`
	Format         string            `json:"format"`
	Digest         string            `json:"digest"`
	SignedDigest   string            `json:"signedDigest"`
	Representation string            `json:"representation"`
	Labels         map[string]string `json:"labels"`
	Decompress     string            `json:"decompress"`
	Publish        bool              `json:"publishCertificate"`
}

// readJSON reads one JSON object. Its bytes are counted until the submission is closed.
func (r *Reader) readJSON(body io.Reader) (*Submission, error) {
	held := r.memory.holdBody(body)
	parsed, err := parseJSON(held)
	if err != nil {
		held.releaseMemory()
		return nil, err
	}
	parsed.release = held.releaseMemory
	return parsed, nil
}

func parseJSON(body io.Reader) (*Submission, error) {
	raw, err := io.ReadAll(io.LimitReader(body, MaxJSON+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxJSON {
		return nil, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the JSON is larger than %d MiB", MaxJSON>>20), "send it as multipart/form-data")
	}
	var s jsonSubmission
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, explainJSONError(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, problem.Malformed("there is something after the JSON object", "send one object")
	}
	out := &Submission{Header: Header{
		Signature: s.Signature, Keys: s.Keys, Format: s.Format, Digest: s.Digest, SignedDigest: s.SignedDigest,
		Representation: s.Representation, Labels: s.Labels, Decompress: s.Decompress, PublishCertificate: s.Publish,
	}}
	if s.Artifact != nil {
		out.Artifact = formats.FromReader(bytes.NewReader(*s.Artifact))
	}
	return out, nil
}

// explainJSONError names the unknown field; other texts of the decoder are not for callers.
func explainJSONError(err error) error {
	const longest = 100 // of a text that is passed on
	field, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	if unknown && len(err.Error()) < longest {
		return formats.WrapError(err, problem.ReasonMalformedRequest, "there is no field "+field,
			"use signature, keys, artifact, digest, signedDigest, format, representation, decompress, publishCertificate and labels")
	}
	return formats.WrapError(err, problem.ReasonMalformedRequest, "the body is not the JSON this takes",
		"signature, keys and artifact are base64; see /openapi.json")
}

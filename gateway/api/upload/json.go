// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// jsonSubmission is the JSON form of a submission; bytes are base64.
type jsonSubmission struct {
	Signature      []byte     `json:"signature"`
	Keys           jsonKeys   `json:"keys"`
	Artifact       *[]byte    `json:"artifact"`
	Format         string     `json:"format"`
	Digest         string     `json:"digest"`
	SignedDigest   string     `json:"signedDigest"`
	Representation string     `json:"representation"`
	Labels         jsonLabels `json:"labels"`
	Decompress     string     `json:"decompress"`
	Publish        bool       `json:"publishCertificate"`
}

// jsonKeys are as many keys as a form may have parts. Empty ones take ten times their size.
type jsonKeys [][]byte

// UnmarshalJSON implements json.Unmarshaler.
func (k *jsonKeys) UnmarshalJSON(raw []byte) error {
	if bytes.Count(raw, []byte{','}) >= MaxParts { // base64 has no commas
		return problem.Malformed(fmt.Sprintf("there are more than %d keys", MaxParts), "send the signer's key alone")
	}
	return json.Unmarshal(raw, (*[][]byte)(k))
}

// jsonLabels are labels of at most MaxJSONLabels bytes. Short ones take ten times their size.
type jsonLabels map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (l *jsonLabels) UnmarshalJSON(raw []byte) error {
	if len(raw) > MaxJSONLabels {
		return formats.NewError(gateway.ReasonMalformedLabel, fmt.Sprintf("the labels are larger than %d KiB", MaxJSONLabels>>10), "send fewer")
	}
	return json.Unmarshal(raw, (*map[string]string)(l))
}

// jsonBody counts what the decoder makes of it before the decoder gets it.
type jsonBody struct {
	src  io.Reader
	held *gateway.Held
	read int64
	err  error // of the first Read that failed, save io.EOF
}

// jsonStep bounds one read, and so what is counted before it is there.
const jsonStep = 64 << 10

func (b *jsonBody) Read(p []byte) (int, error) {
	p = p[:min(len(p), jsonStep)]
	if err := b.held.Grow(int64(len(p)) * JSONCopies); err != nil {
		b.err = err
		return 0, err
	}
	n, err := b.src.Read(p)
	b.held.Shrink(int64(len(p)-n) * JSONCopies)
	if b.read += int64(n); b.read > MaxJSON {
		err = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the JSON is larger than %d MiB", MaxJSON>>20), "send it as multipart/form-data")
	}
	if err != io.EOF { //nolint:errorlint // a wrapped one is a failure
		b.err = err
	}
	return n, err
}

// readJSON reads one JSON object. What is left of it is counted until the submission is closed.
func readJSON(body io.Reader, held *gateway.Held) (*Submission, error) {
	src := &jsonBody{src: body, held: held}
	out, err := parseJSON(src)
	if src.err != nil {
		return nil, src.err
	}
	if err != nil {
		return nil, err
	}
	held.Shrink(src.read * (JSONCopies - 1))
	return out, nil
}

func parseJSON(body io.Reader) (*Submission, error) {
	var s jsonSubmission
	dec := json.NewDecoder(body)
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
	if isOwn(err) {
		return err
	}
	const longest = 100 // of a text that is passed on
	field, unknown := strings.CutPrefix(err.Error(), "json: unknown field ")
	if unknown && len(err.Error()) < longest {
		return formats.WrapError(err, problem.ReasonMalformedRequest, "there is no field "+field,
			"use signature, keys, artifact, digest, signedDigest, format, representation, decompress, publishCertificate and labels")
	}
	return formats.WrapError(err, problem.ReasonMalformedRequest, "the body is not the JSON this takes",
		"signature, keys and artifact are base64; see /openapi.json")
}

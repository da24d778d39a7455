// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

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

// readJSON reads one JSON object. What is left of it is counted until the submission is closed. ref gets what its sender calls
// it, as far as that was read, also beside an error; nil: it has no such field.
func readJSON(body io.Reader, held *gateway.Held, ref *string) (*Submission, error) {
	src := &jsonBody{src: body, held: held}
	out, err := parseJSON(src, ref)
	if src.err != nil {
		return nil, src.err
	}
	if err != nil {
		return nil, err
	}
	held.Shrink(src.read * (JSONCopies - 1))
	return out, nil
}

// parseJSON reads the object member by member, so that no value becomes more than its text: what is not expected
// is refused where it begins.
func parseJSON(body io.Reader, ref *string) (*Submission, error) {
	r := jsonReader{dec: jsontext.NewDecoder(body), ref: ref}
	if err := r.readObject(r.readMember); err != nil {
		return nil, explainJSONError(err)
	}
	if _, err := r.dec.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext's own
		return nil, problem.Malformed("there is something after the JSON object", "send one object")
	}
	return &r.out, nil
}

// jsonReader reads a submission as JSON. Its decoder refuses names that are there twice.
type jsonReader struct {
	dec *jsontext.Decoder
	out Submission
	ref *string // as readJSON has it
}

// errJSONKind: a value is of another kind than its member's.
var errJSONKind = errors.New("not the kind of value that belongs here")

// readObject calls read for each member, which reads its value.
func (r *jsonReader) readObject(read func(name string) error) error {
	if r.dec.PeekKind() != jsontext.KindBeginObject {
		return r.wrongKind()
	}
	return r.readUntil(jsontext.KindEndObject, func() error {
		name, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		return read(name.String())
	})
}

// readUntil reads the opening token, calls read until the closing one comes, and reads that.
func (r *jsonReader) readUntil(end jsontext.Kind, read func() error) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != end {
		if err := read(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// wrongKind is the error where another kind of value comes, or none.
func (r *jsonReader) wrongKind() error {
	if r.dec.PeekKind() == jsontext.KindInvalid {
		_, err := r.dec.ReadToken()
		return err
	}
	return errJSONKind
}

// readMember reads the value of a member of the submission. null is as good as absent.
func (r *jsonReader) readMember(name string) error {
	h := &r.out.Header
	if name == "ref" && r.ref != nil {
		return r.readText(r.ref)
	}
	switch name {
	case "signature":
		return r.readBytes(&h.Signature)
	case "keys":
		return r.readKeys()
	case "artifact":
		var artifact []byte
		if err := r.readBytes(&artifact); err != nil || artifact == nil {
			return err
		}
		r.out.Artifact = formats.FromReader(bytes.NewReader(artifact))
		return nil
	case "digest":
		return r.readText(&h.Digest)
	case "signedDigest":
		return r.readText(&h.SignedDigest)
	case "format":
		return r.readText(&h.Format)
	case "representation":
		return r.readText(&h.Representation)
	case "way":
		return r.readText(&h.Way)
	case "decompress":
		return r.readText(&h.Decompress)
	case "signatures":
		return r.readText(&h.Signatures)
	case "priority":
		return r.readText(&h.Priority)
	case "publishCertificate":
		return r.readBool(&h.PublishCertificate)
	case "labels":
		return r.readLabels()
	}
	return problem.Malformed("there is no field "+problem.QuoteName(name),
		"use signature, keys, artifact, digest, signedDigest, format, representation, way, decompress, signatures, priority, publishCertificate and labels, in this letter case")
}

// readString returns the next string as it is written, or nil for null. It is good until the next read.
func (r *jsonReader) readString() (jsontext.Value, error) {
	switch r.dec.PeekKind() {
	case jsontext.KindNull:
		_, err := r.dec.ReadToken()
		return nil, err
	case jsontext.KindString:
		return r.dec.ReadValue()
	}
	return nil, r.wrongKind()
}

func (r *jsonReader) readText(to *string) error {
	raw, err := r.readString()
	if err != nil || raw == nil {
		return err
	}
	text, err := jsontext.AppendUnquote(nil, raw)
	if err == nil && len(text) > MaxField {
		err = formats.NewError(formats.ReasonTooLarge, "a text field is too large", "send the value alone; files go as signature, key and artifact")
	}
	if err == nil {
		*to = string(text)
	}
	return err
}

func (r *jsonReader) readBytes(to *[]byte) error {
	raw, err := r.readString()
	if err != nil || raw == nil {
		return err
	}
	text := []byte(raw[1 : len(raw)-1])
	if bytes.IndexByte(text, '\\') >= 0 {
		if text, err = jsontext.AppendUnquote(nil, raw); err != nil {
			return err
		}
	}
	*to, err = decodeBase64(text)
	return err
}

// decodeBase64 decodes base64 and base64url, with or without padding.
func decodeBase64(text []byte) ([]byte, error) {
	encoding := base64.StdEncoding
	if bytes.ContainsAny(text, "-_") {
		encoding = base64.URLEncoding
	}
	if text = bytes.TrimRight(text, "\r\n"); !bytes.HasSuffix(text, []byte("=")) {
		encoding = encoding.WithPadding(base64.NoPadding)
	}
	out := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Decode(out, text)
	return out[:n], err
}

func (r *jsonReader) readBool(to *bool) error {
	if k := r.dec.PeekKind(); k != jsontext.KindTrue && k != jsontext.KindFalse && k != jsontext.KindNull {
		return r.wrongKind()
	}
	token, err := r.dec.ReadToken()
	*to = token.Kind() == jsontext.KindTrue
	return err
}

// readKeys reads as many keys as a form may have parts. Empty ones take ten times their size.
func (r *jsonReader) readKeys() error {
	switch r.dec.PeekKind() {
	case jsontext.KindNull:
		_, err := r.dec.ReadToken()
		return err
	case jsontext.KindBeginArray:
	default:
		return r.wrongKind()
	}
	return r.readUntil(jsontext.KindEndArray, func() error {
		h := &r.out.Header
		if len(h.Keys) >= MaxParts {
			return problem.Malformed(fmt.Sprintf("there are more than %d keys", MaxParts), "send the signer's key alone")
		}
		var key []byte
		err := r.readBytes(&key)
		h.Keys = append(h.Keys, key)
		return err
	})
}

// readLabels reads labels of at most MaxJSONLabels bytes. Short ones take ten times their size.
func (r *jsonReader) readLabels() error {
	if r.dec.PeekKind() == jsontext.KindNull {
		_, err := r.dec.ReadToken()
		return err
	}
	labels, start := map[string]string{}, r.dec.InputOffset()
	r.out.Header.Labels = labels
	return r.readObject(func(name string) error {
		var value string
		if err := r.readText(&value); err != nil {
			return err
		}
		labels[name] = value
		if r.dec.InputOffset()-start > MaxJSONLabels {
			return formats.NewError(gateway.ReasonMalformedLabel, fmt.Sprintf("the labels are larger than %d KiB", MaxJSONLabels>>10), "send fewer")
		}
		return nil
	})
}

// explainJSONError says what the decoder found, where that helps; its texts are not for callers.
func explainJSONError(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case isOwn(err):
		return err
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return formats.WrapError(err, problem.ReasonMalformedRequest, "the field "+problem.QuoteName(syntax.JSONPointer.LastToken())+" is there twice", "send it once")
	}
	return formats.WrapError(err, problem.ReasonMalformedRequest, "the body is not the JSON this takes",
		"signature, keys and artifact are base64; see /openapi.json")
}

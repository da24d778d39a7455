// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Bounds on a form, beside the formats' own.
const (
	maxField = 4 << 10 // bytes of a text field
	maxParts = 64
)

// form reads a multipart submission part by part.
type form struct {
	reader *multipart.Reader
	header header
	parts  int
}

func newForm(body io.Reader, boundary string) (*form, error) {
	if boundary == "" {
		return nil, malformed("the content type has no boundary", "let the HTTP client set the content type")
	}
	return &form{reader: multipart.NewReader(body, boundary)}, nil
}

// next reads fields until an artifact part or the end; then the part is nil.
func (f *form) next() (*multipart.Part, error) {
	for {
		part, err := f.reader.NextRawPart()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, formError(err)
		}
		if f.parts++; f.parts > maxParts {
			return nil, malformed("there are more than 64 parts", "send the signer's key alone")
		}
		if part.FormName() == "artifact" {
			return part, nil
		}
		if err := f.field(part); err != nil {
			return nil, err
		}
	}
}

// formError tells a cut or garbled form from a connection that broke or a limit that was hit.
func formError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || formats.ReasonOf(err) != "" {
		return err
	}
	return formats.WrapError(err, ReasonMalformedRequest, "the form is cut off or malformed", "send it as curl -F does")
}

func (f *form) field(part *multipart.Part) error {
	h := &f.header
	switch name := part.FormName(); name {
	case "signature":
		return setOnce(part, &h.signature)
	case "key":
		return h.key(part)
	case "digest":
		return setText(part, &h.digest)
	case "signed_digest":
		return setText(part, &h.signedDigest)
	case "format":
		return setText(part, &h.format)
	case "representation":
		return setText(part, &h.representation)
	case "decompress":
		return setText(part, &h.decompress)
	case "publish_certificate":
		return setBool(part, &h.publish)
	case "label":
		return h.label(part)
	default:
		return malformed("there is an unknown part in the form",
			"use signature, key, artifact, digest, signed_digest, format, representation, decompress, publish_certificate and label")
	}
}

// key adds a key file; all of them together take no more memory than the largest one may.
func (h *header) key(part *multipart.Part) error {
	left := int64(formats.MaxKeySize)
	for _, k := range h.keys {
		left -= int64(len(k))
	}
	key, err := readPart(part, left)
	h.keys = append(h.keys, key)
	return err
}

func (h *header) label(part *multipart.Part) error {
	raw, err := readPart(part, maxField)
	if err != nil {
		return err
	}
	name, value, ok := strings.Cut(string(raw), "=")
	if !ok {
		return malformed("a label is not name=value", "write it as: -F label=name=value")
	}
	if h.labels == nil {
		h.labels = map[string]string{}
	}
	h.labels[name] = value
	return nil
}

func setOnce(part *multipart.Part, to *[]byte) error {
	if *to != nil {
		return malformed("there are two signatures", "send one submission per signature")
	}
	raw, err := readPart(part, formats.MaxSignatureSize)
	*to = raw
	return err
}

func setText(part *multipart.Part, to *string) error {
	raw, err := readPart(part, maxField)
	if *to != "" {
		return malformed("the field "+part.FormName()+" is there twice", "send it once")
	}
	*to = strings.TrimSpace(string(raw))
	return err
}

func setBool(part *multipart.Part, to *bool) error {
	raw, err := readPart(part, maxField)
	if err != nil {
		return err
	}
	if *to, err = strconv.ParseBool(strings.TrimSpace(string(raw))); err != nil {
		return malformed("the field "+part.FormName()+" is neither true nor false", "write true or false")
	}
	return nil
}

func readPart(part *multipart.Part, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil {
		return nil, formError(err)
	}
	if int64(len(raw)) > limit {
		return nil, formats.NewError(formats.ReasonTooLarge, "the part "+part.FormName()+" is too large", "is it the right file?")
	}
	return raw, nil
}

// readFields reads a form that has no artifact, or whose artifact does not matter.
func readFields(body io.Reader, boundary string) (header, error) {
	f, err := newForm(body, boundary)
	if err != nil {
		return header{}, err
	}
	for {
		artifact, err := f.next()
		if err != nil || artifact == nil {
			return f.header, err
		}
	}
}

// submitMultipart streams the artifact straight into verification when it is the last part, and
// through a spool file when parts that are needed first come after it.
func (h *httpServer) submitMultipart(ctx context.Context, body io.Reader, boundary string, wait time.Duration) (*pb.SubmitResponse, error) {
	f, err := newForm(body, boundary)
	if err != nil {
		return nil, err
	}
	part, err := f.next()
	if err != nil {
		return nil, err
	}
	if part == nil {
		return submit(ctx, h.service, f.header, wait, func() (formats.Artifact, error) { return formats.Artifact{}, nil })
	}
	artifact := io.Reader(&limitedReader{src: part, left: h.cfg.MaxArtifact})
	if !f.readable(h) {
		spooled, err := h.spool.take(artifact)
		if err != nil {
			return nil, err
		}
		defer spooled.Close() //nolint:errcheck // the file is unlinked already
		if err := f.rest(); err != nil {
			return nil, err
		}
		artifact = spooled
	} else {
		artifact = &lastPart{Reader: artifact, form: f}
	}
	return submit(ctx, h.service, f.header, wait, func() (formats.Artifact, error) { return formats.FromReader(artifact), nil })
}

// readable reports whether the parts so far are enough to begin with: a signature that is
// not refused for the want of a key that may still come.
func (f *form) readable(h *httpServer) bool {
	if f.header.signature == nil {
		return false
	}
	request, err := f.header.request("")
	if err == nil {
		_, err = h.service.Plan(request)
	}
	return formats.ReasonOf(err) != formats.ReasonMissingKey
}

// rest reads the parts after a spooled artifact.
func (f *form) rest() error {
	second, err := f.next()
	if err != nil {
		return err
	}
	if second != nil {
		return malformed("there are two artifacts", "send one submission per artifact")
	}
	return nil
}

// lastPart is an artifact that has to be the form's last part: what came after it would be
// too late to count.
type lastPart struct {
	io.Reader
	form *form
	err  error // of the first Read that failed; decompressors read on after an io.EOF
}

func (l *lastPart) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.Reader.Read(p)
	switch {
	case err == io.EOF:
		l.err = l.end()
	case err != nil:
		l.err = formError(err)
	}
	return n, l.err
}

// end returns io.EOF when the form ends here, too.
func (l *lastPart) end() error {
	switch _, err := l.form.reader.NextRawPart(); {
	case err == io.EOF:
		return io.EOF
	case err != nil:
		return formError(err)
	}
	return malformed("there is a part after the artifact", "send the artifact last, or before the signature")
}

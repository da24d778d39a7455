// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// form reads a multipart submission part by part.
type form struct {
	reader *multipart.Reader
	header Header
	parts  int
}

func newForm(body io.Reader, boundary string) (*form, error) {
	if boundary == "" {
		return nil, problem.Malformed("the content type has no boundary", "let the HTTP client set the content type")
	}
	return &form{reader: multipart.NewReader(body, boundary)}, nil
}

// nextArtifact reads fields until an artifact part or the end; then the part is nil.
func (f *form) nextArtifact() (*multipart.Part, error) {
	for {
		part, err := f.reader.NextRawPart()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, explainFormError(err)
		}
		if f.parts++; f.parts > MaxParts {
			return nil, problem.Malformed(fmt.Sprintf("there are more than %d parts", MaxParts), "send the signer's key alone")
		}
		if part.FormName() == "artifact" {
			return part, nil
		}
		if err := f.readField(part); err != nil {
			return nil, err
		}
	}
}

// explainFormError tells a cut or garbled form from a connection that broke or a limit that was hit.
func explainFormError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || formats.ReasonOf(err) != "" {
		return err
	}
	return formats.WrapError(err, problem.ReasonMalformedRequest, "the form is cut off or malformed", "send it as curl -F does")
}

func (f *form) readField(part *multipart.Part) error {
	h := &f.header
	switch name := part.FormName(); name {
	case "signature":
		return setOnce(part, &h.Signature)
	case "key":
		return h.addKey(part)
	case "digest":
		return setText(part, &h.Digest)
	case "signed_digest":
		return setText(part, &h.SignedDigest)
	case "format":
		return setText(part, &h.Format)
	case "representation":
		return setText(part, &h.Representation)
	case "decompress":
		return setText(part, &h.Decompress)
	case "publish_certificate":
		return setBool(part, &h.PublishCertificate)
	case "label":
		return h.addLabel(part)
	default:
		return problem.Malformed("there is an unknown part in the form",
			"use signature, key, artifact, digest, signed_digest, format, representation, decompress, publish_certificate and label")
	}
}

// addKey adds a key file; all of them together are at most MaxKeys bytes.
func (h *Header) addKey(part *multipart.Part) error {
	left := int64(MaxKeys)
	for _, k := range h.Keys {
		left -= int64(len(k))
	}
	key, err := readPart(part, left)
	h.Keys = append(h.Keys, key)
	return err
}

func (h *Header) addLabel(part *multipart.Part) error {
	raw, err := readPart(part, MaxField)
	if err != nil {
		return err
	}
	name, value, ok := strings.Cut(string(raw), "=")
	if !ok {
		return problem.Malformed("a label is not name=value", "write it as: -F label=name=value")
	}
	if h.Labels == nil {
		h.Labels = map[string]string{}
	}
	h.Labels[name] = value
	return nil
}

func setOnce(part *multipart.Part, to *[]byte) error {
	if *to != nil {
		return problem.Malformed("there are two signatures", "send one submission per signature")
	}
	raw, err := readPart(part, formats.MaxSignatureSize)
	*to = raw
	return err
}

func setText(part *multipart.Part, to *string) error {
	raw, err := readPart(part, MaxField)
	if *to != "" {
		return problem.Malformed("the field "+part.FormName()+" is there twice", "send it once")
	}
	*to = strings.TrimSpace(string(raw))
	return err
}

func setBool(part *multipart.Part, to *bool) error {
	raw, err := readPart(part, MaxField)
	if err != nil {
		return err
	}
	if *to, err = strconv.ParseBool(strings.TrimSpace(string(raw))); err != nil {
		return problem.Malformed("the field "+part.FormName()+" is neither true nor false", "write true or false")
	}
	return nil
}

func readPart(part *multipart.Part, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil {
		return nil, explainFormError(err)
	}
	if int64(len(raw)) > limit {
		return nil, formats.NewError(formats.ReasonTooLarge, "the part "+part.FormName()+" is too large", "is it the right file?")
	}
	return raw, nil
}

// readFields reads a form that has no artifact, or whose artifact does not matter.
func readFields(body io.Reader, boundary string) (*Submission, error) {
	f, err := newForm(body, boundary)
	if err != nil {
		return nil, err
	}
	for {
		artifact, err := f.nextArtifact()
		if err != nil {
			return nil, err
		}
		if artifact == nil {
			return &Submission{Header: f.header}, nil
		}
	}
}

// readForm streams the artifact when the parts before it are enough, and spools it when parts
// that are needed first come after it.
func (r *Reader) readForm(body io.Reader, boundary string, enough func(Header) bool) (*Submission, error) {
	f, err := newForm(body, boundary)
	if err != nil {
		return nil, err
	}
	part, err := f.nextArtifact()
	if err != nil {
		return nil, err
	}
	if part == nil {
		return &Submission{Header: f.header}, nil
	}
	artifact := &artifactPart{part: part, left: r.cfg.MaxArtifact}
	if f.header.Signature != nil && enough(f.header) {
		return &Submission{Header: f.header, Artifact: formats.FromReader(&lastPart{Reader: artifact, form: f})}, nil
	}
	return r.spoolArtifact(f, artifact)
}

// spoolArtifact keeps the artifact in a file while the rest of the form is read.
func (r *Reader) spoolArtifact(f *form, artifact io.Reader) (*Submission, error) {
	spooled, err := r.spool.copyIn(artifact)
	if err != nil {
		return nil, err
	}
	if err := f.readRest(); err != nil {
		_ = spooled.Close() // the file is unlinked already
		return nil, err
	}
	return &Submission{
		Header: f.header, Artifact: formats.FromReader(spooled), release: func() { _ = spooled.Close() },
	}, nil
}

// artifactPart reads an artifact, and fails with errArtifactTooLarge once it had more than left bytes.
type artifactPart struct {
	part io.Reader
	left int64
}

func (a *artifactPart) Read(p []byte) (int, error) {
	n, err := a.part.Read(p)
	if a.left -= int64(n); a.left < 0 {
		return 0, errArtifactTooLarge
	}
	if err != nil && err != io.EOF { //nolint:errorlint // multipart's own; a wrapped one is a failure
		err = explainFormError(err)
	}
	return n, err
}

// readRest reads the parts after a spooled artifact.
func (f *form) readRest() error {
	second, err := f.nextArtifact()
	if err != nil {
		return err
	}
	if second != nil {
		return problem.Malformed("there are two artifacts", "send one submission per artifact")
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
	if l.err = err; err == io.EOF {
		l.err = l.checkEnd()
	}
	return n, l.err
}

// checkEnd returns io.EOF when the form ends here, too.
func (l *lastPart) checkEnd() error {
	switch _, err := l.form.reader.NextRawPart(); {
	case err == io.EOF:
		return io.EOF
	case err != nil:
		return explainFormError(err)
	}
	return problem.Malformed("there is a part after the artifact", "send the artifact last, or before the signature")
}

// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"fmt"
	"io"
	"math"
	"mime/multipart"
	"slices"
	"strconv"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// form reads a multipart submission part by part.
type form struct {
	reader *multipart.Reader
	lines  *lineBound
	header Header
	held   *gateway.Held // of the header
	parts  int
}

func newForm(body io.Reader, boundary string, held *gateway.Held) (*form, error) {
	if boundary == "" {
		return nil, problem.Malformed("the content type has no boundary", "let the HTTP client set the content type")
	}
	if err := held.Grow(FormMemory); err != nil {
		return nil, err
	}
	lines := &lineBound{src: body, left: math.MaxInt64}
	return &form{reader: multipart.NewReader(lines, boundary), lines: lines, held: held}, nil
}

// lineBound bounds what is read while mime/multipart looks for a part and reads its header lines, of which
// it would take 10 MiB.
type lineBound struct {
	src  io.Reader
	left int64
}

func (b *lineBound) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errPartHeader
	}
	n, err := b.src.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

var errPartHeader = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the header of a part is larger than %d KiB", MaxPartHeader>>10),
	"send it as curl -F does")

// nextPart returns the next part, or io.EOF. The one before has been read to its end.
func (f *form) nextPart() (*multipart.Part, error) {
	f.lines.left = MaxPartHeader
	defer func() { f.lines.left = math.MaxInt64 }()
	return f.reader.NextRawPart()
}

// nextArtifact reads fields until an artifact part or the end; then the part is nil.
func (f *form) nextArtifact() (*multipart.Part, error) {
	for {
		part, err := f.nextPart()
		if err == io.EOF { //nolint:errorlint // multipart's own; a wrapped one is a failure
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
	if isOwn(err) {
		return err
	}
	return formats.WrapError(err, problem.ReasonMalformedRequest, "the form is cut off or malformed", "send it as curl -F does")
}

func (f *form) readField(part *multipart.Part) error {
	h := &f.header
	switch name := part.FormName(); name {
	case "signature":
		return f.setOnce(part, &h.Signature)
	case "key":
		return f.addKey(part)
	case "digest":
		return f.setText(part, &h.Digest)
	case "signed_digest":
		return f.setText(part, &h.SignedDigest)
	case "format":
		return f.setText(part, &h.Format)
	case "representation":
		return f.setText(part, &h.Representation)
	case "way":
		return f.setText(part, &h.Way)
	case "decompress":
		return f.setText(part, &h.Decompress)
	case "signatures":
		return f.setText(part, &h.Signatures)
	case "priority":
		return f.setText(part, &h.Priority)
	case "publish_certificate":
		return f.setBool(part, &h.PublishCertificate)
	case "label":
		return f.addLabel(part)
	default:
		return problem.Malformed("there is no part called "+problem.QuoteName(name),
			"use signature, key, artifact, digest, signed_digest, format, representation, way, decompress, signatures, priority, publish_certificate and label")
	}
}

// addKey adds a key file; all of them together are at most MaxKeys bytes.
func (f *form) addKey(part *multipart.Part) error {
	h, left := &f.header, int64(MaxKeys)
	for _, k := range h.Keys {
		left -= int64(len(k))
	}
	key, err := f.readPart(part, left)
	h.Keys = append(h.Keys, key)
	return err
}

func (f *form) addLabel(part *multipart.Part) error {
	h := &f.header
	raw, err := f.readPart(part, MaxField)
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

func (f *form) setOnce(part *multipart.Part, to *[]byte) error {
	if *to != nil {
		return problem.Malformed("there are two signatures", "send one submission per signature")
	}
	raw, err := f.readPart(part, formats.MaxSignatureSize)
	*to = raw
	return err
}

func (f *form) setText(part *multipart.Part, to *string) error {
	raw, err := f.readPart(part, MaxField)
	if *to != "" {
		return problem.Malformed("the field "+part.FormName()+" is there twice", "send it once")
	}
	*to = strings.TrimSpace(string(raw))
	return err
}

func (f *form) setBool(part *multipart.Part, to *bool) error {
	raw, err := f.readPart(part, MaxField)
	if err != nil {
		return err
	}
	if *to, err = strconv.ParseBool(strings.TrimSpace(string(raw))); err != nil {
		return problem.Malformed("the field "+part.FormName()+" is neither true nor false", "write true or false")
	}
	return nil
}

func (f *form) readPart(part *multipart.Part, limit int64) ([]byte, error) {
	raw, err := readHeld(part, limit, f.held)
	if err != nil {
		return nil, explainFormError(err)
	}
	if int64(len(raw)) > limit {
		return nil, formats.NewError(formats.ReasonTooLarge, "the part "+part.FormName()+" is too large", "send the signature or the key itself there, and the signed file as artifact")
	}
	return raw, nil
}

// readFields reads a form that has no artifact, or whose artifact does not matter.
func readFields(body io.Reader, boundary string, held *gateway.Held) (*Submission, error) {
	f, err := newForm(body, boundary, held)
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
		if _, err := io.Copy(io.Discard, artifact); err != nil {
			return nil, explainFormError(err)
		}
	}
}

// readForm takes parts in any order while the artifact fits the replay buffer. A larger artifact that begin takes is
// streamed, and has to be the last part; one that comes before its signature or key is spooled.
func (r *Reader) readForm(body io.Reader, boundary string, held *gateway.Held, begin func(Header) error) (*Submission, error) {
	f, err := newForm(body, boundary, held)
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
	out, err := r.readArtifact(f, &artifactPart{part: part, left: r.cfg.MaxArtifact}, begin)
	if err != nil {
		return nil, err
	}
	out.ArtifactName = part.FileName()
	return out, nil
}

func (r *Reader) readArtifact(f *form, artifact io.Reader, begin func(Header) error) (*Submission, error) {
	if f.header.Signature == nil {
		return r.spoolArtifact(f, artifact)
	}
	refusal := begin(f.header)
	switch reason := formats.ReasonOf(refusal); {
	case reason == formats.ReasonMissingKey:
		return r.spoolArtifact(f, artifact)
	case refusal != nil && !slices.Contains(mendable, reason):
		return nil, refusal
	}
	start, whole, err := r.readReplay(artifact, f.held)
	if err != nil {
		return nil, err
	}
	out := &Submission{Header: f.header, Artifact: formats.FromReader(start), replay: start}
	if whole {
		err = f.readAfter(out, refusal, begin)
	} else {
		out.Artifact, err = formats.FromReader(&lastPart{Reader: io.MultiReader(start, artifact), form: f}), refusal
	}
	if err != nil {
		_ = start.Close()
		return nil, err
	}
	return out, nil
}

// mendable are the refusals of begin that a part after the artifact may mend: a format, a key, a certificate.
var mendable = []formats.Reason{formats.ReasonUnknownFormat, formats.ReasonKeyMismatch, gateway.ReasonNoCertificate}

// readAfter reads the parts after an artifact that is kept, and begins again if there are any. refusal is what begin said
// without them.
func (f *form) readAfter(out *Submission, refusal error, begin func(Header) error) error {
	before := f.parts
	if err := f.readRest(); err != nil {
		return err
	}
	if f.parts == before {
		return refusal
	}
	out.Header = f.header
	return begin(f.header)
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
	return &Submission{Header: f.header, Artifact: formats.FromReader(spooled), replay: spooled}, nil
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

// readRest reads the parts after an artifact that is kept.
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
	switch _, err := l.form.nextPart(); {
	case err == io.EOF: //nolint:errorlint // multipart's own; a wrapped one is a failure
		return io.EOF
	case err != nil:
		return explainFormError(err)
	}
	return problem.Malformed("there is a part after the artifact, which is large", "send the artifact last, or before the signature")
}

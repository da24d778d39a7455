// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"
)

// Fit says how well a signature that names no format suits the keys beside it.
type Fit int

// The fits, the better the greater.
const (
	NoFit  Fit = iota // it cannot be this format's
	MayFit            // the keys are this format's; nothing of the signature says that it is not
	Fits              // it is as long as a signature by one of the keys is
)

// KeyDetector is a Format whose signatures may have nothing to be recognised by: a raw signature shows what it is beside
// its key.
type KeyDetector interface {
	Format
	// DetectBeside says how well signature suits keys, which are in any format's encoding. Its error is m's.
	DetectBeside(m *Meter, signature []byte, keys [][]byte) (Fit, error)
}

// Detect returns the format that recognises signature, by itself or beside the keys. Errors have ReasonUnknownFormat,
// ReasonMissingSignature for an empty signature, or those that Parse has for what was sent in any format.
func (r *Registry) Detect(ctx context.Context, signature []byte, keys [][]byte, p Policy) (Format, error) {
	ctx = EnsureWork(ctx)
	in, err := openInput(ctx, signature, keys)
	if err != nil {
		return nil, err
	}
	return r.detect(ctx, in, p)
}

// detect finds the one format. What only the keys tell is asked of a signature that a format claims, too: where
// both fit, the caller has to say which is meant.
func (r *Registry) detect(ctx context.Context, in input, p Policy) (Format, error) {
	m, err := StartWork(ctx, hintSending)
	if err != nil {
		return nil, err
	}
	var claims, mayFit []Format
	for _, f := range r.list {
		if f.Detect(in.signature) {
			claims = append(claims, f)
			continue
		}
		d, ok := f.(KeyDetector)
		if !ok {
			continue
		}
		keys := p.openKeys(f.Name()).CandidateKeys(f.Name(), in.keys)
		fit, err := d.DetectBeside(m.ForKeys(p, f.Name()), in.signature, keys)
		switch {
		case err != nil:
			return nil, err
		case fit == Fits:
			claims = append(claims, f)
		case fit == MayFit:
			mayFit = append(mayFit, f)
		}
	}
	if later, _ := r.findLater(in.signature); len(claims) == 0 && later == nil {
		claims = mayFit
	}
	switch len(claims) {
	case 0:
		return nil, r.errUnknown(in)
	case 1:
		return claims[0], nil
	}
	return nil, errSeveralFit(claims)
}

func errSeveralFit(claims []Format) error {
	names := make([]string, len(claims))
	for i, f := range claims {
		names[i] = f.Name()
	}
	return NewError(ReasonUnknownFormat, "the signature and the keys fit more than one format: "+strings.Join(names, " and "),
		"name the one it is: format="+strings.Join(names, " or format="))
}

func (r *Registry) errUnknown(in input) error {
	if f, start := r.findLater(in.signature); f != nil {
		hint := "send it from its first line on: sed -n '/^-----BEGIN/,$p' FILE"
		if start == startComment {
			hint = "send it from its first line on: sed -n '/^untrusted comment:/,$p' FILE"
		}
		return NewError(ReasonMalformedSignature, "there is text before the signature, which is one of the format "+f.Name(), hint)
	}
	if dgstHex.Match(in.signature[:min(len(in.signature), maxLead)]) {
		return NewError(ReasonMalformedSignature, "this is what openssl dgst -hex prints: a raw signature with the file's name before it",
			"sign without -hex, or take the signature out: sed 's/.*= //; s/://g' FILE")
	}
	if len(in.keys) == 0 {
		return NewError(ReasonUnknownFormat, "the signature is in no format this gateway recognises",
			"if it is a raw signature, send the public key or certificate beside it; else name the format: "+strings.Join(r.Names(), ", "))
	}
	return NewError(ReasonUnknownFormat, "the signature is in no format this gateway recognises",
		"check that the file is the signature, as the tool wrote it; if you know the format, name it: "+strings.Join(r.Names(), ", "))
}

// maxLead is how much text before an armor is looked through.
const maxLead = 64 << 10

// dgstHex is the line that "openssl dgst -hex -sign" prints in place of a signature: "RSA-SHA2-256(app)= 3045".
var dgstHex = regexp.MustCompile(`^[A-Za-z0-9/-]+\([^\n]*\)= [0-9A-Fa-f:]+\s*$`)

// How a signature begins that may have text before it: an armor, or minisign's and signify's first line.
const (
	startArmor   = "-----BEGIN "
	startComment = "untrusted comment:"
)

// findLater returns the format of a signature that begins further down in a text, at the first line that begins one, and
// how that line starts.
func (r *Registry) findLater(text []byte) (f Format, start string) {
	at := -1
	for _, s := range []string{startArmor, startComment} {
		if i := bytes.Index(text[:min(len(text), maxLead)], []byte("\n"+s)); i >= 0 && (at < 0 || i < at) {
			at, start = i+1, s
		}
	}
	if at < 0 {
		return nil, ""
	}
	return r.recognise(text[at:]), start
}

func (r *Registry) lookupFormat(ctx context.Context, name string, in input, p Policy) (Format, error) {
	if name == "" {
		return r.detect(ctx, in, p)
	}
	return r.Get(name)
}

// errWrongFormat is for a signature of the format what, sent under another's name.
func errWrongFormat(err error, what, name string, other Format) error {
	return WrapError(err, ReasonWrongFormat, fmt.Sprintf("this is a signature of the format %s, sent as %s", what, name),
		"send it with format="+other.Name()+" or without a format")
}

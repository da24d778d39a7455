// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
)

// Kinds of entries that Rekor v1's clients propose and this takes, all of version 0.0.1.
const (
	kindRekord       = "rekord"
	kindHashedRekord = "hashedrekord"
	kindTUF          = "tuf"
	versionV1        = "0.0.1"
)

const hintProposed = "send a rekord, a hashedrekord or a tuf entry of version 0.0.1, as rekor-cli upload --type does"

var (
	errProposed = problem.Malformed("the body is not an entry as Rekor v1 takes it", hintProposed)
	errKind     = formats.NewError(formats.ReasonUnsupportedFeature, "entries of this kind are not taken here",
		hintProposed+"; a PKCS#7 signature goes to /v1/submissions")
	errVersion        = formats.NewError(formats.ReasonUnsupportedVersion, "entries are taken in version 0.0.1 alone", hintProposed)
	errByURL          = formats.NewError(formats.ReasonUnsupportedFeature, "the entry names a URL, and nothing is fetched here", "send the content itself, in base64: rekor-cli reads the URL and does so")
	errPKIFormat      = formats.NewError(formats.ReasonUnknownFormat, "spec.signature.format is none of pgp, minisign, ssh and x509", "name the signature's format; TUF metadata goes as an entry of kind tuf")
	errV1Base64       = problem.Malformed("content is not base64", "send the file in standard base64 (RFC 4648, section 4)")
	errLongInDocument = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("TUF metadata has a string of over %d KiB", upload.MaxShortString>>10),
		"send the metadata to /v1/submissions, with its root as the key")
	errNoContent = formats.NewError(formats.ReasonMissingArtifact, "spec.data.content is missing", "send the signed file there, in base64, as rekor-cli upload --type rekord does")
	errOtherHash = formats.NewError(formats.ReasonArtifactMismatch, "spec.data.hash is not the SHA-256 of spec.data.content", "leave the hash out, or send the file that it is of")
	errV1Digest  = formats.NewError(formats.ReasonMalformedDigest, "spec.data.hash is missing, or not of an algorithm that Rekor v1 has", "send algorithm sha256, sha384 or sha512, and the value in hexadecimal")
)

// proposal is an entry that a client of Rekor v1 proposes, as it is written.
type proposal struct {
	kind, version string
	unknown       string // a member that no entry of a kind taken here has
	byURL         bool

	algorithm, hash string // spec.data.hash
	content         *content

	format    string // spec.signature.format
	signature []byte
	key       []byte

	metadata, root []byte // spec.metadata.content and spec.root.content: JSON, or sent as that in base64
}

// content is spec.data.content, in memory or taken out of the body.
type content struct {
	short []byte
	long  *upload.LongString
}

func (c *content) sha256() [sha256.Size]byte {
	if c.long != nil {
		return c.long.SHA256
	}
	return sha256.Sum256(c.short)
}

func (c *content) artifact() formats.Artifact {
	if c.long != nil {
		return c.long.Artifact()
	}
	return formats.FromReader(bytes.NewReader(c.short))
}

// readProposal reads a body that is one proposal, and checks that it is whole.
func readProposal(body *upload.LongJSON) (*proposal, error) {
	r := proposalReader{body: body, dec: body.Decoder()}
	p, err := r.readProposal()
	if err == nil {
		err = r.readEnd()
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, explainProposal(err)
	}
	return p, nil
}

// check refuses what cannot be a submission, whatever the signature is.
func (p *proposal) check() error {
	switch {
	case p.byURL:
		return errByURL
	case p.kind == "":
		return errProposed
	case !slices.Contains([]string{kindRekord, kindHashedRekord, kindTUF}, p.kind):
		return errKind
	case p.version != versionV1:
		return errVersion
	case p.unknown != "":
		return problem.Malformed("there is no member "+problem.QuoteName(p.unknown), hintProposed)
	}
	switch p.kind {
	case kindRekord:
		return p.checkRekord()
	case kindTUF:
		return p.checkTUF()
	}
	return p.checkHashedRekord()
}

func (p *proposal) checkRekord() error {
	switch {
	case p.metadata != nil || p.root != nil:
		return errProposed
	case !slices.Contains([]string{"pgp", "minisign", "ssh", "x509"}, p.format):
		return errPKIFormat
	case p.content == nil:
		return errNoContent
	}
	if p.hash != "" || p.algorithm != "" {
		if sum := p.content.sha256(); p.algorithm != "sha256" || !strings.EqualFold(p.hash, hex.EncodeToString(sum[:])) {
			return errOtherHash
		}
	}
	return p.checkSigned()
}

func (p *proposal) checkTUF() error {
	switch {
	case p.content != nil || p.signature != nil || p.key != nil || p.hash != "" || p.format != "":
		return errProposed
	case p.metadata == nil:
		return errNoSignature
	case p.root == nil:
		return errNoKey
	}
	return nil
}

func (p *proposal) checkHashedRekord() error {
	if p.metadata != nil || p.root != nil || p.content != nil || p.format != "" {
		return errProposed
	}
	return p.checkSigned()
}

func (p *proposal) checkSigned() error {
	switch {
	case len(p.signature) == 0:
		return errNoSignature
	case len(p.key) == 0:
		return errNoKey
	}
	return nil
}

// digest returns that of a hashedrekord.
func (p *proposal) digest() (formats.Digest, error) {
	if !slices.Contains([]string{"sha256", "sha384", "sha512"}, p.algorithm) {
		return formats.Digest{}, errV1Digest
	}
	d, err := formats.ParseDigest(p.algorithm + ":" + p.hash)
	if err != nil {
		return formats.Digest{}, errV1Digest
	}
	return d, nil
}

// newRequest returns p as a submission of a caller's, recorded in the log itself, and the artifact. Who sends a certificate wants it logged, as Rekor
// does.
func (p *proposal) newRequest(by gateway.Caller) (gateway.Request, formats.Artifact, error) {
	r := gateway.Request{
		Tenant: by.Tenant, Caller: by.Name, Priority: by.Priority, Way: gateway.Direct, Signature: p.signature, Keys: [][]byte{p.key},
		PublishCertificate: bytes.Contains(p.key, []byte("-----BEGIN CERTIFICATE-----")),
	}
	switch p.kind {
	case kindTUF:
		r.Format, r.Signature, r.Keys, r.PublishCertificate = "tuf", p.metadata, [][]byte{p.root}, false
		return r, formats.Artifact{}, nil
	case kindHashedRekord:
		digest, err := p.digest()
		r.Format, r.Representation, r.Digest = formatName, gateway.Native, &digest
		return r, formats.Artifact{}, err
	}
	r.Format = p.format
	return r, p.content.artifact(), nil
}

// proposalReader reads proposals. Its decoder refuses names that are there twice.
type proposalReader struct {
	body *upload.LongJSON
	dec  *jsontext.Decoder
}

// errMember: a value is of another kind than its member's.
var errMember = errors.New("not the kind of value that belongs here")

// members are what an object may have, by their names, with what reads the value of each.
type members map[string]func() error

// readObject reads an object, or null. other is called for members that are none of known, and reads their values.
func (r proposalReader) readObject(known members, other func(name string) error) error {
	switch r.dec.PeekKind() {
	case jsontext.KindNull:
		return r.dec.SkipValue()
	case jsontext.KindBeginObject:
	default:
		return r.wrongKind()
	}
	return r.readUntil(jsontext.KindEndObject, func() error {
		token, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		if r.body.FindLong(r.dec) != nil {
			name = "(a long name)"
		}
		if read, ok := known[name]; ok {
			return read()
		}
		return other(name)
	})
}

// readUntil reads the opening token, calls read until the closing one comes, and reads that.
func (r proposalReader) readUntil(end jsontext.Kind, read func() error) error {
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
func (r proposalReader) wrongKind() error {
	if r.dec.PeekKind() == jsontext.KindInvalid {
		if _, err := r.dec.ReadToken(); err != nil {
			return err
		}
	}
	return errMember
}

// readEnd refuses what comes after the body's value.
func (r proposalReader) readEnd() error {
	if _, err := r.dec.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext's own
		return errProposed
	}
	return nil
}

func (r proposalReader) readProposal() (*proposal, error) {
	p := new(proposal)
	err := r.readObject(members{
		"kind":       func() error { return r.readText(&p.kind) },
		"apiVersion": func() error { return r.readText(&p.version) },
		"spec":       func() error { return r.readSpec(p) },
	}, r.noteUnknown(p))
	return p, err
}

// noteUnknown returns what skips a member that no kind has: which kind it is may come after it.
func (r proposalReader) noteUnknown(p *proposal) func(string) error {
	return func(name string) error {
		p.unknown = name
		return r.dec.SkipValue()
	}
}

func (r proposalReader) readSpec(p *proposal) error {
	other := r.noteUnknown(p)
	byURL := func() error { p.byURL = true; return r.dec.SkipValue() }
	readDocument := func(to *[]byte, limit int64) func() error {
		return func() error {
			return r.readObject(members{"content": func() error { return r.readDocument(to, limit) }, "url": byURL}, other)
		}
	}
	return r.readObject(members{
		"data": func() error {
			return r.readObject(members{
				"content": func() error { return r.readContent(&p.content) },
				"url":     byURL,
				"hash": func() error {
					return r.readObject(members{
						"algorithm": func() error { return r.readText(&p.algorithm) },
						"value":     func() error { return r.readText(&p.hash) },
					}, other)
				},
			}, other)
		},
		"signature": func() error {
			return r.readObject(members{
				"format":  func() error { return r.readText(&p.format) },
				"content": func() error { return r.readBytes(&p.signature, formats.MaxSignatureSize) },
				"url":     byURL,
				"publicKey": func() error {
					return r.readObject(members{"content": func() error { return r.readBytes(&p.key, formats.MaxKeySize) }, "url": byURL}, other)
				},
			}, other)
		},
		"metadata":     readDocument(&p.metadata, formats.MaxSignatureSize),
		"root":         readDocument(&p.root, formats.MaxKeySize),
		"spec_version": r.dec.SkipValue, // which the metadata says itself
	}, other)
}

// readString returns the next string, without quotation marks around it, or nil for null. It is good until the next read. long is what was taken out in its
// place.
func (r proposalReader) readString() (text []byte, long *upload.LongString, err error) {
	switch r.dec.PeekKind() {
	case jsontext.KindNull:
		return nil, nil, r.dec.SkipValue()
	case jsontext.KindString:
	default:
		return nil, nil, r.wrongKind()
	}
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, nil, err
	}
	text = []byte(raw[1 : len(raw)-1])
	if bytes.IndexByte(text, '\\') >= 0 {
		text, err = jsontext.AppendUnquote(nil, raw)
	}
	return text, r.body.FindLong(r.dec), err
}

// maxWord bounds names of kinds, versions, formats and algorithms, and digests.
const maxWord = 256

func (r proposalReader) readText(to *string) error {
	text, long, err := r.readString()
	if err == nil && (long != nil || len(text) > maxWord) {
		err = errProposed
	}
	*to = string(text)
	return err
}

func (r proposalReader) readBytes(to *[]byte, limit int64) error {
	text, long, err := r.readString()
	if err != nil || text == nil {
		return err
	}
	if long != nil {
		*to, err = r.body.ReadAll(long, limit)
		return err
	}
	*to, err = decodeContent(text)
	return err
}

func (r proposalReader) readContent(to **content) error {
	text, long, err := r.readString()
	if err != nil || text == nil {
		return err
	}
	c := &content{long: long}
	if long == nil {
		c.short, err = decodeContent(text)
	}
	*to = c
	return err
}

func decodeContent(text []byte) ([]byte, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		return nil, errV1Base64
	}
	return out[:n], nil
}

// readDocument reads a JSON object as it is, or one in base64, of at most limit bytes, as the log has it: its signatures are over these bytes.
func (r proposalReader) readDocument(to *[]byte, limit int64) error {
	switch r.dec.PeekKind() {
	case jsontext.KindNull:
		return r.dec.SkipValue()
	case jsontext.KindString:
		return r.readBytes(to, limit)
	case jsontext.KindBeginObject:
	default:
		return r.wrongKind()
	}
	start := r.dec.InputOffset()
	raw, err := r.dec.ReadValue()
	if err == nil && r.body.HasLong(start, r.dec.InputOffset()) {
		return errLongInDocument
	}
	*to = raw // of a buffer that nobody writes to
	return err
}

// explainProposal says what the decoder found, where that helps; its texts are not for callers.
func explainProposal(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case formats.ReasonOf(err) != "" || errors.Is(err, gateway.ErrMemoryFull):
		return err
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return formats.WrapError(err, problem.ReasonMalformedRequest, "the member "+problem.QuoteName(syntax.JSONPointer.LastToken())+" is there twice", "send it once")
	}
	return formats.WrapError(err, problem.ReasonMalformedRequest, "the body is not an entry as Rekor v1 takes it", hintProposed)
}

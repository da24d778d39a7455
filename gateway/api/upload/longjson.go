// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// LongJSON is a JSON body out of which long strings were taken, which have to be base64: their bytes are in files, and of them no more than their
// hashes is held. Rekor v1's clients send whole artifacts so, before the signature over them.
type LongJSON struct {
	raw   []byte // the rest, with "" where a long string was
	longs []*LongString
	held  *gateway.Held
}

// LongString is a string that was taken out.
type LongString struct {
	SHA256 [sha256.Size]byte // of what it says in base64
	Size   int64             // of that, in bytes
	end    int64             // where it ends in LongJSON.raw
	file   *spooled          // nil where what it says is not kept
}

var (
	errLongJSON    = problem.Malformed("the body is not JSON", "send what Rekor v1 takes, as rekor-cli does")
	errLongBase64  = problem.Malformed("a long string of the JSON is not base64", "send the artifact in standard base64 (RFC 4648, section 4), as data.content")
	errLongStrings = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the JSON has more than %d long strings", MaxLongStrings), "send one entry: an artifact, its signature and the signer's key")
	errLongDropped = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("a signature or key of over %d KiB in base64 is not looked for", MaxShortString>>10),
		"verify by --uuid or --log-index, as upload and search tell them, or verify the receipt: rekor-gateway verify")
	errRestTooLong = formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the JSON is larger than %d MiB, the artifact aside", MaxLongRest>>20),
		"send the signature and the signer's key alone, and the artifact as data.content")
)

// ReadLongJSON reads a body. What long strings say is kept in files where keep is set, until the result is closed; else it is hashed and dropped.
// Nobody has looked at what it says. The memory that it takes is counted until then, too.
func (r *Reader) ReadLongJSON(req *http.Request, control *http.ResponseController, keep bool) (*LongJSON, error) {
	out := &LongJSON{held: gateway.HeldFrom(req.Context()).Part()}
	err := out.held.Grow(jsonStep)
	if err == nil {
		s := longScanner{r: r, keep: keep, short: MaxShortString, src: bufio.NewReaderSize(r.timeBody(req, req.Body, control), jsonStep), out: out}
		err = s.scan()
	}
	if err != nil {
		out.Close()
		return nil, err
	}
	return out, nil
}

// Close removes the files, and gives back the memory.
func (j *LongJSON) Close() {
	for _, l := range j.longs {
		if l.file != nil {
			_ = l.file.Close() // it is unlinked already
		}
	}
	j.held.Close()
}

// Decoder returns a decoder of the body, which refuses names that are there twice.
func (j *LongJSON) Decoder() *jsontext.Decoder { return jsontext.NewDecoder(bytes.NewBuffer(j.raw)) }

// FindLong returns the long string that was in place of the one that dec, which Decoder has returned, has just read: nil, it was no long one.
func (j *LongJSON) FindLong(dec *jsontext.Decoder) *LongString {
	for _, l := range j.longs {
		if l.end == dec.InputOffset() {
			return l
		}
	}
	return nil
}

// HasLong reports whether a long string was taken out of what the decoder has read between two of its offsets: that is not what was sent.
func (j *LongJSON) HasLong(from, to int64) bool {
	return slices.ContainsFunc(j.longs, func(l *LongString) bool { return l.end > from && l.end <= to })
}

// Artifact returns what the string says, where that is kept. It is read once, and not after LongJSON.Close.
func (l *LongString) Artifact() formats.Artifact { return formats.FromReader(l.file) }

// ReadAll returns what the string says, of at most limit bytes; see Artifact. It is counted as the body is. What is not kept is refused as
// TOO_LARGE.
func (j *LongJSON) ReadAll(l *LongString, limit int64) ([]byte, error) {
	if l.file == nil {
		return nil, errLongDropped
	}
	if l.Size > limit {
		return nil, formats.NewError(formats.ReasonTooLarge, "a signature or key is too large", "send the signature or the key itself there, and the signed file as data.content")
	}
	return readHeld(l.file, limit, j.held)
}

// longScanner reads a body byte by byte: it finds where strings begin and end, and nothing else.
type longScanner struct {
	r    *Reader
	keep bool
	// short bounds a string that stays, in bytes.
	short int
	src   *bufio.Reader
	out   *LongJSON
}

func (s *longScanner) scan() error {
	for {
		c, err := s.src.ReadByte()
		if err == io.EOF { //nolint:errorlint // bufio's own
			return nil
		}
		if err == nil {
			err = s.append(c)
		}
		if err == nil && c == '"' {
			err = s.scanString()
		}
		if err != nil {
			return err
		}
	}
}

// append keeps a byte that was read.
func (s *longScanner) append(c byte) error {
	j := s.out
	if len(j.raw) >= MaxLongRest {
		return errRestTooLong
	}
	if len(j.raw) == cap(j.raw) {
		var err error
		if j.raw, err = growHeld(j.raw, min(max(4<<10, 2*cap(j.raw)), MaxLongRest), j.held); err != nil {
			return err
		}
	}
	j.raw = append(j.raw, c)
	return nil
}

// scanString reads on from a string's first quotation mark to its last.
func (s *longScanner) scanString() error {
	start, escaped := len(s.out.raw), false
	for {
		c, err := s.src.ReadByte()
		if err == io.EOF { //nolint:errorlint // bufio's own
			return errLongJSON
		}
		if err == nil {
			err = s.append(c)
		}
		switch {
		case err != nil:
			return err
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			return nil
		case len(s.out.raw)-start > s.short:
			return s.takeOut(start)
		}
	}
}

// takeOut takes the string that begins at start out, of which what is there so far ends with no escape.
func (s *longScanner) takeOut(start int) error {
	if len(s.out.longs) == MaxLongStrings {
		return errLongStrings
	}
	l := &LongString{end: int64(start + 1)}
	text := &longText{begun: s.out.raw[start:], src: s.src, left: maxText(s.r.cfg.MaxArtifact)}
	body := &hashedArtifact{src: &artifactPart{part: base64.NewDecoder(base64.StdEncoding, text), left: s.r.cfg.MaxArtifact}, hash: sha256.New()}
	var err error
	if s.keep {
		l.file, err = s.r.spool.copyIn(body)
	} else {
		_, err = io.Copy(io.Discard, body)
	}
	if err != nil {
		return text.explain(err)
	}
	l.Size = body.size
	body.hash.Sum(l.SHA256[:0])
	s.out.longs = append(s.out.longs, l)
	s.out.raw = append(s.out.raw[:start], '"')
	return nil
}

// hashedArtifact counts and hashes what is read of it.
type hashedArtifact struct {
	src  io.Reader
	hash hash.Hash
	size int64
}

// Read implements io.Reader.
func (a *hashedArtifact) Read(p []byte) (int, error) {
	n, err := a.src.Read(p)
	a.hash.Write(p[:n])
	a.size += int64(n)
	return n, err
}

// longText reads what a string says, to the quotation mark at its end, which it reads, too.
type longText struct {
	begun  []byte // of the string, read already, and whole characters
	src    *bufio.Reader
	left   int64 // bytes of it that may come
	failed error // of src
	ended  bool
}

// maxText bounds the text of so many bytes in base64, as JSON: line ends and escapes could be without end.
func maxText(size int64) int64 { return min(size, math.MaxInt64/4)*3 + MaxShortString }

// notBase64 stands for what is no character of base64.
const notBase64 = 0xff

// Read implements io.Reader.
func (t *longText) Read(p []byte) (int, error) {
	if t.ended {
		return 0, io.EOF
	}
	ready, err := t.peek()
	if err != nil {
		return 0, err
	}
	n := 0
	for n < len(p) && n < len(ready) && ready[n] >= ' ' && ready[n] != '"' && ready[n] != '\\' {
		n++
	}
	copy(p, ready[:n])
	t.skip(n)
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	switch c := ready[0]; {
	case c == '"':
		t.ended = true
		t.skip(1)
		return 0, io.EOF
	case c != '\\':
		return 0, t.fail(errLongJSON)
	}
	p[0], err = t.readEscape()
	if err != nil {
		return 0, err
	}
	return 1, nil
}

func (t *longText) fail(err error) error {
	if err == io.EOF { //nolint:errorlint // bufio's own
		err = errLongJSON
	}
	t.failed = err
	return err
}

// peek returns some of what is not read yet.
func (t *longText) peek() ([]byte, error) {
	if t.left <= 0 {
		return nil, t.fail(errArtifactTooLarge)
	}
	if len(t.begun) > 0 {
		return t.begun, nil
	}
	if _, err := t.src.Peek(1); err != nil {
		return nil, t.fail(err)
	}
	ready, _ := t.src.Peek(t.src.Buffered()) // which is there
	return ready, nil
}

func (t *longText) skip(n int) {
	t.left -= int64(n)
	if len(t.begun) > 0 {
		t.begun = t.begun[n:]
		return
	}
	_, _ = t.src.Discard(n) // which is there
}

// readEscape reads an escape (RFC 8259, section 7), of which base64 has a slash, line ends, and what is written as \u.
func (t *longText) readEscape() (byte, error) {
	escape := make([]byte, 0, len(`\u0000`))
	for more := 2; len(escape) < more; {
		ready, err := t.peek()
		if err != nil {
			return 0, err
		}
		escape = append(escape, ready[0])
		t.skip(1)
		if string(escape) == `\u` {
			more = cap(escape)
		}
	}
	said, err := jsontext.AppendUnquote(nil, `"`+string(escape)+`"`)
	switch {
	case err != nil && len(escape) == cap(escape): // half of a pair, or no digits
		return notBase64, nil
	case err != nil:
		return 0, t.fail(errLongJSON)
	case len(said) != 1:
		return notBase64, nil
	}
	return said[0], nil
}

// explain returns err, with which reading what t says in base64 has failed, as it is told.
func (t *longText) explain(err error) error {
	var corrupt base64.CorruptInputError
	switch {
	case t.failed != nil:
		return t.failed
	case errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF):
		return errLongBase64
	}
	return err
}

// SPDX-License-Identifier: Apache-2.0

package textlayer

import (
	"bytes"
	"errors"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxJSON bounds what is decoded to look for private keys in it: sets of keys are far smaller. Larger
// documents are metadata, whose own format looks through them.
const maxJSON = 64 << 10

// maxJSONs bounds the lines of a text at which JSON is looked for: what nests too deeply is read again from each.
const maxJSONs = 16

// maxNesting is how deeply nested JSON is read.
const maxNesting = 10_000

// findJSON finds private keys in the JSON that data begins with, and in JSON that begins on a line of its own behind
// that or behind other text, such as a public key.
func findJSON(data []byte) (Secret, bool) {
	end, found := readJSON(data)
	if found {
		return secretJSON, true
	}
	if len(data) > maxJSON {
		return Secret{}, false
	}
	for left := maxJSONs; left > 0; {
		_, rest, more := bytes.Cut(data[end:], []byte("\n"))
		if !more {
			break
		}
		data, end = rest, 0
		if text := bytes.TrimLeft(data, " \t"); len(text) == 0 || text[0] != '{' && text[0] != '[' {
			continue
		}
		left--
		if end, found = readJSON(data); found {
			return secretJSON, true
		}
	}
	return Secret{}, false
}

// findFirstJSON finds private keys in the JSON that data begins with.
func findFirstJSON(data []byte) (Secret, bool) {
	if _, found := readJSON(data); found {
		return secretJSON, true
	}
	return Secret{}, false
}

var secretJSON = Secret{"a private key in JSON", "the same file without the private members (in a JWK: d, p, q, dp, dq, qi, k)"}

// readJSON reports whether the object or array that data begins with holds a private key, else where it ends: at 0
// when there is none. One that breaks off is looked at as far as it goes and ends there, since whatever begins on a line
// within has ended before, or breaks off at the same place. Only what nests too deeply may go on from such a line.
func readJSON(data []byte) (end int, found bool) {
	text := bytes.TrimLeft(data, blanks)
	if len(text) > maxJSON || len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return 0, false
	}
	// Other readers may be as lenient as this, and take any of the members of one name.
	r := jsonReader{jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	_, err := r.readValue()
	if found = errors.Is(err, errSecret); found || err != nil && r.tokens.StackDepth() >= maxNesting {
		return 0, found
	}
	return len(data) - len(text) + int(r.tokens.InputOffset()), false
}

var errSecret = errors.New("there is a private key")

// jsonReader reads JSON up to the first private key in it, which is errSecret.
type jsonReader struct{ tokens *jsontext.Decoder }

func (r jsonReader) readValue() (traits, error) {
	kind := r.tokens.PeekKind()
	if kind == jsontext.KindString {
		text, err := r.readText()
		if err == nil && isSecretText(text) {
			err = errSecret
		}
		return traits{kind: kind, empty: len(text) == 0}, err
	}
	if _, err := r.tokens.ReadToken(); err != nil {
		return traits{}, err
	}
	switch kind {
	case jsontext.KindBeginObject:
		return r.readObject()
	case jsontext.KindBeginArray:
		return r.readArray()
	}
	return traits{kind: kind}, nil
}

// readText returns a name or a text, which is valid until the next is read.
func (r jsonReader) readText() ([]byte, error) {
	raw, err := r.tokens.ReadValue()
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return raw[1 : len(raw)-1], nil
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // what is no Unicode is U+FFFD then
	return text, nil
}

func (r jsonReader) readArray() (traits, error) {
	for r.tokens.PeekKind() != jsontext.KindEndArray {
		if _, err := r.readValue(); err != nil {
			return traits{}, err
		}
	}
	_, err := r.tokens.ReadToken()
	return traits{kind: jsontext.KindBeginArray}, err
}

func (r jsonReader) readObject() (traits, error) {
	var o members
	for r.tokens.PeekKind() != jsontext.KindEndObject {
		text, err := r.readText()
		if err != nil {
			return traits{}, err
		}
		name := nameMember(text)
		value, err := r.readValue()
		if err != nil {
			return traits{}, err
		}
		if o.add(name, value); o.isSecret() {
			return traits{}, errSecret
		}
	}
	_, err := r.tokens.ReadToken()
	return o.traits(), err
}

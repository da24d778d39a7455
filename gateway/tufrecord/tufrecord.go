// SPDX-License-Identifier: Apache-2.0

// Package tufrecord makes and reads entries of Rekor v1's kind for TUF metadata, tuf 0.0.1 (rekor 1.5). It is pure.
//
// The log is sent metadata and the root that names its signers, verifies both, and records both:
//
//	{"apiVersion":"0.0.1","kind":"tuf","spec":{
//	  "metadata":{"content":BASE64},"root":{"content":BASE64},"spec_version":"1.0.31"}}
//
// The contents are canonical JSON (RFC 8785) of the members signed and signatures, the version is the root's. That body is what the leaf hash is of, and
// what is sent: the log makes the same of it.
package tufrecord

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Kind names the entries of this package: kind and API version.
const (
	KindName   = "tuf"
	APIVersion = "0.0.1"
	Kind       = KindName + "/" + APIVersion
)

// Format is how the log names the format of the signatures, which is formats.Whole's too.
const Format = "tuf"

// MaxBody is how large an entry may be, in bytes. The log has no bound of its own; receipts have.
const MaxBody = 65535

// ErrTooLarge is the error of Body for an entry that would be over MaxBody.
var ErrTooLarge = fmt.Errorf("entry is over %d bytes", MaxBody)

// form is an entry with its values left out, cut at each quotation mark.
var form = strings.Split(`{"apiVersion":"`+APIVersion+`","kind":"`+KindName+`","spec":{"metadata":{"content":""},"root":{"content":""},"spec_version":""}}`, `"`)

// Where in form the values stand.
const (
	metadataPart = 15
	rootPart     = 21
	versionPart  = 25
)

// Body returns the canonical entry for metadata and its root, in the form that formats.Whole has them in. It fails when a part is missing, or with
// ErrTooLarge.
func Body(w formats.Whole) ([]byte, error) {
	switch {
	case w.Format != Format:
		return nil, fmt.Errorf("no TUF entry for signatures of %.20q", w.Format)
	case len(w.Signature) == 0 || len(w.Key) == 0:
		return nil, errors.New("incomplete TUF entry: there is no metadata, or no root")
	case w.SpecVersion == "" || len(w.SpecVersion) > 32 || strings.Trim(w.SpecVersion, "0123456789.") != "":
		return nil, fmt.Errorf("%.40q is no version of the TUF specification", w.SpecVersion)
	case len(w.Signature)+len(w.Key) > MaxBody:
		return nil, ErrTooLarge
	}
	body := make([]byte, 0, 512+2*(len(w.Signature)+len(w.Key)))
	for i, part := range form {
		if i > 0 {
			body = append(body, '"')
		}
		switch i {
		case metadataPart:
			body = base64.StdEncoding.AppendEncode(body, w.Signature)
		case rootPart:
			body = base64.StdEncoding.AppendEncode(body, w.Key)
		case versionPart:
			body = append(body, w.SpecVersion...)
		default:
			body = append(body, part...)
		}
	}
	if len(body) > MaxBody {
		return nil, ErrTooLarge
	}
	return body, nil
}

var errNotCanonical = errors.New("entry is not a canonical tuf 0.0.1")

// Parse reads a canonical entry. It accepts exactly what Body produces: Body(Parse(b)) is b. What metadata and root are is not looked at.
func Parse(body []byte) (formats.Whole, error) {
	if len(body) > MaxBody {
		return formats.Whole{}, ErrTooLarge
	}
	values := bytes.SplitN(body, []byte(`"`), len(form)+1)
	if len(values) != len(form) {
		return formats.Whole{}, errNotCanonical
	}
	w := formats.Whole{Format: Format, Embedded: true, SpecVersion: string(values[versionPart])}
	w.Signature, _ = base64.StdEncoding.AppendDecode(nil, values[metadataPart]) // what is wrong does not encode to the same
	w.Key, _ = base64.StdEncoding.AppendDecode(nil, values[rootPart])
	again, err := Body(w)
	if err != nil {
		return formats.Whole{}, err
	}
	if !bytes.Equal(again, body) {
		return formats.Whole{}, errNotCanonical
	}
	return w, nil
}

// IsTUF reports whether a body says to be an entry of this kind; Parse decides whether it is one.
func IsTUF(body []byte) bool {
	return bytes.HasPrefix(body, []byte(`{"apiVersion":"`+APIVersion+`","kind":"`+KindName+`",`))
}

// LeafHash returns the RFC 6962 leaf hash of a canonical entry.
func LeafHash(body []byte) [sha256.Size]byte {
	return [sha256.Size]byte(rfc6962.DefaultHasher.HashLeaf(body))
}

// SPDX-License-Identifier: Apache-2.0

// Package rekord makes and reads entries of Rekor v1's kind for signatures of formats that it knows itself, rekord 0.0.1 (rekor 1.5). It is pure.
//
// The log is sent the artifact's bytes with the signature and the key, checks them, and records what it makes of them:
//
//	{"apiVersion":"0.0.1","kind":"rekord","spec":{
//	  "data":{"hash":{"algorithm":"sha256","value":HEX}},
//	  "signature":{"content":BASE64,"format":"ssh","publicKey":{"content":BASE64}}}}
//
// That body is what the leaf hash is of. What is sent is the same, with "content":BASE64 of the artifact in "data".
package rekord

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Kind names the entries of this package: kind and API version.
const (
	KindName   = "rekord"
	APIVersion = "0.0.1"
	Kind       = KindName + "/" + APIVersion
)

// MaxBody is how large an entry may be, in bytes. The log has no bound of its own; receipts have.
const MaxBody = 65535

// Formats are those that entries may be of, as the log names them. Its x509 is left out: a hashedrekord says the same without the artifact's bytes.
var Formats = []string{"minisign", "pgp", "ssh"}

// Record is what an entry says: this signature by this key is over the artifact with that digest.
type Record struct {
	formats.Whole
	Digest [sha256.Size]byte // SHA-256 of the artifact
}

// form is an entry with its values left out, cut at each quotation mark.
var form = strings.Split(`{"apiVersion":"`+APIVersion+`","kind":"`+KindName+`","spec":{"data":{"hash":{"algorithm":"sha256","value":""}},`+
	`"signature":{"content":"","format":"","publicKey":{"content":""}}}}`, `"`)

// Where in form the values stand.
const (
	digestPart    = 21
	signaturePart = 27
	formatPart    = 31
	keyPart       = 37
)

// Body returns the canonical entry for r. It fails when a part is missing, the log does not know the format, or the entry would be over MaxBody.
func Body(r Record) ([]byte, error) {
	if !slices.Contains(Formats, r.Format) {
		return nil, fmt.Errorf("no rekord for signatures of %.20q", r.Format)
	}
	if len(r.Signature) == 0 || len(r.Key) == 0 {
		return nil, errors.New("incomplete rekord: there is no signature, or no key")
	}
	body := make([]byte, 0, 512+2*(len(r.Signature)+len(r.Key)))
	for i, part := range form {
		if i > 0 {
			body = append(body, '"')
		}
		switch i {
		case digestPart:
			body = hex.AppendEncode(body, r.Digest[:])
		case signaturePart:
			body = base64.StdEncoding.AppendEncode(body, r.Signature)
		case formatPart:
			body = append(body, r.Format...)
		case keyPart:
			body = base64.StdEncoding.AppendEncode(body, r.Key)
		default:
			body = append(body, part...)
		}
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("entry of %d bytes is over %d", len(body), MaxBody)
	}
	return body, nil
}

var errNotCanonical = errors.New("entry is not a canonical rekord 0.0.1")

// Parse reads a canonical entry. It accepts exactly what Body produces: Body(Parse(b)) is b. What the signature and the key are is not looked at.
func Parse(body []byte) (Record, error) {
	if len(body) > MaxBody {
		return Record{}, fmt.Errorf("entry of %d bytes is over %d", len(body), MaxBody)
	}
	values := bytes.SplitN(body, []byte(`"`), len(form)+1)
	if len(values) != len(form) {
		return Record{}, errNotCanonical
	}
	r := Record{Whole: formats.Whole{Format: string(values[formatPart])}}
	r.Signature, _ = base64.StdEncoding.AppendDecode(nil, values[signaturePart]) // what is wrong does not encode to the same
	r.Key, _ = base64.StdEncoding.AppendDecode(nil, values[keyPart])
	digest, _ := hex.AppendDecode(nil, values[digestPart])
	copy(r.Digest[:], digest)
	again, err := Body(r)
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(again, body) {
		return Record{}, errNotCanonical
	}
	return r, nil
}

// IsRekord reports whether a body says to be an entry of this kind; Parse decides whether it is one.
func IsRekord(body []byte) bool {
	return bytes.HasPrefix(body, []byte(`{"apiVersion":"`+APIVersion+`","kind":"`+KindName+`",`))
}

// LeafHash returns the RFC 6962 leaf hash of a canonical entry.
func LeafHash(body []byte) [sha256.Size]byte {
	return [sha256.Size]byte(rfc6962.DefaultHasher.HashLeaf(body))
}

// Request is what the log is sent: Head, the artifact in standard base64, and Tail.
type Request struct{ Head, Tail []byte }

// contentAt is behind what stands before the members of "data".
var contentAt = len(`{"apiVersion":"` + APIVersion + `","kind":"` + KindName + `","spec":{"data":{`)

// NewRequest returns the request for a canonical entry. The log compares the digest in it with the artifact's.
func NewRequest(body []byte) Request {
	return Request{
		Head: append(bytes.Clone(body[:contentAt]), `"content":"`...),
		Tail: append([]byte(`",`), body[contentAt:]...),
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package hashedrekord encodes and reads the canonical body of a Rekor v2 hashedrekord entry
// (version 0.0.2), and of Rekor v1's (version 0.0.1): the bytes whose RFC 6962 hash is the log's leaf.
//
// A gateway's own log has the same bodies, with more algorithms, and one kind more, signedmessage 0.0.1: a hashedrekord of a pure Ed25519
// signature that holds the message as well, for which the digest alone is no proof:
//
//	{"apiVersion":"0.0.1","kind":"signedmessage","spec":{"signedMessageV001":{
//	  "data":{"algorithm":"SHA2_256","digest":BASE64,"message":BASE64},
//	  "signature":{"content":BASE64,"verifier":{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":BASE64}}}}}}
//
// Source: rekor-tiles, api/proto/rekor/v2/hashedrekord.proto and verifier.proto; canonical
// form by RFC 8785 (JCS).
package hashedrekord

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// MaxBody is the largest canonical entry Rekor v2 stores, in bytes (a 16-bit length in its
// entry bundles).
const MaxBody = 65535

// Record is one hashedrekord: this key signed these digested bytes.
type Record struct {
	Digest      []byte // by the hash that KeyDetails names
	Signature   []byte
	SPKI        []byte // the key, DER; always set
	Certificate []byte // DER; when set it is logged in place of the key
	KeyDetails  commonpb.PublicKeyDetails
	// Message is what was signed, and Digest is of; nil but for pure Ed25519 in a gateway's own log, where not all records have it.
	Message []byte
}

// form is a canonical entry without its values. Its members are in the order of RFC 8785, and texts in it are ASCII that JSON
// does not escape, so that each is what stands between two quotation marks.
type form struct {
	parts   []string
	message bool // there is one, and what follows stands messageParts later
}

var (
	plainForm = form{parts: strings.Split(`{"apiVersion":"`+APIVersion+`","kind":"`+KindName+`","spec":{"hashedRekordV002":{`+
		`"data":{"algorithm":"","digest":""},`+
		`"signature":{"content":"","verifier":{"keyDetails":"","publicKey":{"rawBytes":""}}}}}}`, `"`)}
	messageForm = form{message: true, parts: strings.Split(`{"apiVersion":"`+messageVersion+`","kind":"`+messageName+`","spec":{"signedMessageV001":{`+
		`"data":{"algorithm":"","digest":"","message":""},`+
		`"signature":{"content":"","verifier":{"keyDetails":"","publicKey":{"rawBytes":""}}}}}}`, `"`)}
)

// Where in plainForm the values stand.
const (
	algorithmPart  = 17
	digestPart     = 21
	signaturePart  = 27
	keyDetailsPart = 33
	verifierPart   = 35 // what rawPart is
	rawPart        = 39

	messagePart  = 25 // of messageForm alone
	messageParts = 4
)

// at returns where in f the value stands that has a place in plainForm.
func (f form) at(part int) int {
	if f.message && part > digestPart {
		return part + messageParts
	}
	return part
}

// What verifierPart says.
const (
	publicKey   = "publicKey"
	certificate = "x509Certificate"
)

// Kind names the entries of this package: kind and API version.
const (
	KindName   = "hashedrekord"
	APIVersion = "0.0.2"
	Kind       = KindName + "/" + APIVersion

	messageName    = "signedmessage"
	messageVersion = "0.0.1"
	MessageKind    = messageName + "/" + messageVersion
)

// Kind names the kind of entry that a log with this list has for r.
func (list Algorithms) Kind(r Record) string {
	if list.v1 {
		return V1Kind
	}
	return r.Kind()
}

// Kind names the kind of entry that r is in, in Rekor v2 and a gateway's own log.
func (r Record) Kind() string {
	if r.Message != nil {
		return MessageKind
	}
	return Kind
}

// Body is Algorithms.Body for Rekor v2.
func Body(r Record) ([]byte, error) { return RekorV2.Body(r) }

// Parse is Algorithms.Parse for Rekor v2.
func Parse(body []byte) (Record, error) { return RekorV2.Parse(body) }

// Body returns the canonical entry for r. It fails when a part is missing, the digest does
// not fit KeyDetails or the message, or the entry would be over MaxBody.
func (list Algorithms) Body(r Record) ([]byte, error) { return list.appendBody(nil, r) }

// appendBody is Body in dst, which is empty.
func (list Algorithms) appendBody(dst []byte, r Record) ([]byte, error) {
	a, ok := list.find(r)
	if !ok {
		return nil, fmt.Errorf("no hashedrekord for %v", r.KeyDetails)
	}
	if len(r.Digest) != a.size || len(r.Signature) == 0 || len(r.SPKI) == 0 {
		return nil, fmt.Errorf("incomplete hashedrekord: digest of %d bytes, signature of %d, key of %d",
			len(r.Digest), len(r.Signature), len(r.SPKI))
	}
	if err := checkMessage(a, r); err != nil {
		return nil, err
	}
	var body []byte
	if list.v1 {
		body = r.encodeV1(a)
	} else {
		body = r.encode(dst, a)
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("entry of %d bytes is over the log's %d", len(body), MaxBody)
	}
	return body, nil
}

// checkMessage refuses a message that is not what the digest is of, and one where none belongs.
func checkMessage(a algorithm, r Record) error {
	if r.Message == nil {
		return nil
	}
	digest := sha256.Sum256(r.Message)
	if a.scheme != formats.Ed25519 || len(r.Message) == 0 || len(r.Certificate) > 0 || !bytes.Equal(digest[:], r.Digest) {
		return errors.New("a message is for pure Ed25519 by a bare key, and the digest has to be its own")
	}
	return nil
}

// encode returns the entry, whose digest is by a, in body, which is empty.
func (r Record) encode(body []byte, a algorithm) []byte {
	f := plainForm
	if r.Message != nil {
		f = messageForm
	}
	verifier, raw := publicKey, r.SPKI
	if len(r.Certificate) > 0 {
		verifier, raw = certificate, r.Certificate
	}
	body = slices.Grow(body, fixedSize+base64.StdEncoding.EncodedLen(len(r.Message))+base64.StdEncoding.EncodedLen(len(r.Signature))+base64.StdEncoding.EncodedLen(len(raw)))
	for i, part := range f.parts {
		if i > 0 {
			body = append(body, '"')
		}
		switch {
		case i == algorithmPart:
			body = append(body, a.output.String()...)
		case i == digestPart:
			body = base64.StdEncoding.AppendEncode(body, r.Digest)
		case f.message && i == messagePart:
			body = base64.StdEncoding.AppendEncode(body, r.Message)
		case i == f.at(signaturePart):
			body = base64.StdEncoding.AppendEncode(body, r.Signature)
		case i == f.at(keyDetailsPart):
			body = append(body, r.KeyDetails.String()...)
		case i == f.at(verifierPart):
			body = append(body, verifier...)
		case i == f.at(rawPart):
			body = base64.StdEncoding.AppendEncode(body, raw)
		default:
			body = append(body, part...)
		}
	}
	return body
}

// errNotCanonical is returned for what Body does not produce.
var errNotCanonical = errors.New("entry is not a canonical hashedrekord 0.0.2, or another that the log has")

// Parse reads a canonical entry. It accepts exactly what Body produces: Body(Parse(b)) is b. That comparison is the check,
// so that the values are taken from where they have to stand, and nothing else is looked at.
func (list Algorithms) Parse(body []byte) (Record, error) {
	var r Record
	var err error
	wrong := errNotCanonical
	if list.v1 {
		wrong = errNotCanonicalV1
		r, err = list.readV1(body)
	} else {
		r, err = readValues(body)
	}
	if err != nil {
		return Record{}, err
	}
	again, err := list.appendBody(make([]byte, 0, usualBody), r) // on the stack
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(again, body) {
		return Record{}, wrong
	}
	return r, nil
}

// Sizes in bytes: what an entry has beside message, signature and key at most, and of one by a key that is not RSA.
const (
	fixedSize = 384
	usualBody = 1 << 10
)

// ParseKind reads a canonical entry of Rekor, of the kind that is stored beside it.
func ParseKind(kind string, body []byte) (Record, error) {
	if kind == V1Kind {
		return RekorV1.Parse(body)
	}
	return RekorV2.Parse(body)
}

const mostParts = 64

// splitQuotes appends to parts what stands between quotation marks, until there are more parts than any form has.
func splitQuotes(parts [][]byte, body []byte) [][]byte {
	for more := true; more && len(parts) <= len(messageForm.parts); {
		var part []byte
		part, body, more = bytes.Cut(body, []byte(`"`))
		parts = append(parts, part)
	}
	return parts
}

// readValues returns the values of a body that is not Rekor v1's, which is one if they encode to it again.
func readValues(body []byte) (Record, error) {
	values := splitQuotes(make([][]byte, 0, mostParts), body)
	f := plainForm
	switch len(values) {
	case len(plainForm.parts):
	case len(messageForm.parts):
		f = messageForm
	default:
		return Record{}, errNotCanonical
	}
	decode := func(part int) []byte {
		value, _ := base64.StdEncoding.AppendDecode(nil, values[part]) // what is wrong does not encode to the same
		return value
	}
	r := Record{
		Digest: decode(digestPart), Signature: decode(f.at(signaturePart)),
		KeyDetails: commonpb.PublicKeyDetails(commonpb.PublicKeyDetails_value[string(values[f.at(keyDetailsPart)])]),
	}
	if f.message {
		r.Message = append([]byte{}, decode(messagePart)...)
	}
	raw := decode(f.at(rawPart))
	if string(values[f.at(verifierPart)]) != certificate {
		r.SPKI = raw
		return r, nil
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return Record{}, fmt.Errorf("reading the entry's certificate: %w", err)
	}
	r.SPKI, r.Certificate = cert.RawSubjectPublicKeyInfo, raw
	return r, nil
}

// LeafHash returns the RFC 6962 leaf hash of a canonical entry.
func LeafHash(body []byte) [sha256.Size]byte {
	return tlog.RecordHash(body)
}

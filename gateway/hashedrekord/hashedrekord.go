// SPDX-License-Identifier: Apache-2.0

// Package hashedrekord encodes and reads the canonical body of a Rekor v2 hashedrekord entry
// (version 0.0.2): the bytes whose RFC 6962 hash is the log's leaf.
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
	"strings"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/transparency-dev/merkle/rfc6962"
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
}

// form is the canonical entry without its values. Its members are in the order of RFC 8785, and texts in it are ASCII that JSON
// does not escape, so that each is what stands between two quotation marks.
var form = strings.Split(`{"apiVersion":"`+APIVersion+`","kind":"`+KindName+`","spec":{"hashedRekordV002":{`+
	`"data":{"algorithm":"","digest":""},`+
	`"signature":{"content":"","verifier":{"keyDetails":"","publicKey":{"rawBytes":""}}}}}}`, `"`)

// Where in form the values stand.
const (
	algorithmPart  = 17
	digestPart     = 21
	signaturePart  = 27
	keyDetailsPart = 33
	verifierPart   = 35 // what rawPart is
	rawPart        = 39
)

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
)

// Body returns the canonical entry for r. It fails when a part is missing, the digest does
// not fit KeyDetails, or the entry would be over MaxBody.
func Body(r Record) ([]byte, error) {
	a, ok := findAlgorithm(r.KeyDetails)
	if !ok {
		return nil, fmt.Errorf("no hashedrekord for %v", r.KeyDetails)
	}
	if len(r.Digest) != a.size || len(r.Signature) == 0 || len(r.SPKI) == 0 {
		return nil, fmt.Errorf("incomplete hashedrekord: digest of %d bytes, signature of %d, key of %d",
			len(r.Digest), len(r.Signature), len(r.SPKI))
	}
	verifier, raw := publicKey, r.SPKI
	if len(r.Certificate) > 0 {
		verifier, raw = certificate, r.Certificate
	}
	body := make([]byte, 0, 512+2*(len(r.Signature)+len(raw)))
	for i, part := range form {
		if i > 0 {
			body = append(body, '"')
		}
		switch i {
		case algorithmPart:
			body = append(body, a.output.String()...)
		case digestPart:
			body = base64.StdEncoding.AppendEncode(body, r.Digest)
		case signaturePart:
			body = base64.StdEncoding.AppendEncode(body, r.Signature)
		case keyDetailsPart:
			body = append(body, r.KeyDetails.String()...)
		case verifierPart:
			body = append(body, verifier...)
		case rawPart:
			body = base64.StdEncoding.AppendEncode(body, raw)
		default:
			body = append(body, part...)
		}
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("entry of %d bytes is over the log's %d", len(body), MaxBody)
	}
	return body, nil
}

// errNotCanonical is returned for what Body does not produce.
var errNotCanonical = errors.New("entry is not a canonical hashedrekord 0.0.2")

// Parse reads a canonical entry. It accepts exactly what Body produces: Body(Parse(b)) is b. That comparison is the check,
// so that the values are taken from where they have to stand, and nothing else is looked at.
func Parse(body []byte) (Record, error) {
	r, err := readValues(bytes.SplitN(body, []byte(`"`), len(form)+1))
	if err != nil {
		return Record{}, err
	}
	again, err := Body(r)
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(again, body) {
		return Record{}, errNotCanonical
	}
	return r, nil
}

func readValues(values [][]byte) (Record, error) {
	if len(values) != len(form) {
		return Record{}, errNotCanonical
	}
	decode := func(part int) []byte {
		value, _ := base64.StdEncoding.AppendDecode(nil, values[part]) // what is wrong does not encode to the same
		return value
	}
	r := Record{
		Digest: decode(digestPart), Signature: decode(signaturePart),
		KeyDetails: commonpb.PublicKeyDetails(commonpb.PublicKeyDetails_value[string(values[keyDetailsPart])]),
	}
	raw := decode(rawPart)
	if string(values[verifierPart]) != certificate {
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
	return [sha256.Size]byte(rfc6962.DefaultHasher.HashLeaf(body))
}

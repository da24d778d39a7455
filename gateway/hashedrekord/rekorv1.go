// SPDX-License-Identifier: Apache-2.0

package hashedrekord

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// RekorV1 is what Rekor v1 takes (rekor 1.5, hashedrekord 0.0.1), but for pure Ed25519, whose signed bytes such an entry does not hold.
// Its bodies are those that the log makes of what it is sent, and are sent as they are:
//
//	{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{
//	  "data":{"hash":{"algorithm":"sha256","value":HEX}},"signature":{"content":BASE64,"publicKey":{"content":BASE64 of PEM}}}}
//
// They do not name the algorithm: the key and the hash say it.
var RekorV1 = Algorithms{rows: RekorV2.rows, v1: true}

// Kind names the entries of Rekor v1: kind and API version.
const (
	V1APIVersion = "0.0.1"
	V1Kind       = KindName + "/" + V1APIVersion
)

// v1Form is form for Rekor v1.
var v1Form = strings.Split(`{"apiVersion":"`+V1APIVersion+`","kind":"`+KindName+`","spec":{`+
	`"data":{"hash":{"algorithm":"","value":""}},"signature":{"content":"","publicKey":{"content":""}}}}`, `"`)

// Where in v1Form the values stand.
const (
	v1AlgorithmPart = 17
	v1DigestPart    = 21
	v1SignaturePart = 27
	v1KeyPart       = 33
)

// Types of the PEM blocks that the log makes.
const (
	publicKeyBlock   = "PUBLIC KEY"
	certificateBlock = "CERTIFICATE"
)

// encodeV1 returns the entry, whose digest is by a.
func (r Record) encodeV1(a algorithm) []byte {
	block := &pem.Block{Type: publicKeyBlock, Bytes: r.SPKI}
	if len(r.Certificate) > 0 {
		block = &pem.Block{Type: certificateBlock, Bytes: r.Certificate}
	}
	raw := pem.EncodeToMemory(block)
	body := make([]byte, 0, 512+2*(len(r.Signature)+len(raw)))
	for i, part := range v1Form {
		if i > 0 {
			body = append(body, '"')
		}
		switch i {
		case v1AlgorithmPart:
			body = append(body, a.hash...)
		case v1DigestPart:
			body = hex.AppendEncode(body, r.Digest)
		case v1SignaturePart:
			body = base64.StdEncoding.AppendEncode(body, r.Signature)
		case v1KeyPart:
			body = base64.StdEncoding.AppendEncode(body, raw)
		default:
			body = append(body, part...)
		}
	}
	return body
}

// errNotCanonicalV1 is errNotCanonical for Rekor v1.
var errNotCanonicalV1 = errors.New("entry is not a canonical hashedrekord 0.0.1 with one key or certificate")

// readV1 returns the values of a body, which is one if they encode to it again.
func (list Algorithms) readV1(body []byte) (Record, error) {
	values := bytes.SplitN(body, []byte(`"`), len(v1Form)+1)
	if len(values) != len(v1Form) {
		return Record{}, errNotCanonicalV1
	}
	digest, _ := hex.AppendDecode(nil, values[v1DigestPart]) // what is wrong does not encode to the same
	signature, _ := base64.StdEncoding.AppendDecode(nil, values[v1SignaturePart])
	raw, _ := base64.StdEncoding.AppendDecode(nil, values[v1KeyPart])
	r := Record{Digest: digest, Signature: signature}
	block, _ := pem.Decode(raw)
	if block == nil {
		return Record{}, errNotCanonicalV1
	}
	r.SPKI = block.Bytes
	if block.Type == certificateBlock {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Record{}, fmt.Errorf("reading the entry's certificate: %w", err)
		}
		r.SPKI, r.Certificate = cert.RawSubjectPublicKeyInfo, block.Bytes
	}
	var err error
	r.KeyDetails, err = list.detailsOf(r.SPKI, formats.DigestAlgorithm(values[v1AlgorithmPart]))
	return r, err
}

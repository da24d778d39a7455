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
	"encoding/json"
	"fmt"
	"io"

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

// entry and what is in it have their members in the order of RFC 8785, and texts in it are ASCII that JSON does not
// escape, so that its plain encoding is the canonical one.
type entry struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		HashedRekord spec `json:"hashedRekordV002"`
	} `json:"spec"`
}

type spec struct {
	Data struct {
		Algorithm string `json:"algorithm"`
		Digest    []byte `json:"digest"`
	} `json:"data"`
	Signature struct {
		Content  []byte `json:"content"`
		Verifier struct {
			KeyDetails  string    `json:"keyDetails"`
			PublicKey   *rawBytes `json:"publicKey,omitempty"`
			Certificate *rawBytes `json:"x509Certificate,omitempty"`
		} `json:"verifier"`
	} `json:"signature"`
}

type rawBytes struct {
	RawBytes []byte `json:"rawBytes"`
}

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
	e := entry{APIVersion: APIVersion, Kind: KindName}
	s := &e.Spec.HashedRekord
	s.Data.Algorithm, s.Data.Digest = a.output.String(), r.Digest
	s.Signature.Content = r.Signature
	s.Signature.Verifier.KeyDetails = r.KeyDetails.String()
	if len(r.Certificate) > 0 {
		s.Signature.Verifier.Certificate = &rawBytes{r.Certificate}
	} else {
		s.Signature.Verifier.PublicKey = &rawBytes{r.SPKI}
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding entry: %w", err)
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("entry of %d bytes is over the log's %d", len(body), MaxBody)
	}
	return body, nil
}

// Parse reads a canonical entry. It accepts exactly what Body produces: Body(Parse(b)) is b.
func Parse(body []byte) (Record, error) {
	var e entry
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return Record{}, fmt.Errorf("reading entry: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Record{}, fmt.Errorf("reading entry: trailing data")
	}
	r, err := e.toRecord()
	if err != nil {
		return Record{}, err
	}
	again, err := Body(r)
	if err != nil {
		return Record{}, err
	}
	if !bytes.Equal(again, body) {
		return Record{}, fmt.Errorf("entry is not a canonical hashedrekord 0.0.2")
	}
	return r, nil
}

func (e *entry) toRecord() (Record, error) {
	s := e.Spec.HashedRekord
	v := s.Signature.Verifier
	r := Record{
		Digest: s.Data.Digest, Signature: s.Signature.Content,
		KeyDetails: commonpb.PublicKeyDetails(commonpb.PublicKeyDetails_value[v.KeyDetails]),
	}
	switch {
	case v.PublicKey != nil && v.Certificate == nil:
		r.SPKI = v.PublicKey.RawBytes
	case v.Certificate != nil && v.PublicKey == nil:
		cert, err := x509.ParseCertificate(v.Certificate.RawBytes)
		if err != nil {
			return Record{}, fmt.Errorf("reading the entry's certificate: %w", err)
		}
		r.SPKI, r.Certificate = cert.RawSubjectPublicKeyInfo, v.Certificate.RawBytes
	default:
		return Record{}, fmt.Errorf("entry has no single key or certificate")
	}
	return r, nil
}

// LeafHash returns the RFC 6962 leaf hash of a canonical entry.
func LeafHash(body []byte) [sha256.Size]byte {
	return [sha256.Size]byte(rfc6962.DefaultHasher.HashLeaf(body))
}

// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"bytes"
	"crypto/x509"
	"fmt"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// algorithm is what a keyDetails says of a signature, apart from the key.
type algorithm struct {
	scheme formats.Scheme
	hash   formats.DigestAlgorithm
}

// algorithmOf undoes formats.Candidate.KeyDetails.
func algorithmOf(d commonpb.PublicKeyDetails) (algorithm, bool) {
	hash, ok := hashedrekord.HashAlgorithm(d)
	if !ok {
		return algorithm{}, false
	}
	a := algorithm{scheme: formats.RSAPKCS1v15}
	switch d {
	case commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384,
		commonpb.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512:
		a.scheme = formats.ECDSA
	case commonpb.PublicKeyDetails_PKIX_ED25519_PH:
		a.scheme = formats.Ed25519ph
	}
	switch hash {
	case commonpb.HashAlgorithm_SHA2_256:
		a.hash = formats.SHA256
	case commonpb.HashAlgorithm_SHA2_384:
		a.hash = formats.SHA384
	case commonpb.HashAlgorithm_SHA2_512:
		a.hash = formats.SHA512
	}
	return a, true
}

// Accepts implements gateway.Log.
func (l *Log) Accepts(c formats.Candidate) error { return Acceptor{}.Accepts(c) }

// Acceptor says what Rekor v2 takes, without a log: for planning offline.
type Acceptor struct{}

// Accepts reports whether a Rekor v2 log takes c; see gateway.Log.
func (Acceptor) Accepts(c formats.Candidate) error {
	d, err := c.KeyDetails()
	if err != nil {
		return err
	}
	if _, ok := hashedrekord.HashAlgorithm(d); !ok {
		return formats.NewError(formats.ReasonAlgorithmNotLoggable, fmt.Sprintf("the log does not take %v", d), c.Remedy)
	}
	return strictKey(c.SPKI)
}

// Prepare implements gateway.Log. It refuses whatever the log would, and some things that the
// log would take but others might read in another way. A body within hashedrekord.MaxBody
// makes a request far below the server's limit of 4 MiB.
func (l *Log) Prepare(r hashedrekord.Record) (gateway.NewEntry, error) {
	a, ok := algorithmOf(r.KeyDetails)
	if !ok {
		return gateway.NewEntry{}, formats.NewError(formats.ReasonAlgorithmNotLoggable,
			fmt.Sprintf("the log does not take %v", r.KeyDetails), "")
	}
	if err := strictKey(r.SPKI); err != nil {
		return gateway.NewEntry{}, err
	}
	if err := sameKey(r); err != nil {
		return gateway.NewEntry{}, err
	}
	if err := verifyRecord(r, a); err != nil {
		return gateway.NewEntry{}, err
	}
	body, err := encode(r)
	if err != nil {
		return gateway.NewEntry{}, err
	}
	return gateway.NewEntry{Log: l.cfg.ID, LeafHash: hashedrekord.LeafHash(body), Body: body}, nil
}

// strictKey refuses a public key that is not in the one DER form that it encodes to again.
func strictKey(spki []byte) error {
	pub, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key is not a PKIX public key", "")
	}
	again, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil || !bytes.Equal(again, spki) {
		return formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key is not in strict DER form",
			"convert it with: openssl pkey -pubin -outform DER")
	}
	return nil
}

// sameKey refuses a certificate that is for another key.
func sameKey(r hashedrekord.Record) error {
	if len(r.Certificate) == 0 {
		return nil
	}
	cert, err := x509.ParseCertificate(r.Certificate)
	if err != nil {
		return formats.WrapError(err, formats.ReasonMalformedKey, "the signer's certificate could not be read", "")
	}
	if !bytes.Equal(cert.RawSubjectPublicKeyInfo, r.SPKI) {
		return formats.NewError(formats.ReasonKeyMismatch, "the certificate is for another key", "")
	}
	return nil
}

// verifyRecord checks that the key is what KeyDetails says and that it made the signature.
func verifyRecord(r hashedrekord.Record, a algorithm) error {
	candidate := formats.Candidate{SPKI: r.SPKI, Scheme: a.scheme, Hash: a.hash}
	d, err := candidate.KeyDetails()
	if err != nil {
		return err
	}
	if d != r.KeyDetails {
		return formats.NewError(formats.ReasonAlgorithmNotLoggable,
			fmt.Sprintf("the key is %v, not %v", d, r.KeyDetails), "")
	}
	return formats.Projection{
		Candidate: candidate,
		Digest:    formats.Digest{Algorithm: a.hash, Value: r.Digest},
		Signature: r.Signature,
	}.VerifyDigest()
}

// encode returns the canonical body, which reads back as r.
func encode(r hashedrekord.Record) ([]byte, error) {
	body, err := hashedrekord.Body(r)
	if err != nil {
		return nil, formats.WrapError(err, formats.ReasonTooLarge,
			fmt.Sprintf("the entry is over the log's %d bytes", hashedrekord.MaxBody),
			"submit the public key instead of a large certificate")
	}
	if _, err := hashedrekord.Parse(body); err != nil {
		return nil, formats.WrapError(err, formats.ReasonMalformedKey, "the entry does not read back as it was written", "")
	}
	return body, nil
}

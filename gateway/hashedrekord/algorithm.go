// SPDX-License-Identifier: Apache-2.0

package hashedrekord

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// algorithm is one row of what a log takes: a kind of key with a scheme and a hash.
type algorithm struct {
	details commonpb.PublicKeyDetails
	scheme  formats.Scheme
	hash    formats.DigestAlgorithm
	output  commonpb.HashAlgorithm // the same hash, as Sigstore's messages name it
	size    int                    // of the digest, in bytes
	fits    func(crypto.PublicKey) bool
}

// Algorithms is what a log takes. Where two rows have a name in common, the size of the digest tells them apart, and of two that fit a
// key and its hash the first one counts: each signature has one name.
type Algorithms struct {
	rows []algorithm
	v1   bool // bodies are Rekor v1's
}

// RekorV2 is all that Rekor v2 takes (rekor-tiles, hashedrekord 0.0.2).
var RekorV2 = Algorithms{rows: []algorithm{
	{commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256, formats.RSAPKCS1v15, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(2048)},
	{commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_3072_SHA256, formats.RSAPKCS1v15, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(3072)},
	{commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256, formats.RSAPKCS1v15, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(4096)},
	{commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256, formats.ECDSA, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, ecdsaOn(elliptic.P256())},
	{commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384, formats.ECDSA, formats.SHA384, commonpb.HashAlgorithm_SHA2_384, sha512.Size384, ecdsaOn(elliptic.P384())},
	{commonpb.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512, formats.ECDSA, formats.SHA512, commonpb.HashAlgorithm_SHA2_512, sha512.Size, ecdsaOn(elliptic.P521())},
	{commonpb.PublicKeyDetails_PKIX_ED25519_PH, formats.Ed25519ph, formats.SHA512, commonpb.HashAlgorithm_SHA2_512, sha512.Size, isEd25519},
}}

func rsaOf(bits int) func(crypto.PublicKey) bool {
	return func(k crypto.PublicKey) bool {
		key, ok := k.(*rsa.PublicKey)
		return ok && key.N.BitLen() == bits
	}
}

func ecdsaOn(curve elliptic.Curve) func(crypto.PublicKey) bool {
	return func(k crypto.PublicKey) bool {
		key, ok := k.(*ecdsa.PublicKey)
		return ok && key.Curve == curve
	}
}

func isEd25519(k crypto.PublicKey) bool {
	_, ok := k.(ed25519.PublicKey)
	return ok
}

// find returns the row of a record; where the digest has the length of none, one of the same name.
func (list Algorithms) find(r Record) (row algorithm, found bool) {
	for _, a := range list.rows {
		if a.details == r.KeyDetails && (!found || a.size == len(r.Digest)) {
			row, found = a, true
		}
	}
	return row, found
}

// KeyDetails is Algorithms.KeyDetails for Rekor v2.
func KeyDetails(c formats.Candidate) (commonpb.PublicKeyDetails, error) { return RekorV2.KeyDetails(c) }

// KeyDetails returns the PKIX name that logs and Sigstore bundles give to c's algorithm. Errors
// have ReasonMalformedKey, or ReasonAlgorithmNotLoggable with c's remedy as hint; ReasonNotProjectable for pure Ed25519.
func (list Algorithms) KeyDetails(c formats.Candidate) (commonpb.PublicKeyDetails, error) {
	pub, err := formats.ParseSPKI(c.SPKI)
	if err != nil {
		return 0, formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key is not a PKIX public key", "")
	}
	for _, a := range list.rows {
		if a.scheme == c.Scheme && a.hash == c.Hash && a.fits(pub) {
			return a.details, nil
		}
	}
	if c.Scheme == formats.Ed25519 {
		return 0, formats.NewError(formats.ReasonNotProjectable,
			"Ed25519 keys sign the bytes themselves, for which a log entry would have to hold them", c.Remedy)
	}
	return 0, formats.NewError(formats.ReasonAlgorithmNotLoggable,
		fmt.Sprintf("the log has no entry for %s with %s over %s", c.Scheme, formats.KeyName(pub), c.Hash), c.Remedy)
}

// detailsOf returns the name of the algorithm of a key with a hash, where the log takes just one.
func (list Algorithms) detailsOf(spki []byte, hash formats.DigestAlgorithm) (commonpb.PublicKeyDetails, error) {
	pub, err := formats.ParseSPKI(spki)
	if err != nil {
		return 0, fmt.Errorf("reading the entry's key: %w", err)
	}
	for _, a := range list.rows {
		if a.hash == hash && a.fits(pub) {
			return a.details, nil
		}
	}
	return 0, fmt.Errorf("no hashedrekord for %s over %.20s", formats.KeyName(pub), hash)
}

// HashAlgorithm returns the algorithm of r's digest, and false when the log does not take r's KeyDetails.
func (list Algorithms) HashAlgorithm(r Record) (commonpb.HashAlgorithm, bool) {
	a, ok := list.find(r)
	return a.output, ok
}

// Projection is Algorithms.Projection for Rekor v2.
func (r Record) Projection() (formats.Projection, error) { return RekorV2.Projection(r) }

// Projection returns r as the signature over a digest that it is. It is not verified yet, and
// the error is ReasonAlgorithmNotLoggable for KeyDetails that the log does not take.
func (list Algorithms) Projection(r Record) (formats.Projection, error) {
	a, ok := list.find(r)
	if !ok {
		return formats.Projection{}, formats.NewError(formats.ReasonAlgorithmNotLoggable, fmt.Sprintf("the log does not take %v", r.KeyDetails), "")
	}
	return formats.Projection{
		Candidate: formats.Candidate{SPKI: r.SPKI, Scheme: a.scheme, Hash: a.hash},
		Digest:    formats.Digest{Algorithm: a.hash, Value: r.Digest}, Signature: r.Signature, Message: r.Message, Certificate: r.Certificate,
	}, nil
}

// Verify is Algorithms.Verify for Rekor v2.
func (r Record) Verify() error { return RekorV2.Verify(r, formats.Projection{}) }

// Verify checks that r's key is of the kind that KeyDetails names and made the signature over the digest. What known.Check has noted is
// not computed again, where r was made of known and says the same. Errors are *formats.Error; with ReasonNeedsBytes for a pure Ed25519
// signature without its message, which nobody can verify by the record alone.
func (list Algorithms) Verify(r Record, known formats.Projection) error {
	p, err := list.Projection(r)
	if err != nil {
		return err
	}
	d, err := list.KeyDetails(p.Candidate)
	if err != nil {
		return err
	}
	if d != r.KeyDetails {
		return formats.NewError(formats.ReasonAlgorithmNotLoggable, fmt.Sprintf("the key is %v, not %v", d, r.KeyDetails), "")
	}
	return p.WithCheckOf(known).VerifyDigest()
}

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

// algorithm is one row of what Rekor v2 takes: a kind of key with a scheme and a hash.
type algorithm struct {
	details commonpb.PublicKeyDetails
	scheme  formats.Scheme
	hash    formats.DigestAlgorithm
	output  commonpb.HashAlgorithm // the same hash, as Sigstore's messages name it
	size    int                    // of the digest, in bytes
	fits    func(crypto.PublicKey) bool
}

// algorithms is all that Rekor v2 takes (rekor-tiles, hashedrekord 0.0.2). Other logs and other entry
// kinds have tables of their own.
var algorithms = []algorithm{
	{commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256, formats.RSAPKCS1v15, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(2048)},
	{commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_3072_SHA256, formats.RSAPKCS1v15, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(3072)},
	{commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_4096_SHA256, formats.RSAPKCS1v15, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(4096)},
	{commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256, formats.ECDSA, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, ecdsaOn(elliptic.P256())},
	{commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_384, formats.ECDSA, formats.SHA384, commonpb.HashAlgorithm_SHA2_384, sha512.Size384, ecdsaOn(elliptic.P384())},
	{commonpb.PublicKeyDetails_PKIX_ECDSA_P521_SHA_512, formats.ECDSA, formats.SHA512, commonpb.HashAlgorithm_SHA2_512, sha512.Size, ecdsaOn(elliptic.P521())},
	{commonpb.PublicKeyDetails_PKIX_ED25519_PH, formats.Ed25519ph, formats.SHA512, commonpb.HashAlgorithm_SHA2_512, sha512.Size, isEd25519},
}

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

func findAlgorithm(d commonpb.PublicKeyDetails) (algorithm, bool) {
	for _, a := range algorithms {
		if a.details == d {
			return a, true
		}
	}
	return algorithm{}, false
}

// KeyDetails returns the PKIX name that Rekor v2 and Sigstore bundles give to c's algorithm. Errors
// have ReasonMalformedKey, or ReasonAlgorithmNotLoggable with c's remedy as hint.
func KeyDetails(c formats.Candidate) (commonpb.PublicKeyDetails, error) {
	pub, err := formats.ParseSPKI(c.SPKI)
	if err != nil {
		return 0, formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key is not a PKIX public key", "")
	}
	for _, a := range algorithms {
		if a.scheme == c.Scheme && a.hash == c.Hash && a.fits(pub) {
			return a.details, nil
		}
	}
	return 0, formats.NewError(formats.ReasonAlgorithmNotLoggable,
		fmt.Sprintf("the log has no entry for %s with %s over %s", c.Scheme, formats.KeyName(pub), c.Hash), c.Remedy)
}

// HashAlgorithm returns the digest algorithm that goes with d, and false when Rekor v2 does
// not take d.
func HashAlgorithm(d commonpb.PublicKeyDetails) (commonpb.HashAlgorithm, bool) {
	a, ok := findAlgorithm(d)
	return a.output, ok
}

// Projection returns the record as the signature over a digest that it is. It is not verified yet, and
// the error is ReasonAlgorithmNotLoggable for KeyDetails that Rekor v2 does not take.
func (r Record) Projection() (formats.Projection, error) {
	a, ok := findAlgorithm(r.KeyDetails)
	if !ok {
		return formats.Projection{}, formats.NewError(formats.ReasonAlgorithmNotLoggable, fmt.Sprintf("the log does not take %v", r.KeyDetails), "")
	}
	return formats.Projection{
		Candidate: formats.Candidate{SPKI: r.SPKI, Scheme: a.scheme, Hash: a.hash},
		Digest:    formats.Digest{Algorithm: a.hash, Value: r.Digest}, Signature: r.Signature, Certificate: r.Certificate,
	}, nil
}

// Verify checks that the record's key is of the kind that KeyDetails names and made the signature
// over the digest. Errors are *formats.Error.
func (r Record) Verify() error { return r.VerifyKnown(formats.Projection{}) }

// VerifyKnown is Verify for a record that was made of a projection: what known.Check has noted is not computed again,
// where the record says the same.
func (r Record) VerifyKnown(known formats.Projection) error {
	p, err := r.Projection()
	if err != nil {
		return err
	}
	d, err := KeyDetails(p.Candidate)
	if err != nil {
		return err
	}
	if d != r.KeyDetails {
		return formats.NewError(formats.ReasonAlgorithmNotLoggable, fmt.Sprintf("the key is %v, not %v", d, r.KeyDetails), "")
	}
	return p.WithCheckOf(known).VerifyDigest()
}

// SPDX-License-Identifier: Apache-2.0

package hashedrekord

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"slices"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Names of Sigstore's enumeration that say neither how large the key is nor which hash goes with it: in a record both are beside them. They
// are deprecated there for just that.
const (
	rsaPKCS1v15 = commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V5 //nolint:staticcheck // see above
	rsaPSS      = commonpb.PublicKeyDetails_PKIX_RSA_PSS     //nolint:staticcheck // see above

	ecdsaP384SHA256 = commonpb.PublicKeyDetails_PKIX_ECDSA_P384_SHA_256 //nolint:staticcheck // a digest shorter than the curve is bound whole
	ecdsaP521SHA256 = commonpb.PublicKeyDetails_PKIX_ECDSA_P521_SHA_256 //nolint:staticcheck // as above
)

// Own is all that a gateway's own log takes: what Rekor v2 does, under the same names; RSA of other sizes and with other hashes; RSA-PSS;
// curves larger than their hash; and pure Ed25519. A hash that is longer than its curve is not among them: ECDSA drops the end of its digest.
var Own = Algorithms{rows: slices.Concat(RekorV2.rows, []algorithm{
	{rsaPKCS1v15, formats.RSAPKCS1v15, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, isRSA},
	{rsaPKCS1v15, formats.RSAPKCS1v15, formats.SHA384, commonpb.HashAlgorithm_SHA2_384, sha512.Size384, isRSA},
	{rsaPKCS1v15, formats.RSAPKCS1v15, formats.SHA512, commonpb.HashAlgorithm_SHA2_512, sha512.Size, isRSA},
	{commonpb.PublicKeyDetails_PKIX_RSA_PSS_2048_SHA256, formats.RSAPSS, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(2048)},
	{commonpb.PublicKeyDetails_PKIX_RSA_PSS_3072_SHA256, formats.RSAPSS, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(3072)},
	{commonpb.PublicKeyDetails_PKIX_RSA_PSS_4096_SHA256, formats.RSAPSS, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, rsaOf(4096)},
	{rsaPSS, formats.RSAPSS, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, isRSA},
	{rsaPSS, formats.RSAPSS, formats.SHA384, commonpb.HashAlgorithm_SHA2_384, sha512.Size384, isRSA},
	{rsaPSS, formats.RSAPSS, formats.SHA512, commonpb.HashAlgorithm_SHA2_512, sha512.Size, isRSA},
	{ecdsaP384SHA256, formats.ECDSA, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, ecdsaOn(elliptic.P384())},
	{ecdsaP521SHA256, formats.ECDSA, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, ecdsaOn(elliptic.P521())},
	{commonpb.PublicKeyDetails_PKIX_ED25519, formats.Ed25519, formats.SHA256, commonpb.HashAlgorithm_SHA2_256, sha256.Size, isEd25519},
})}

// Sizes of RSA keys in bits: smaller ones are broken, larger ones cost a verifier too much.
const (
	minRSA = 2048
	maxRSA = 16384
)

func isRSA(k crypto.PublicKey) bool {
	key, ok := k.(*rsa.PublicKey)
	return ok && key.N.BitLen() >= minRSA && key.N.BitLen() <= maxRSA
}

// SPDX-License-Identifier: Apache-2.0

package pkcs7

import encoding "encoding/asn1"

// algorithmNames are for messages alone.
var algorithmNames = map[string]string{
	"1.2.840.113549.2.2":      "MD2",
	"1.2.840.113549.2.5":      "MD5",
	"1.3.14.3.2.26":           "SHA-1",
	"1.3.36.3.2.1":            "RIPEMD-160",
	"2.16.840.1.101.3.4.2.1":  "SHA-256",
	"2.16.840.1.101.3.4.2.2":  "SHA-384",
	"2.16.840.1.101.3.4.2.3":  "SHA-512",
	"2.16.840.1.101.3.4.2.4":  "SHA-224",
	"2.16.840.1.101.3.4.2.5":  "SHA-512/224",
	"2.16.840.1.101.3.4.2.6":  "SHA-512/256",
	"2.16.840.1.101.3.4.2.7":  "SHA3-224",
	"2.16.840.1.101.3.4.2.8":  "SHA3-256",
	"2.16.840.1.101.3.4.2.9":  "SHA3-384",
	"2.16.840.1.101.3.4.2.10": "SHA3-512",
	"2.16.840.1.101.3.4.2.11": "SHAKE128",
	"2.16.840.1.101.3.4.2.12": "SHAKE256",
	"2.16.840.1.101.3.4.2.17": "SHAKE128",
	"2.16.840.1.101.3.4.2.18": "SHAKE256",
	"1.2.840.113549.1.1.1":    "rsaEncryption",
	"1.2.840.113549.1.1.2":    "md2WithRSAEncryption",
	"1.2.840.113549.1.1.4":    "md5WithRSAEncryption",
	"1.2.840.113549.1.1.5":    "sha1WithRSAEncryption",
	"1.2.840.113549.1.1.10":   "RSASSA-PSS",
	"1.2.840.113549.1.1.11":   "sha256WithRSAEncryption",
	"1.2.840.113549.1.1.12":   "sha384WithRSAEncryption",
	"1.2.840.113549.1.1.13":   "sha512WithRSAEncryption",
	"1.2.840.113549.1.1.14":   "sha224WithRSAEncryption",
	"1.2.840.10045.2.1":       "id-ecPublicKey",
	"1.2.840.10045.4.1":       "ecdsa-with-SHA1",
	"1.2.840.10045.4.2":       "ecdsa-with-Recommended",
	"1.2.840.10045.4.3":       "ecdsa-with-Specified",
	"1.2.840.10045.4.3.1":     "ecdsa-with-SHA224",
	"1.2.840.10045.4.3.2":     "ecdsa-with-SHA256",
	"1.2.840.10045.4.3.3":     "ecdsa-with-SHA384",
	"1.2.840.10045.4.3.4":     "ecdsa-with-SHA512",
	"1.3.101.112":             "Ed25519",
	"1.3.101.113":             "Ed448",
	"1.2.156.10197.1.301":     "SM2",
	"2.16.840.1.101.3.4.3.17": "ML-DSA-44",
	"2.16.840.1.101.3.4.3.18": "ML-DSA-65",
	"2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

// nameAlgorithm returns the usual name, or the object identifier.
func nameAlgorithm(id encoding.ObjectIdentifier) string {
	if name, ok := algorithmNames[id.String()]; ok {
		return name
	}
	return id.String()
}

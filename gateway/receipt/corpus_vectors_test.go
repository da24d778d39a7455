// SPDX-License-Identifier: Apache-2.0

//go:build corpus

package receipt_test

import (
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// corpusVectors are all that receipts have been made of. Add to them, and change none: a folder
// that is there is not made again.
var corpusVectors = slices.Concat(x509Vectors, pgpVectors, sshVectors, pkcs7Vectors, minisignVectors, tufVectors, ownVectors)

var x509Vectors = []vector{
	{
		name: "x509-bundle", about: "a Sigstore bundle by a key",
		format: "x509", signature: "bundles/p256.json", keys: "bundles/p256.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-bundle-certificate", about: "a Sigstore bundle by a certificate, which has expired since",
		format: "x509", signature: "bundles/certificate.json", artifact: "artifact.bin", want: gateway.Native, expected: "bundles/certificate.pem", also: "bundles/p256.pem",
	},
	{
		name: "x509-bundle-p384", about: "a Sigstore bundle with a SHA-384 digest",
		format: "x509", signature: "bundles/p384.json", keys: "bundles/p384.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-bundle-ed25519", about: "a Sigstore bundle over the artifact itself",
		format: "x509", signature: "bundles/ed25519.json", keys: "bundles/ed25519.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "x509-cosign-bundle", about: "cosign's older bundle",
		format: "x509", signature: "bundles/certificate-cosign.json", artifact: "artifact.bin", want: gateway.Native, expected: "bundles/certificate.pem",
	},
	{
		name: "x509-rsa2048-sha512-excluded", about: "RSA with SHA-512; the checks name each protocol that was excluded",
		format: "x509", signature: "rsa2048-sha512.sig", keys: "rsa2048.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "x509-rsa2048-sha512-not-excluded", about: "RSA with SHA-512, the digest alone; no protocol was excluded, and a note says so",
		format: "x509", signature: "rsa2048-sha512.sig", keys: "rsa2048.pem", artifact: "artifact.bin", want: gateway.Attested, digest: formats.SHA512,
	},
	{
		name: "x509-p256-excluded", about: "ECDSA P-256; the checks name each protocol that was excluded",
		format: "x509", signature: "p256.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-p256", about: "ECDSA P-256, the key alone",
		format: "x509", signature: "p256.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Native, also: "p256.der p256-cert.pem", logs: true,
	},
	{
		name: "x509-rsa2048", about: "the key alone",
		format: "x509", signature: "rsa2048.sig", keys: "rsa2048.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-rsa3072", about: "the key alone",
		format: "x509", signature: "rsa3072.sig", keys: "rsa3072.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-rsa4096", about: "the key alone",
		format: "x509", signature: "rsa4096.sig", keys: "rsa4096.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-p384", about: "the key alone",
		format: "x509", signature: "p384.sig", keys: "p384.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-p521", about: "the key alone",
		format: "x509", signature: "p521.sig", keys: "p521.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-rsa3072-base64", about: "the signature as base64",
		format: "x509", signature: "rsa3072.b64", keys: "rsa3072.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-rsa2048-pkcs1", about: "the key as PKCS #1",
		format: "x509", signature: "rsa2048.sig", keys: "rsa2048-pkcs1.pem", artifact: "artifact.bin", want: gateway.Native, also: "rsa2048.pem",
	},
	{
		name: "x509-p256-raw", about: "the signature as r and s, which is logged as DER",
		format: "x509", signature: "inputs/p256-raw.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-p256-certificate", about: "a certificate that expires in 2027; only its key is logged",
		format: "x509", signature: "p256.sig", keys: "p256-cert.pem", artifact: "artifact.bin", want: gateway.Native, also: "p256.pem",
	},
	{
		name: "x509-p256-chain", about: "a certificate with its issuers",
		format: "x509", signature: "p256.sig", keys: "p256-chain.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-p256-certificate-published", about: "the certificate itself is logged",
		format: "x509", signature: "p256.sig", keys: "p256-cert.pem", artifact: "artifact.bin", want: gateway.Native, publish: true, also: "p256.pem",
	},
	{
		name: "x509-p256-certificate-rooted", about: "the gateway demanded a chain to its roots",
		format: "x509", signature: "p256.sig", keys: "p256-chain.pem", artifact: "artifact.bin", want: gateway.Native, policy: "rooted",
	},
	{
		name: "x509-p256-by-digest", about: "the gateway saw the digest alone",
		format: "x509", signature: "p256.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Native, digest: formats.SHA256, logs: true,
	},
	{
		name: "x509-ed25519ph", about: "Ed25519ph",
		format: "x509", signature: "ed25519ph.sig", keys: "ed25519.pem", artifact: "artifact.bin", want: gateway.Native,
	},
	{
		name: "x509-ed25519ph-by-digest", about: "Ed25519ph, the digest alone",
		format: "x509", signature: "ed25519ph.sig", keys: "ed25519.pem", artifact: "artifact.bin", want: gateway.Native, digest: formats.SHA512,
	},
	{
		name: "x509-ed25519", about: "pure Ed25519, which the log does not take",
		format: "x509", signature: "ed25519.sig", keys: "ed25519.pem", artifact: "artifact.bin", want: gateway.Attested, logs: true,
	},
	{
		name: "x509-rsa2048-pss", about: "RSA-PSS",
		format: "x509", signature: "rsa2048-pss.sig", keys: "rsa2048.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "x509-rsa3072-pss-sha512", about: "RSA-PSS with SHA-512",
		format: "x509", signature: "rsa3072-pss.sig", keys: "rsa3072.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "x509-rsa2048-sha384", about: "RSA with SHA-384",
		format: "x509", signature: "rsa2048-sha384.sig", keys: "rsa2048.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "x509-rsa2048-sha512", about: "RSA with SHA-512",
		format: "x509", signature: "rsa2048-sha512.sig", keys: "rsa2048.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "x509-p384-sha256", about: "a shorter hash than the curve's",
		format: "x509", signature: "p384-sha256.sig", keys: "p384.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "x509-p521-sha256", about: "a shorter hash than the curve's",
		format: "x509", signature: "p521-sha256.sig", keys: "p521.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "x509-p256-attested", about: "an attestation that was asked for",
		format: "x509", signature: "p256.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Attested, insist: true,
	},
	{
		name: "x509-p256-certificate-attested", about: "a certificate, and an attestation that was asked for",
		format: "x509", signature: "p256.sig", keys: "p256-cert.pem", artifact: "artifact.bin", want: gateway.Attested, insist: true,
	},
	{
		name: "x509-p256-attested-by-digest", about: "an attestation of the digest alone",
		format: "x509", signature: "p256.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Attested, insist: true, digest: formats.SHA256,
	},
	{
		name: "x509-ed25519ph-attested", about: "Ed25519ph, and an attestation that was asked for",
		format: "x509", signature: "ed25519ph.sig", keys: "ed25519.pem", artifact: "artifact.bin", want: gateway.Attested, insist: true,
	},
	{
		name: "x509-p256-two-logs", about: "one entry in each of two logs",
		format: "x509", signature: "p256.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Native, twoLogs: true, logs: true,
	},
	{
		name: "x509-expired-certificate", about: "a certificate that had expired in 2021, by a gateway without roots: a note",
		format: "x509", signature: "inputs/expired.sig", keys: "inputs/expired-cert.pem", artifact: "inputs/artifact", want: gateway.Native,
	},
	{
		name: "x509-historical-sha1", about: "WEAK_ALGORITHM: SHA-1",
		format: "x509", signature: "rsa2048-sha1.sig", keys: "rsa2048.pem", artifact: "artifact.bin", want: gateway.Attested, policy: "historical", logs: true,
	},
	{
		name: "x509-historical-expired-certificate", about: "KEY_EXPIRED: by a gateway with roots",
		format: "x509", signature: "inputs/expired.sig", keys: "inputs/expired-cert.pem", artifact: "inputs/artifact", want: gateway.Attested, policy: "rooted, historical",
	},
	{
		name: "x509-historical-policy-unused", about: "a sound signature under the historical policy",
		format: "x509", signature: "p256.sig", keys: "p256.pem", artifact: "artifact.bin", want: gateway.Native, policy: "historical",
	},
}

var pgpVectors = []vector{
	{
		name: "pgp-two", about: "two signatures in one armor, both attested",
		format: "pgp", signature: "two.asc", keys: "keyring.gpg", expected: "rsa3072.key p256.key", also: "rsa3072.key p256.key", artifact: "artifact", want: gateway.Attested,
	},
	{
		name: "pgp-mixed", about: "two armors, one signature projected and one attested",
		format: "pgp", signature: "mixed.asc", keys: "rsa3072.key ed25519.key", also: "rsa3072.key ed25519.key", artifact: "artifact", want: gateway.Attested,
	},
	{
		name: "pgp-known", about: "three signatures, of which one is by nobody whose key was sent",
		format: "pgp", signature: "three.sig", keys: "rsa3072.key ed25519.key", also: "rsa3072.key ed25519.key", artifact: "artifact", want: gateway.Attested, known: true,
	},
	{
		name: "pgp-known-one", about: "three signatures, one recorded, whose time an early version repeated where it stands for the file",
		format: "pgp", signature: "three.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, known: true,
	},
	{
		name: "pgp-known-alone", about: "three signatures, of which only one is recorded, with its signing time",
		format: "pgp", signature: "three.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, known: true,
	},
	{
		name: "pgp-inrelease", about: "cleartext, signed by two",
		format: "pgp", signature: "inrelease/InRelease", keys: "inrelease/keys.asc", want: gateway.Projected,
	},
	{
		name: "pgp-rsa3072", about: "version 4, binary",
		format: "pgp", signature: "rsa3072-SHA256.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, logs: true,
	},
	{
		name: "pgp-rsa2048", about: "version 4, binary",
		format: "pgp", signature: "rsa2048-SHA256.sig", keys: "rsa2048.key", artifact: "artifact", want: gateway.Projected, wrong: "p256.key",
	},
	{
		name: "pgp-rsa4096", about: "version 4, binary",
		format: "pgp", signature: "rsa4096-SHA256.sig", keys: "rsa4096.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-p256", about: "version 4, ECDSA",
		format: "pgp", signature: "p256.sig", keys: "p256.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-p384", about: "version 4, ECDSA",
		format: "pgp", signature: "p384.sig", keys: "p384.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-p521", about: "version 4, ECDSA",
		format: "pgp", signature: "p521.sig", keys: "p521.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-armored", about: "armored, with comments",
		format: "pgp", signature: "armored.asc", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-text", about: "a text signature, over canonical line ends",
		format: "pgp", signature: "text.asc", keys: "rsa3072.key", artifact: "text", want: gateway.Projected,
	},
	{
		name: "pgp-cleartext", about: "cleartext",
		format: "pgp", signature: "cleartext.asc", keys: "rsa3072.key", want: gateway.Projected,
	},
	{
		name: "pgp-subkey", about: "by a subkey",
		format: "pgp", signature: "subkey.sig", keys: "subkey.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-many", about: "one key of a keyring, certified by others",
		format: "pgp", signature: "many.sig", keys: "keyring.gpg", artifact: "artifact", want: gateway.Projected, also: "many.key", expected: "many.key",
	},
	{
		name: "pgp-notation", about: "with a notation",
		format: "pgp", signature: "notation.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-rsa3072-signed-digest", about: "the gateway saw the digest of what was signed, nothing of the artifact",
		format: "pgp", signature: "rsa3072-SHA256.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, signed: true, logs: true,
	},
	{
		name: "pgp-p384-signed-digest", about: "the digest of what was signed",
		format: "pgp", signature: "p384.sig", keys: "p384.key", artifact: "artifact", want: gateway.Projected, signed: true,
	},
	{
		name: "pgp-text-signed-digest", about: "a text signature, the digest of what was signed",
		format: "pgp", signature: "text.asc", keys: "rsa3072.key", artifact: "text", want: gateway.Projected, signed: true,
	},
	{
		name: "pgp-v6-rsa", about: "version 6",
		format: "pgp", signature: "v6-rsa.sig", keys: "v6-rsa.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-v6-p256", about: "version 6, ECDSA",
		format: "pgp", signature: "v6-p256.sig", keys: "v6-p256.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-v6-rsa-text", about: "version 6, text",
		format: "pgp", signature: "v6-rsa-text.asc", keys: "v6-rsa.key", artifact: "text", want: gateway.Projected,
	},
	{
		name: "pgp-v6-rsa-cleartext", about: "version 6, cleartext",
		format: "pgp", signature: "v6-rsa-cleartext.asc", keys: "v6-rsa.key", want: gateway.Projected,
	},
	{
		name: "pgp-v6-rsa-signed-digest", about: "version 6, the digest of what was signed",
		format: "pgp", signature: "v6-rsa.sig", keys: "v6-rsa.key", artifact: "artifact", want: gateway.Projected, signed: true,
	},
	{
		name: "pgp-v3", about: "version 3",
		format: "pgp", signature: "v3-SHA256.sig", keys: "v3.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-v3-text", about: "version 3, text",
		format: "pgp", signature: "v3-text.sig", keys: "v3.key", artifact: "text", want: gateway.Projected,
	},
	{
		name: "pgp-v3-signed-digest", about: "version 3, the digest of what was signed",
		format: "pgp", signature: "v3-SHA256.sig", keys: "v3.key", artifact: "artifact", want: gateway.Projected, signed: true,
	},
	{
		name: "pgp-two-logs", about: "one entry in each of two logs",
		format: "pgp", signature: "rsa3072-SHA256.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, twoLogs: true,
	},
	{
		name: "pgp-gzip", about: "the artifact was sent inside of a gzip file",
		format: "pgp", signature: "inputs/key-expires.sig", keys: "inputs/key-expires.key", artifact: "inputs/artifact", want: gateway.Projected, container: container.Gzip,
	},
	{
		name: "pgp-xz", about: "the artifact was sent inside of an xz file",
		format: "pgp", signature: "inputs/key-expires.sig", keys: "inputs/key-expires.key", artifact: "inputs/artifact", want: gateway.Projected, container: container.XZ,
	},
	{
		name: "pgp-xz-attested", about: "attested, the artifact was sent inside of an xz file",
		format: "pgp", signature: "inputs/key-expires.sig", keys: "inputs/key-expires.key", artifact: "inputs/artifact", want: gateway.Attested, container: container.XZ, insist: true,
	},
	{
		name: "pgp-rsa2048-sha384", about: "RSA with SHA-384",
		format: "pgp", signature: "rsa2048-SHA384.sig", keys: "rsa2048.key", artifact: "artifact", want: gateway.Attested, wrong: "p256.key",
	},
	{
		name: "pgp-rsa3072-sha512", about: "RSA with SHA-512",
		format: "pgp", signature: "rsa3072-SHA512.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Attested, logs: true,
	},
	{
		name: "pgp-p256-sha512", about: "a longer hash than the curve's",
		format: "pgp", signature: "p256-SHA512.sig", keys: "p256.key", artifact: "artifact", want: gateway.Attested,
	},
	{
		name: "pgp-ed25519", about: "EdDSA",
		format: "pgp", signature: "ed25519.sig", keys: "ed25519.key", artifact: "artifact", want: gateway.Attested,
	},
	{
		name: "pgp-ed25519-cleartext", about: "EdDSA, cleartext",
		format: "pgp", signature: "cleartext-ed25519.asc", keys: "ed25519.key", want: gateway.Attested,
	},
	{
		name: "pgp-v6-ed25519", about: "version 6, Ed25519",
		format: "pgp", signature: "v6-ed25519.sig", keys: "v6-ed25519.key", artifact: "artifact", want: gateway.Attested,
	},
	{
		name: "pgp-v6-ed25519-text", about: "version 6, Ed25519, text",
		format: "pgp", signature: "v6-ed25519-text.asc", keys: "v6-ed25519.key", artifact: "text", want: gateway.Attested,
	},
	{
		name: "pgp-v6-ed25519-cleartext", about: "version 6, Ed25519, cleartext",
		format: "pgp", signature: "v6-ed25519-cleartext.asc", keys: "v6-ed25519.key", want: gateway.Attested,
	},
	{
		name: "pgp-v3-sha512", about: "version 3, RSA with SHA-512",
		format: "pgp", signature: "v3-SHA512.sig", keys: "v3.key", artifact: "artifact", want: gateway.Attested,
	},
	{
		name: "pgp-rsa3072-attested", about: "an attestation that was asked for",
		format: "pgp", signature: "rsa3072-SHA256.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Attested, insist: true,
	},
	{
		name: "pgp-cleartext-attested", about: "cleartext, and an attestation that was asked for",
		format: "pgp", signature: "cleartext.asc", keys: "rsa3072.key", want: gateway.Attested, insist: true,
	},
	{
		name: "pgp-v3-attested", about: "version 3, and an attestation that was asked for",
		format: "pgp", signature: "v3-SHA256.sig", keys: "v3.key", artifact: "artifact", want: gateway.Attested, insist: true,
	},
	{
		name: "pgp-two-logs-attested", about: "one statement in each of two logs",
		format: "pgp", signature: "ed25519.sig", keys: "ed25519.key", artifact: "artifact", want: gateway.Attested, twoLogs: true,
	},
	{
		name: "pgp-key-expired-since", about: "signed, by its claim, before the key expired in 2025; verified after",
		format: "pgp", signature: "expired-before.sig", keys: "expired.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-key-expires", about: "the key expires in 2029",
		format: "pgp", signature: "inputs/key-expires.sig", keys: "inputs/key-expires.key", artifact: "inputs/artifact", want: gateway.Projected, logs: true,
	},
	{
		name: "pgp-key-expires-attested", about: "the key expires in 2029; attested",
		format: "pgp", signature: "inputs/key-expires.sig", keys: "inputs/key-expires.key", artifact: "inputs/artifact", want: gateway.Attested, insist: true,
	},
	{
		name: "pgp-signature-expires", about: "the signature itself expires in 2029",
		format: "pgp", signature: "inputs/signature-expires.sig", keys: "inputs/signature-expires.key", artifact: "inputs/artifact", want: gateway.Projected,
	},
	{
		name: "pgp-key-superseded", about: "the key was superseded after it signed, and before the gateway saw it",
		format: "pgp", signature: "revoked-superseded-before.sig", keys: "revoked-superseded.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-key-retired", about: "the key was retired after it signed, and before the gateway saw it",
		format: "pgp", signature: "revoked-retired-before.sig", keys: "revoked-retired.key", artifact: "artifact", want: gateway.Projected,
	},
	{
		name: "pgp-key-superseded-since", about: "the key as sent was sound, as a reader has it now it is superseded",
		format: "pgp", signature: "inputs/superseded-since.sig", keys: "inputs/superseded-since.key", artifact: "inputs/artifact", want: gateway.Projected, also: "inputs/superseded-since-now.key",
	},
	{
		name: "pgp-key-compromised-since", about: "the key as sent was sound, as a reader has it now it is revoked as compromised",
		format: "pgp", signature: "inputs/compromised-since.sig", keys: "inputs/compromised-since.key", artifact: "inputs/artifact", want: gateway.Projected, also: "inputs/compromised-since-now.key",
	},
	{
		name: "pgp-key-compromised-since-attested", about: "the same, attested",
		format: "pgp", signature: "inputs/compromised-since.sig", keys: "inputs/compromised-since.key", artifact: "inputs/artifact", want: gateway.Attested, also: "inputs/compromised-since-now.key", insist: true,
	},
	{
		name: "pgp-historical-sha1", about: "WEAK_ALGORITHM: SHA-1",
		format: "pgp", signature: "sha1.sig", keys: "rsa2048.key", artifact: "artifact", want: gateway.Attested, policy: "historical", wrong: "p256.key",
	},
	{
		name: "pgp-historical-dsa", about: "WEAK_ALGORITHM: DSA",
		format: "pgp", signature: "dsa.sig", keys: "dsa.key", artifact: "artifact", want: gateway.Attested, policy: "historical",
	},
	{
		name: "pgp-historical-v3-sha1", about: "WEAK_ALGORITHM: version 3 with SHA-1",
		format: "pgp", signature: "v3-SHA1.sig", keys: "v3.key", artifact: "artifact", want: gateway.Attested, policy: "historical",
	},
	{
		name: "pgp-historical-key-expired", about: "KEY_EXPIRED: signed after the key expired",
		format: "pgp", signature: "expired-after.sig", keys: "expired.key", artifact: "artifact", want: gateway.Attested, policy: "historical",
	},
	{
		name: "pgp-historical-policy-unused", about: "a sound signature under the historical policy",
		format: "pgp", signature: "rsa3072-SHA256.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, policy: "historical",
	},
	{
		name: "pgp-backdated-signature-expired", about: "the signature had expired in 2025, and no gateway took it; somebody logged it in 2026 and wrote a receipt that says it was verified in time",
		format: "pgp", signature: "expires.sig", keys: "rsa3072.key", artifact: "artifact", want: gateway.Projected, backdated: time.Date(2025, 1, 10, 0, 0, 0, 0, time.UTC),
	},
}

var sshVectors = []vector{
	{
		name: "ssh-ecdsa-256", about: "a plain key; a reader may have it with conditions of his own",
		format: "ssh", signature: "ecdsa-256.sig", keys: "ecdsa-256.pub", artifact: "artifact.txt", want: gateway.Projected, logs: true, also: "allowed.signers inputs/ecdsa-until-2030.signers inputs/ecdsa-until-2021.signers inputs/ecdsa-git.signers",
	},
	{
		name: "ssh-ecdsa-384", about: "a plain key",
		format: "ssh", signature: "ecdsa-384.sig", keys: "ecdsa-384.pub", artifact: "artifact.txt", want: gateway.Projected,
	},
	{
		name: "ssh-ecdsa-521", about: "a plain key",
		format: "ssh", signature: "ecdsa-521.sig", keys: "ecdsa-521.pub", artifact: "artifact.txt", want: gateway.Projected,
	},
	{
		name: "ssh-rsa-sha256", about: "a plain key",
		format: "ssh", signature: "rsa-sha256.sig", keys: "rsa-sha256.pub", artifact: "artifact.txt", want: gateway.Projected,
	},
	{
		name: "ssh-ecdsa-256-sha256", about: "the message hashed with SHA-256",
		format: "ssh", signature: "sha256.sig", keys: "ecdsa-256.pub", artifact: "artifact.txt", want: gateway.Projected,
	},
	{
		name: "ssh-allowed-signers", about: "a line of an allowed_signers file",
		format: "ssh", signature: "ecdsa-256.sig", keys: "allowed.signers", artifact: "artifact.txt", want: gateway.Projected,
	},
	{
		name: "ssh-sk-ecdsa", about: "a security key",
		format: "ssh", signature: "sk-ecdsa.sig", keys: "sk-ecdsa.pub", artifact: "artifact.txt", want: gateway.Projected,
	},
	{
		name: "ssh-certificate-ecdsa", about: "a certificate",
		format: "ssh", signature: "cert-ecdsa.sig", keys: "ca.signers", artifact: "artifact.txt", want: gateway.Projected, wrong: "ca-other.signers", also: "ecdsa-256.pub",
	},
	{
		name: "ssh-certificate-sk-ecdsa", about: "a certificate of a security key",
		format: "ssh", signature: "cert-sk-ecdsa.sig", keys: "ca.signers", artifact: "artifact.txt", want: gateway.Projected,
	},
	{
		name: "ssh-ecdsa-256-by-digest", about: "the digest alone",
		format: "ssh", signature: "ecdsa-256.sig", keys: "ecdsa-256.pub", artifact: "artifact.txt", want: gateway.Projected, digest: formats.SHA512,
	},
	{
		name: "ssh-sha256-by-digest", about: "the SHA-256 digest alone",
		format: "ssh", signature: "sha256.sig", keys: "ecdsa-256.pub", artifact: "artifact.txt", want: gateway.Projected, digest: formats.SHA256,
	},
	{
		name: "ssh-sk-ecdsa-by-digest", about: "a security key, the digest alone",
		format: "ssh", signature: "sk-ecdsa.sig", keys: "sk-ecdsa.pub", artifact: "artifact.txt", want: gateway.Projected, digest: formats.SHA512,
	},
	{
		name: "ssh-valid-before-2030", about: "a line that is valid until 2030",
		format: "ssh", signature: "ecdsa-256.sig", keys: "inputs/ecdsa-until-2030.signers", artifact: "artifact.txt", want: gateway.Projected, logs: true, also: "ecdsa-256.pub",
	},
	{
		name: "ssh-namespace-git", about: "a namespace that the gateway and the reader accept",
		format: "ssh", signature: "namespace.sig", keys: "ecdsa-256.pub", artifact: "artifact.txt", want: gateway.Projected, policy: "git", namespaces: []string{"git"},
	},
	{
		name: "ssh-ed25519", about: "a plain key",
		format: "ssh", signature: "ed25519.sig", keys: "ed25519.pub", artifact: "artifact.txt", want: gateway.Attested, logs: true,
	},
	{
		name: "ssh-rsa-sha512", about: "what ssh-keygen makes of RSA",
		format: "ssh", signature: "rsa.sig", keys: "rsa.pub", artifact: "artifact.txt", want: gateway.Attested,
	},
	{
		name: "ssh-sk-ed25519", about: "a security key",
		format: "ssh", signature: "sk-ed25519.sig", keys: "sk-ed25519.pub", artifact: "artifact.txt", want: gateway.Attested,
	},
	{
		name: "ssh-certificate-ed25519", about: "a certificate, by an authority for one namespace",
		format: "ssh", signature: "cert-ed25519.sig", keys: "ca-other.signers", artifact: "artifact.txt", want: gateway.Attested,
	},
	{
		name: "ssh-ed25519-by-digest", about: "the digest alone",
		format: "ssh", signature: "ed25519.sig", keys: "ed25519.pub", artifact: "artifact.txt", want: gateway.Attested, digest: formats.SHA512,
	},
	{
		name: "ssh-valid-before-2030-attested", about: "a line that is valid until 2030",
		format: "ssh", signature: "ed25519.sig", keys: "inputs/ed25519-until-2030.signers", artifact: "artifact.txt", want: gateway.Attested, also: "ed25519.pub",
	},
	{
		name: "ssh-ecdsa-256-attested", about: "an attestation that was asked for",
		format: "ssh", signature: "ecdsa-256.sig", keys: "ecdsa-256.pub", artifact: "artifact.txt", want: gateway.Attested, insist: true,
	},
	{
		name: "ssh-namespace-git-attested", about: "a namespace that the gateway and the reader accept, attested",
		format: "ssh", signature: "namespace.sig", keys: "ecdsa-256.pub", artifact: "artifact.txt", want: gateway.Attested, policy: "git", namespaces: []string{"git"}, insist: true,
	},
	{
		name: "ssh-historical-certificate-expired", about: "KEY_EXPIRED: the certificate expired in 2021",
		format: "ssh", signature: "cert-expired.sig", keys: "ca.signers", artifact: "artifact.txt", want: gateway.Attested, policy: "historical",
	},
	{
		name: "ssh-historical-line-expired", about: "KEY_EXPIRED: the line was valid until 2021",
		format: "ssh", signature: "ecdsa-256.sig", keys: "inputs/ecdsa-until-2021.signers", artifact: "artifact.txt", want: gateway.Attested, policy: "historical", also: "ecdsa-256.pub",
	},
	{
		name: "ssh-backdated-certificate-expired", about: "the certificate had expired in 2021, and no gateway took it; somebody logged it in 2026 and wrote a receipt that says it was verified in time",
		format: "ssh", signature: "cert-expired.sig", keys: "ca.signers", artifact: "artifact.txt", want: gateway.Projected, backdated: time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC),
	},
	{
		name: "ssh-backdated-line-expired", about: "the same with a line that was valid until 2021",
		format: "ssh", signature: "ecdsa-256.sig", keys: "inputs/ecdsa-until-2021.signers", artifact: "artifact.txt", want: gateway.Projected, backdated: time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC),
	},
}

var pkcs7Vectors = []vector{
	{
		name: "pkcs7-two", about: "two signers, both projected",
		format: "pkcs7", signature: "several/two.der", artifact: "artifact.bin", want: gateway.Projected,
		expected: "several/rsa-cert.pem several/P-256-cert.pem", also: "several/rsa-cert.pem several/P-256-cert.pem",
	},
	{
		name: "pkcs7-two-attached", about: "two signers, the artifact inside",
		format: "pkcs7", signature: "several/two-attached.der", want: gateway.Projected,
		expected: "several/rsa-cert.pem several/P-256-cert.pem", also: "several/rsa-cert.pem several/P-256-cert.pem",
	},
	{
		name: "pkcs7-two-nocerts", about: "two signers, whose certificates were sent beside the signature",
		format: "pkcs7", signature: "several/two-nocerts.der", keys: "several/rsa-cert.pem several/P-256-cert.pem", artifact: "artifact.bin", want: gateway.Projected,
		also: "several/rsa-cert.pem several/P-256-cert.pem",
	},
	{
		name: "pkcs7-known-one", about: "two signers, of whom one's certificate was sent",
		format: "pkcs7", signature: "several/two.der", keys: "several/rsa-cert.pem", artifact: "artifact.bin", want: gateway.Projected, known: true,
		also: "several/P-256-cert.pem",
	},
	{
		name: "pkcs7-ed25519", about: "Ed25519, signed attributes",
		format: "pkcs7", signature: "kinds/ed25519.der", artifact: "artifact.bin", want: gateway.Attested, expected: "kinds/ed25519-cert.pem",
	},
	{
		name: "pkcs7-ed25519-attached-noattr", about: "Ed25519 over the bytes inside themselves",
		format: "pkcs7", signature: "kinds/ed25519-attached-noattr.der", want: gateway.Attested, expected: "kinds/ed25519-cert.pem",
	},
	{
		name: "pkcs7-explicit", about: "a certificate with the parameters of its key's curve written out",
		format: "pkcs7", signature: "kinds/explicit.der", artifact: "artifact.bin", want: gateway.Projected, expected: "kinds/explicit-cert.pem",
	},
	{
		name: "pkcs7-compressed-nocerts", about: "a certificate with a compressed point, sent beside the signature",
		format: "pkcs7", signature: "kinds/compressed-nocerts.der", keys: "kinds/compressed-cert.pem", artifact: "artifact.bin", want: gateway.Attested,
	},
	{
		name: "pkcs7-pss-key", about: "a certificate with an RSA-PSS key",
		format: "pkcs7", signature: "kinds/pss-sha256.der", artifact: "artifact.bin", want: gateway.Attested, expected: "kinds/pss-sha256-cert.pem",
	},
	{
		name: "pkcs7-critical", about: "a certificate with a critical extension that is not understood",
		format: "pkcs7", signature: "kinds/critical.der", artifact: "artifact.bin", want: gateway.Projected, expected: "kinds/critical-cert.pem",
	},
	{
		name: "pkcs7-rsa2048", about: "signed attributes, DER",
		format: "pkcs7", signature: "rsa2048.der", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem", logs: true, also: "rsa2048.pem rsa2048-chain.pem issuer-cert.pem",
	},
	{
		name: "pkcs7-rsa3072", about: "signed attributes, DER",
		format: "pkcs7", signature: "rsa3072.der", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa3072-cert.pem",
	},
	{
		name: "pkcs7-p256", about: "signed attributes, DER",
		format: "pkcs7", signature: "p256.der", artifact: "artifact.bin", want: gateway.Projected, expected: "p256-cert.pem",
	},
	{
		name: "pkcs7-p384", about: "signed attributes, DER",
		format: "pkcs7", signature: "p384.der", artifact: "artifact.bin", want: gateway.Projected, expected: "p384-cert.pem",
	},
	{
		name: "pkcs7-p521", about: "signed attributes, DER",
		format: "pkcs7", signature: "p521.der", artifact: "artifact.bin", want: gateway.Projected, expected: "p521-cert.pem",
	},
	{
		name: "pkcs7-key-sent", about: "the certificate was sent beside the signature",
		format: "pkcs7", signature: "rsa2048.der", keys: "rsa2048-cert.pem", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-rsa2048-noattr", about: "no signed attributes, and so no signing time",
		format: "pkcs7", signature: "rsa2048-noattr.der", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-p256-noattr-excluded", about: "no signed attributes; the checks name each protocol that was excluded",
		format: "pkcs7", signature: "p256-noattr.der", artifact: "artifact.bin", want: gateway.Projected, expected: "p256-cert.pem",
	},
	{
		name: "pkcs7-p256-noattr", about: "no signed attributes",
		format: "pkcs7", signature: "p256-noattr.der", artifact: "artifact.bin", want: gateway.Projected, expected: "p256-cert.pem",
	},
	{
		name: "pkcs7-attached", about: "the artifact is inside",
		format: "pkcs7", signature: "rsa2048-attached.der", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-attached-noattr", about: "the artifact is inside, no signed attributes",
		format: "pkcs7", signature: "rsa2048-attached-noattr.der", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-stream", about: "BER of indefinite length, the artifact inside",
		format: "pkcs7", signature: "rsa2048-stream.ber", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-cades", about: "CAdES",
		format: "pkcs7", signature: "rsa2048-cades.der", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-keyid", about: "the signer by subject key id",
		format: "pkcs7", signature: "rsa2048-keyid.der", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-chain", about: "with the issuer's certificate",
		format: "pkcs7", signature: "rsa2048-chain.der", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-nocerts", about: "without the signer's certificate",
		format: "pkcs7", signature: "rsa2048-nocerts.der", keys: "rsa2048-cert.pem", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-cms-pem", about: "PEM of CMS",
		format: "pkcs7", signature: "rsa2048-cms.pem", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-pkcs7-pem", about: "PEM of PKCS #7",
		format: "pkcs7", signature: "rsa2048-pkcs7.pem", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-gpgsm", about: "by gpgsm",
		format: "pkcs7", signature: "gpgsm.ber", artifact: "artifact.bin", want: gateway.Projected, expected: "gpgsm-cert.pem",
	},
	{
		name: "pkcs7-gpgsm-pem", about: "by gpgsm, PEM",
		format: "pkcs7", signature: "gpgsm.pem", artifact: "artifact.bin", want: gateway.Projected, expected: "gpgsm-cert.pem",
	},
	{
		name: "pkcs7-text", about: "text with canonical line ends",
		format: "pkcs7", signature: "text.der", artifact: "text.txt", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-text-noattr", about: "text, no signed attributes",
		format: "pkcs7", signature: "text-noattr.der", artifact: "text.txt", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-text-attached", about: "text, inside",
		format: "pkcs7", signature: "text-attached.der", want: gateway.Projected, expected: "p256-cert.pem",
	},
	{
		name: "pkcs7-smime-text", about: "an S/MIME message",
		format: "pkcs7", signature: "text.eml", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-smime-text-crlf", about: "an S/MIME message",
		format: "pkcs7", signature: "text-crlf.eml", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-smime-text-noattr", about: "an S/MIME message",
		format: "pkcs7", signature: "text-noattr.eml", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-smime-text-plain", about: "an S/MIME message",
		format: "pkcs7", signature: "text-plain.eml", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-smime-text-opaque", about: "an S/MIME message",
		format: "pkcs7", signature: "text-opaque.eml", want: gateway.Projected, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-smime-mail", about: "an S/MIME mail with its headers",
		format: "pkcs7", signature: "smime.eml", want: gateway.Projected, expected: "p256-cert.pem",
	},
	{
		name: "pkcs7-rsa2048-by-digest", about: "the digest alone",
		format: "pkcs7", signature: "rsa2048.der", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem", digest: formats.SHA256,
	},
	{
		name: "pkcs7-sha384-by-digest", about: "the SHA-384 digest alone",
		format: "pkcs7", signature: "rsa2048-sha384.der", artifact: "artifact.bin", want: gateway.Attested, expected: "rsa2048-cert.pem", digest: formats.SHA384,
	},
	{
		name: "pkcs7-rsa2048-sha384", about: "RSA with SHA-384",
		format: "pkcs7", signature: "rsa2048-sha384.der", artifact: "artifact.bin", want: gateway.Attested, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-rsa2048-sha512", about: "RSA with SHA-512",
		format: "pkcs7", signature: "rsa2048-sha512.der", artifact: "artifact.bin", want: gateway.Attested, expected: "rsa2048-cert.pem", logs: true,
	},
	{
		name: "pkcs7-rsa2048-pss", about: "RSA-PSS",
		format: "pkcs7", signature: "rsa2048-pss.der", artifact: "artifact.bin", want: gateway.Attested, expected: "rsa2048-cert.pem",
	},
	{
		name: "pkcs7-p384-sha256", about: "a shorter hash than the curve's",
		format: "pkcs7", signature: "p384-sha256.der", artifact: "artifact.bin", want: gateway.Attested, expected: "p384-cert.pem",
	},
	{
		name: "pkcs7-rsa2048-attested", about: "an attestation that was asked for",
		format: "pkcs7", signature: "rsa2048.der", artifact: "artifact.bin", want: gateway.Attested, expected: "rsa2048-cert.pem", insist: true,
	},
	{
		name: "pkcs7-attached-attested", about: "the artifact inside, and an attestation that was asked for",
		format: "pkcs7", signature: "rsa2048-attached.der", want: gateway.Attested, expected: "rsa2048-cert.pem", insist: true,
	},
	{
		name: "pkcs7-smime-attested", about: "an S/MIME mail, and an attestation that was asked for",
		format: "pkcs7", signature: "smime.eml", want: gateway.Attested, expected: "p256-cert.pem", insist: true,
	},
	{
		name: "pkcs7-rooted", about: "the gateway demanded a chain to its roots",
		format: "pkcs7", signature: "rsa2048-chain.der", artifact: "artifact.bin", want: gateway.Projected, expected: "rsa2048-cert.pem", policy: "rooted",
	},
	{
		name: "pkcs7-rooted-attested", about: "the same, attested",
		format: "pkcs7", signature: "rsa2048-chain.der", artifact: "artifact.bin", want: gateway.Attested, expected: "rsa2048-cert.pem", policy: "rooted", insist: true,
	},
	{
		name: "pkcs7-certificate-expired-noattr", about: "no signing time, and a certificate that had expired in 2021: a note",
		format: "pkcs7", signature: "inputs/expired-noattr.der", artifact: "inputs/artifact", want: gateway.Projected, expected: "inputs/expired-cert.pem",
	},
	{
		name: "pkcs7-historical-sha1", about: "WEAK_ALGORITHM: SHA-1",
		format: "pkcs7", signature: "sha1.der", artifact: "artifact.bin", want: gateway.Attested, expected: "rsa2048-cert.pem", policy: "historical",
	},
	{
		name: "pkcs7-historical-certificate-expired", about: "KEY_EXPIRED: signed, by its claim, after the certificate expired",
		format: "pkcs7", signature: "inputs/expired.der", artifact: "inputs/artifact", want: gateway.Attested, expected: "inputs/expired-cert.pem", policy: "historical",
	},
	{
		name: "pkcs7-historical-certificate-expired-noattr", about: "KEY_EXPIRED: no signing time, by a gateway with roots",
		format: "pkcs7", signature: "inputs/expired-noattr.der", artifact: "inputs/artifact", want: gateway.Attested, expected: "inputs/expired-cert.pem", policy: "rooted, historical",
	},
}

var minisignVectors = []vector{
	{
		name: "minisign-named-by-hash", about: "prehashed; the signer is named by the key's hash, not by its id",
		format: "minisign", signature: "prehashed.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested,
	},
	{
		name: "minisign-prehashed", about: "prehashed",
		format: "minisign", signature: "prehashed.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested, logs: true,
	},
	{
		name: "minisign-by-digest", about: "the BLAKE2b digest alone",
		format: "minisign", signature: "prehashed.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested, digest: formats.BLAKE2b512,
	},
	{
		name: "minisign-legacy", about: "legacy, pure Ed25519",
		format: "minisign", signature: "legacy.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested,
	},
	{
		name: "minisign-comment", about: "comments without a time",
		format: "minisign", signature: "comment.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested,
	},
	{
		name: "minisign-unicode", about: "a comment with an umlaut",
		format: "minisign", signature: "unicode.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested,
	},
	{
		name: "minisign-crlf", about: "line ends of Windows",
		format: "minisign", signature: "crlf.minisig", keys: "crlf.pub", artifact: "artifact.txt", want: gateway.Attested, also: "signer.pub",
	},
	{
		name: "minisign-not-a-time", about: "a comment that only begins like a time",
		format: "minisign", signature: "not-a-time.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested,
	},
	{
		name: "minisign-two-logs", about: "one statement in each of two logs",
		format: "minisign", signature: "prehashed.minisig", keys: "signer.pub", artifact: "artifact.txt", want: gateway.Attested, twoLogs: true,
	},
	{
		name: "minisign-signify", about: "signify",
		format: "minisign", signature: "signify.sig", keys: "release.pub", artifact: "artifact.txt", want: gateway.Attested,
	},
}

var tufVectors = []vector{
	{
		name: "tuf-targets", about: "two of two signatures, an entry each",
		format: "tuf", signature: "targets.json", keys: "root-1.json", want: gateway.Projected, logs: true, also: "root-2.json root-3.json",
	},
	{
		name: "tuf-target", about: "a target, which the metadata names",
		format: "tuf", signature: "targets.json", keys: "root-1.json", artifact: "target.txt", want: gateway.Projected,
	},
	{
		name: "tuf-root-1", about: "a root by itself",
		format: "tuf", signature: "root-1.json", keys: "root-1.json", want: gateway.Projected,
	},
	{
		name: "tuf-root-2", about: "a root by the one before",
		format: "tuf", signature: "root-2.json", keys: "root-1.json", want: gateway.Projected, wrong: "root-2-unlinked.json",
	},
	{
		name: "tuf-root-3", about: "a root by the chain before it",
		format: "tuf", signature: "root-3.json", keys: "root-1.json root-2.json", want: gateway.Projected,
	},
	{
		name: "tuf-delegated", about: "delegated targets",
		format: "tuf", signature: "releases.json", keys: "root-1.json delegating.json", want: gateway.Projected,
	},
	{
		name: "tuf-targets-mixed", about: "one signature of two could be projected",
		format: "tuf", signature: "targets-mixed.json", keys: "root-1.json", want: gateway.Attested,
	},
	{
		name: "tuf-target-mixed", about: "the same for a target",
		format: "tuf", signature: "targets-mixed.json", keys: "root-1.json", artifact: "target.txt", want: gateway.Attested,
	},
	{
		name: "tuf-snapshot", about: "Ed25519",
		format: "tuf", signature: "snapshot.json", keys: "root-1.json", want: gateway.Attested, logs: true,
	},
	{
		name: "tuf-timestamp", about: "RSA-PSS",
		format: "tuf", signature: "timestamp.json", keys: "root-1.json", want: gateway.Attested,
	},
	{
		name: "tuf-targets-attested", about: "an attestation that was asked for",
		format: "tuf", signature: "targets.json", keys: "root-1.json", want: gateway.Attested, insist: true,
	},
	{
		name: "tuf-target-attested", about: "a target, and an attestation that was asked for",
		format: "tuf", signature: "targets.json", keys: "root-1.json", artifact: "target.txt", want: gateway.Attested, insist: true,
	},
	{
		name: "tuf-pinned", about: "the gateway pinned the root",
		format: "tuf", signature: "targets.json", keys: "root-1.json", want: gateway.Projected, policy: "pinned",
	},
	{
		name: "tuf-pinned-attested", about: "the gateway pinned the root",
		format: "tuf", signature: "snapshot.json", keys: "root-1.json", want: gateway.Attested, policy: "pinned",
	},
	{
		name: "tuf-pinned-chain", about: "a chain from a pinned root",
		format: "tuf", signature: "root-3.json", keys: "root-1.json root-2.json", want: gateway.Projected, policy: "pinned",
	},
	{
		name: "tuf-historical-expired", about: "METADATA_EXPIRED: the targets expired in 2025",
		format: "tuf", signature: "targets-expired.json", keys: "root-1.json", want: gateway.Attested, policy: "historical",
	},
	{
		name: "tuf-historical-root-expired", about: "METADATA_EXPIRED: the root expired in 2025",
		format: "tuf", signature: "expired-root-targets.json", keys: "expired-root.json", want: gateway.Attested, policy: "historical",
	},
}

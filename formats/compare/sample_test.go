// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"crypto"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// sample reads "signature key" of a plugin's test data; the key may be missing.
func sample(format, names string, artifact []byte) submission {
	fields := strings.Fields(names)
	s := submission{format: format, base: fields[0], kind: asMade, signature: read(format, fields[0]), artifact: artifact}
	for _, k := range fields[1:] {
		s.keys = append(s.keys, read(format, k))
	}
	return s
}

func pgpSamples() []submission {
	var out []submission
	add := func(artifact string, list ...string) {
		for _, names := range list {
			var content []byte
			if artifact != "" {
				content = read("pgp", artifact)
			}
			out = append(out, sample("pgp", names, content))
		}
	}
	add("artifact", "rsa2048-SHA256.sig rsa2048.key", "rsa2048-SHA384.sig rsa2048.key", "rsa2048-SHA512.sig rsa2048.key",
		"rsa3072-SHA256.sig rsa3072.key", "rsa4096-SHA512.sig rsa4096.key", "p256.sig p256.key", "p384.sig p384.key",
		"p521.sig p521.key", "p256-SHA512.sig p256.key", "ed25519.sig ed25519.key", "armored.asc rsa3072.key",
		"subkey.sig subkey.key", "many.sig many.key", "many.sig keyring.gpg", "notation.sig rsa3072.key",
		"v6-rsa.sig v6-rsa.key", "v6-p256.sig v6-p256.key", "v6-ed25519.sig v6-ed25519.key",
		"v3-SHA256.sig v3.key", "v3-SHA512.sig v3.key")
	add("text", "text.asc rsa3072.key", "v6-rsa-text.asc v6-rsa.key", "v3-text.sig v3.key")
	add("", "cleartext.asc rsa3072.key", "cleartext-ed25519.asc ed25519.key", "v6-p256-cleartext.asc v6-p256.key")
	add("artifact", "critical-notation.sig rsa3072.key", "two.sig keyring.gpg", "two.asc keyring.gpg", "expires.sig rsa3072.key",
		"rsa1024.sig rsa1024.key", "dsa.sig dsa.key", "sha1.sig rsa2048.key", "v3-SHA1.sig v3.key",
		"expired-before.sig expired.key", "expired-after.sig expired.key",
		"revoked-none-before.sig revoked-none.key", "revoked-compromised-before.sig revoked-compromised.key",
		"revoked-superseded-before.sig revoked-superseded.key", "revoked-superseded-after.sig revoked-superseded.key",
		"revoked-retired-before.sig revoked-retired.key", "revoked-retired-after.sig revoked-retired.key",
		"subrevoked.sig subrevoked.key")
	return out
}

func minisignSamples() []submission {
	artifact := read("minisign", "artifact.txt")
	var out []submission
	for _, names := range []string{"prehashed.minisig signer.pub", "legacy.minisig signer.pub", "comment.minisig signer.pub",
		"unicode.minisig signer.pub", "crlf.minisig crlf.pub", "by-other.minisig other.pub",
		"by-other.minisig signer.pub", "future.minisig signer.pub", "not-a-time.minisig signer.pub"} {
		out = append(out, sample("minisign", names, artifact))
	}
	s := sample("minisign", "signify.sig release.pub", artifact)
	s.signify = true
	return append(out, s)
}

func sshSamples() []submission {
	artifact := read("ssh", "artifact.txt")
	var out []submission
	for _, names := range []string{"ecdsa-256.sig ecdsa-256.pub", "ecdsa-384.sig ecdsa-384.pub", "ecdsa-521.sig ecdsa-521.pub",
		"ed25519.sig ed25519.pub", "rsa.sig rsa.pub", "rsa-sha256.sig rsa-sha256.pub", "sha256.sig ecdsa-256.pub",
		"sk-ecdsa.sig sk-ecdsa.pub", "sk-ed25519.sig sk-ed25519.pub", "ecdsa-256.sig allowed.signers",
		"cert-ecdsa.sig ca.signers", "cert-ed25519.sig ca-other.signers", "cert-sk-ecdsa.sig ca.signers",
		"rsa-1024.sig rsa-1024.pub", "namespace.sig ecdsa-256.pub", "sk-ecdsa-no-touch.sig sk-ecdsa.pub",
		"sk-ed25519-no-touch.sig sk-ed25519.pub", "cert-ecdsa.sig ecdsa-256.pub", "cert-ecdsa.sig cert-ecdsa.pub",
		"cert-expired.sig ca.signers", "cert-later.sig ca.signers", "cert-host.sig ca.signers", "cert-nobody.sig ca.signers",
		"cert-stranger.sig ca.signers", "cert-option.sig ca.signers", "cert-verify.sig ca.signers", "cert-sk-no-pin.sig ca.signers"} {
		out = append(out, sample("ssh", names, artifact))
	}
	return out
}

func pkcs7Samples() []submission {
	artifact, text := read("pkcs7", "artifact.bin"), read("pkcs7", "text.txt")
	var out []submission
	for _, names := range []string{"rsa2048.der", "rsa3072.der", "p256.der", "p384.der", "p521.der", "rsa2048-noattr.der", "p256-noattr.der",
		"p384-noattr.der", "rsa2048-sha384.der", "rsa2048-sha512.der", "p384-sha256.der", "rsa2048-pss.der", "rsa2048-cades.der",
		"rsa2048-keyid.der", "rsa2048-chain.der", "rsa2048-cms.pem", "rsa2048-pkcs7.pem", "rsa2048.der rsa2048-cert.pem",
		"rsa2048-nocerts.der rsa2048-cert.pem", "rsa2048.der other-cert.pem",
		"sha1.der", "md5.der", "sha224.der", "rsa1024.der", "dsa.der", "agreement.der", "two-signers.der", "no-signer.der"} {
		out = append(out, sample("pkcs7", names, artifact))
	}
	for _, names := range []string{"text.der", "text-noattr.der"} {
		out = append(out, sample("pkcs7", names, text), sample("pkcs7", names, crlf(text)))
	}
	for _, names := range []string{"rsa2048-attached.der", "rsa2048-attached-noattr.der", "rsa2048-stream.ber", "text-attached.der",
		"text.eml", "text-plain.eml", "text-opaque.eml", "smime.eml", "other-content.der", "enveloped.der", "data.der"} {
		out = append(out, sample("pkcs7", names, nil))
	}
	return out
}

func x509Samples() []submission {
	artifact := read("x509", "artifact.bin")
	var out []submission
	add := func(names string, hash crypto.Hash, scheme formats.Scheme) {
		s := sample("x509", names, artifact)
		s.hash, s.scheme = hash, scheme
		out = append(out, s)
	}
	for _, names := range []string{"rsa2048.sig rsa2048.pem", "rsa3072.sig rsa3072.pem", "rsa4096.sig rsa4096.pem", "p256.sig p256.pem",
		"p256.sig p256-cert.pem", "p256.sig p256-chain.pem", "p256.sig p256-chain-backwards.pem", "p384-sha256.sig p384.pem",
		"p521-sha256.sig p521.pem", "ed25519.sig ed25519.pem", "rsa3072.b64 rsa3072.pem", "p256.b64 p256.pem", "rsa2560.sig rsa2560.pem",
		"rsa1024.sig rsa1024.pem", "p224.sig p224.pem", "p256.sig p256-agreement-cert.pem", "p256.sig p256-critical-cert.pem", "dsa.sig dsa.pem"} {
		add(names, crypto.SHA256, "")
	}
	add("p384.sig p384.pem", crypto.SHA384, "")
	add("p521.sig p521.pem", crypto.SHA512, "")
	add("rsa2048-sha384.sig rsa2048.pem", crypto.SHA384, "")
	add("rsa2048-sha512.sig rsa2048.pem", crypto.SHA512, "")
	add("rsa2048-pss.sig rsa2048.pem", crypto.SHA256, formats.RSAPSS)
	add("rsa3072-pss.sig rsa3072.pem", crypto.SHA512, formats.RSAPSS)
	add("rsa2048-pss20.sig rsa2048.pem", crypto.SHA256, formats.RSAPSS)
	add("rsa2048-sha1.sig rsa2048.pem", crypto.SHA1, "")
	add("rsa2048-md5.sig rsa2048.pem", crypto.MD5, "")
	add("rsa2048-sha224.sig rsa2048.pem", crypto.SHA224, "")
	add("ed25519ph.sig ed25519.pem", crypto.SHA512, formats.Ed25519ph)
	return append(out, protocolSamples()...)
}

// protocolSamples are raw signatures over bytes that another protocol signs.
func protocolSamples() []submission {
	return []submission{
		sample("x509", "sshsig.sig p256.pem", read("x509", "sshsig.bin")),
		sample("x509", "attributes.sig p256.pem", read("x509", "attributes.bin")),
	}
}

func tufSamples() []submission {
	var out []submission
	for _, names := range []string{"targets.json root-1.json", "targets-mixed.json root-1.json", "snapshot.json root-1.json",
		"timestamp.json root-1.json", "root-1.json root-1.json", "root-2.json root-1.json", "root-3.json root-2.json",
		"root-2-unlinked.json root-1.json", "targets-one.json root-1.json", "targets-wrong-role.json root-1.json", "targets-stranger.json root-1.json",
		"targets-expired.json root-1.json", "twice-targets.json twice-root.json", "expired-root-targets.json expired-root.json"} {
		out = append(out, sample("tuf", names, nil))
	}
	return out
}

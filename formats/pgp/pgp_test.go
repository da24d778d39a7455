// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

// now is after everything in testdata but the expiry of expires.sig's neighbours.
var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func read(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// given is a vector by file names.
type given struct {
	name, sig, key, artifact string
	want                     formats.Reason
	projects                 bool
	policy                   formats.Policy
}

func (g given) vector(t *testing.T) formatstest.Vector {
	v := formatstest.Vector{
		Name: g.name, Signature: read(t, g.sig), Want: g.want, Projects: g.projects, Policy: g.policy,
	}
	v.Policy.Now = now
	if g.key != "" {
		v.Keys = [][]byte{read(t, g.key)}
	}
	if g.artifact != "" {
		v.Artifact = read(t, g.artifact)
	}
	return v
}

var historical = formats.Policy{Historical: formats.AllowAll(true)}

// knownInTime is for what was signed on 2025-01-01 by keys that were given up on 2025-02-01.
var knownInTime = formats.Policy{KnownBy: time.Date(2025, 1, 15, 0, 0, 0, 0, time.UTC)}

// valid lists the vectors of testdata that verify.
var valid = []given{
	{name: "RSA-2048 SHA-256", sig: "rsa2048-SHA256.sig", key: "rsa2048.key", artifact: "artifact", projects: true},
	{name: "RSA-2048 SHA-384", sig: "rsa2048-SHA384.sig", key: "rsa2048.key", artifact: "artifact", projects: true},
	{name: "RSA-3072 SHA-256", sig: "rsa3072-SHA256.sig", key: "rsa3072.key", artifact: "artifact", projects: true},
	{name: "RSA-4096 SHA-512", sig: "rsa4096-SHA512.sig", key: "rsa4096.key", artifact: "artifact", projects: true},
	{name: "P-256", sig: "p256.sig", key: "p256.key", artifact: "artifact", projects: true},
	{name: "P-256 SHA-512", sig: "p256-SHA512.sig", key: "p256.key", artifact: "artifact", projects: true},
	{name: "P-384", sig: "p384.sig", key: "p384.key", artifact: "artifact", projects: true},
	{name: "P-521", sig: "p521.sig", key: "p521.key", artifact: "artifact", projects: true},
	{name: "Ed25519", sig: "ed25519.sig", key: "ed25519.key", artifact: "artifact", projects: true},
	{name: "armored", sig: "armored.asc", key: "rsa3072.key", artifact: "artifact", projects: true},
	{name: "text", sig: "text.asc", key: "rsa3072.key", artifact: "text", projects: true},
	{name: "cleartext", sig: "cleartext.asc", key: "rsa3072.key", projects: true},
	{name: "cleartext Ed25519", sig: "cleartext-ed25519.asc", key: "ed25519.key", projects: true},
	{name: "notation", sig: "notation.sig", key: "rsa3072.key", artifact: "artifact", projects: true},
	{name: "subkey", sig: "subkey.sig", key: "subkey.key", artifact: "artifact", projects: true},
	{name: "keyring", sig: "p384.sig", key: "keyring.gpg", artifact: "artifact", projects: true},
	{name: "subkey in a keyring", sig: "subkey.sig", key: "keyring.gpg", artifact: "artifact", projects: true},
	{name: "certified key", sig: "many.sig", key: "many.key", artifact: "artifact", projects: true},
	{name: "expired since", sig: "expired-before.sig", key: "expired.key", artifact: "artifact", projects: true},
	{name: "superseded since", sig: "revoked-superseded-before.sig", key: "revoked-superseded.key", artifact: "artifact", projects: true, policy: knownInTime},
	{name: "retired since", sig: "revoked-retired-before.sig", key: "revoked-retired.key", artifact: "artifact", projects: true, policy: knownInTime},
	{name: "v6 RSA", sig: "v6-rsa.sig", key: "v6-rsa.key", artifact: "artifact", projects: true},
	{name: "v6 RSA text", sig: "v6-rsa-text.asc", key: "v6-rsa.key", artifact: "text", projects: true},
	{name: "v6 RSA cleartext", sig: "v6-rsa-cleartext.asc", key: "v6-rsa.key", projects: true},
	{name: "v6 P-256", sig: "v6-p256.sig", key: "v6-p256.key", artifact: "artifact", projects: true},
	{name: "v6 Ed25519", sig: "v6-ed25519.sig", key: "v6-ed25519.key", artifact: "artifact", projects: true},
	{name: "v6 Ed25519 text", sig: "v6-ed25519-text.asc", key: "v6-ed25519.key", artifact: "text", projects: true},
	{name: "v3", sig: "v3-SHA256.sig", key: "v3.key", artifact: "artifact", projects: true},
	{name: "v3 SHA-512", sig: "v3-SHA512.sig", key: "v3.key", artifact: "artifact", projects: true},
	{name: "v3 text", sig: "v3-text.sig", key: "v3.key", artifact: "text", projects: true},
	{name: "v3 SHA-1 historical", sig: "v3-SHA1.sig", key: "v3.key", artifact: "artifact", policy: historical},
	{name: "historical SHA-1", sig: "sha1.sig", key: "rsa2048.key", artifact: "artifact", policy: historical},
	{name: "historical DSA", sig: "dsa.sig", key: "dsa.key", artifact: "artifact", policy: historical},
	{name: "two binary", sig: "two.sig", key: "keyring.gpg", artifact: "artifact", projects: true},
	{name: "two in one armor", sig: "two.asc", key: "keyring.gpg", artifact: "artifact", projects: true},
	{name: "cleartext by two", sig: "inrelease/InRelease", key: "inrelease/keys.asc", projects: true},
	{name: "historical expired key", sig: "expired-after.sig", key: "expired.key", artifact: "artifact", policy: historical},
}

// refused lists those that do not, and why.
var refused = []given{
	{name: "RSA-1024", sig: "rsa1024.sig", key: "rsa1024.key", want: formats.ReasonWeakAlgorithm},
	{name: "RSA-1024 historical", sig: "rsa1024.sig", key: "rsa1024.key", want: formats.ReasonWeakAlgorithm, policy: historical},
	{name: "DSA", sig: "dsa.sig", key: "dsa.key", want: formats.ReasonWeakAlgorithm},
	{name: "SHA-1", sig: "sha1.sig", key: "rsa2048.key", want: formats.ReasonWeakAlgorithm},
	{name: "v3 SHA-1", sig: "v3-SHA1.sig", key: "v3.key", want: formats.ReasonWeakAlgorithm},
	{name: "inline armored", sig: "inline.asc", key: "rsa3072.key", want: formats.ReasonUnsupportedSignature},
	{name: "inline", sig: "inline.gpg", key: "rsa3072.key", want: formats.ReasonUnsupportedSignature},
	{name: "signature expired", sig: "expires.sig", key: "rsa3072.key", want: formats.ReasonSignatureExpired},
	{name: "critical notation", sig: "critical-notation.sig", key: "rsa3072.key", want: formats.ReasonUnsupportedFeature},
	{name: "expired at signing", sig: "expired-after.sig", key: "expired.key", want: formats.ReasonKeyExpired},
	{name: "revoked without reason", sig: "revoked-none-before.sig", key: "revoked-none.key", want: formats.ReasonKeyRevoked},
	{name: "revoked as compromised", sig: "revoked-compromised-before.sig", key: "revoked-compromised.key", want: formats.ReasonKeyRevoked},
	{name: "superseded since, known too late", sig: "revoked-superseded-before.sig", key: "revoked-superseded.key", want: formats.ReasonKeyRevoked,
		policy: formats.Policy{KnownBy: time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)}},
	{name: "superseded since, not known", sig: "revoked-superseded-before.sig", key: "revoked-superseded.key", want: formats.ReasonKeyRevoked},
	{name: "signed when superseded", sig: "revoked-superseded-after.sig", key: "revoked-superseded.key", want: formats.ReasonKeyRevoked},
	{name: "signed when retired", sig: "revoked-retired-after.sig", key: "revoked-retired.key", want: formats.ReasonKeyRevoked},
	{name: "subkey revoked", sig: "subrevoked.sig", key: "subrevoked.key", want: formats.ReasonKeyRevoked},
	{name: "another key", sig: "p256.sig", key: "p384.key", want: formats.ReasonKeyMismatch},
	{name: "no key", sig: "p256.sig", want: formats.ReasonMissingKey},
	{name: "key as signature", sig: "p256.key", key: "p256.key", want: formats.ReasonMalformedSignature},
	{name: "signature as key", sig: "p256.sig", key: "armored.asc", want: formats.ReasonMalformedKey},
	{name: "artifact missing", sig: "p256.sig", key: "p256.key", want: formats.ReasonMissingArtifact},
	{name: "another artifact", sig: "p256.sig", key: "p256.key", artifact: "notes", want: formats.ReasonArtifactMismatch},
}

func TestConformance(t *testing.T) {
	s := formatstest.Suite{Format: pgp.New()}
	for _, g := range append(valid, refused...) {
		s.Vectors = append(s.Vectors, g.vector(t))
	}
	formatstest.Run(t, s)
}

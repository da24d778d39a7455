// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	conformance        = "sigstore-conformance"
	conformanceProject = "Sigstore's conformance tests"
	unusable           = "_fail" // the end of the names of bundles that a Sigstore client must refuse
)

// bundleGroup are bundles of Sigstore's conformance tests that have the same verdict.
type bundleGroup struct {
	names   string         // without "_fail"
	sent    formats.Reason // as a Sigstore client is given it
	keyed   formats.Reason // with the public key of the certificate in it sent as key
	differs string         // why the bundles with the opposite verdict have it
}

const (
	ownEvidence = "what is wrong with them is in their log entry, timestamp or trusted root. rekor-gateway looks at none of these, takes no time from them, and records the signature anew by its key, which has to be sent: as they are, they are refused, since their certificate has expired."
	shortLived  = "the certificate has expired, and that it was used in time only the bundle's own log entry says. With the certificate's key sent as `key` they are accepted, as signatures by that key."
	attestation = "attestations (DSSE) are statements about an artifact, not signatures over it."
)

var bundleGroups = []bundleGroup{
	{names: "managed-key-happy-path managed-key-and-trusted-root"},
	{names: "managed-key-no-key", sent: formats.ReasonMissingKey},
	{names: "managed-key-wrong-key", sent: formats.ReasonMalformedKey},
	{names: "happy-path-v0.1 happy-path-v0.2 happy-path-v0.3 happy-path-v0.3-new-mediaType bundle-with-sct-with-extensions rekor2-happy-path " +
		"rekor2-checkpoint-cosigned rekor2-checkpoint-multiple-cosigs rekor2-checkpoint-origin-not-first rekor2-checkpoint-two-sigs-cosigned " +
		"rekor2-checkpoint-two-sigs-from-origin rekor2-timestamp-with-embedded-cert rekor2-timestamp-with-expired-cert-chain " +
		"rekor2-timestamp-without-embedded-cert trust-root-tlog-validity-end-inclusive trust-root-tsa-validity-end-inclusive",
		sent: formats.ReasonKeyExpired, differs: shortLived},
	{names: "bundle-from-wrong-instance bundle-negative-log-index checkpoint-bad-keyhint checkpoint-wrong-roothash inclusion-proof-corrupted-hash " +
		"incorrect-public-key integrated-time-in-future invalid-checkpoint-signature invalid-ct-key invalid-inclusion-proof " +
		"rekor2-checkpoint-missing-log-signature rekor2-checkpoint-missing-origin rekor2-checkpoint-missing-root-hash rekor2-checkpoint-missing-size " +
		"rekor2-checkpoint-no-matching-signature rekor2-no-inclusion-proof rekor2-no-timestamp rekor2-timestamp-outside-trust-root-tsa-validity " +
		"rekor2-timestamp-outside-tsa-cert-validity rekor2-timestamp-payload-mismatch rekor2-timestamp-untrusted-tsa-with-embedded-cert " +
		"rekor2-timestamp-untrusted-tsa-without-embedded-cert set-invalid-signature trust-root-tlog-missing-validity-start " +
		"wrong-hashedrekord-artifact wrong-hashedrekord-cert-and-sig wrong-hashedrekord-entry",
		sent: formats.ReasonKeyExpired, differs: ownEvidence},
	{names: "message-digest-mismatch", sent: formats.ReasonKeyExpired, keyed: formats.ReasonArtifactMismatch},
	{names: "signature-mismatch wrong-material", sent: formats.ReasonKeyExpired, keyed: formats.ReasonSignatureInvalid},
	{names: "dsse-invalid-sig dsse-mismatch-envelope dsse-mismatch-sig happy-path-intoto-in-dsse-v3 intoto-expired-certificate intoto-log-entry-mismatch " +
		"intoto-missing-inclusion-proof intoto-set-outside-signing-cert-validity intoto-tsa-timestamp-outside-cert-validity intoto-with-custom-trust-root " +
		"rekor2-dsse-happy-path rekor2-dsse-invalid-sig rekor2-dsse-mismatch-envelope rekor2-dsse-mismatch-sig",
		sent: formats.ReasonUnsupportedSignature, keyed: formats.ReasonUnsupportedSignature, differs: attestation},
	{names: "bundle-unknown-version", sent: formats.ReasonUnsupportedVersion, keyed: formats.ReasonUnsupportedVersion},
	{names: "bundle-with-root-cert", sent: formats.ReasonMalformedKey, keyed: formats.ReasonMalformedKey},
	{names: "bundle-empty-certificate-chain bundle-malformed-json", sent: formats.ReasonMalformedSignature},
	{names: "bundle-invalid-base64-signature rekor2-timestamp-with-incorrect-time", sent: formats.ReasonMalformedSignature, keyed: formats.ReasonMalformedSignature},
}

// TestBundleVectors holds rekor-gateway to the right verdict on each bundle, with its key and without.
func TestBundleVectors(t *testing.T) {
	var listed []string
	for _, g := range bundleGroups {
		for _, c := range g.cases() {
			listed = append(listed, c)
			t.Run(c, func(t *testing.T) { g.test(t, c) })
		}
		if (g.differs == "") != (len(g.differing()) == 0) {
			t.Errorf("a reason to differ without a difference, or none with one: %s", g.names)
		}
	}
	slices.Sort(listed)
	var there []string
	for _, path := range glob(t, "testdata/vectors", conformance+"/*/bundle.sigstore.json") {
		there = append(there, filepath.Base(filepath.Dir(path)))
	}
	if !slices.Equal(listed, there) {
		t.Errorf("%d bundles have a verdict, of %d", len(listed), len(there))
	}
}

func (g bundleGroup) test(t *testing.T, name string) {
	s := submission{format: "x509", base: name, kind: asMade, signature: readVector(conformance, name+"/bundle.sigstore.json"), artifact: bundleFile(name, "artifact")}
	if s.artifact == nil {
		s.artifact = readVector(conformance, "a.txt")
	}
	if key := bundleFile(name, "key.pub"); key != nil {
		s.keys = [][]byte{key}
	}
	s.require(t, g.sent)
	if key := certificateKey(s.signature); key != nil {
		s.keys = [][]byte{key}
		s.require(t, g.keyed)
	}
}

// cases are the bundles' folders.
func (g bundleGroup) cases() (out []string) {
	for _, name := range strings.Fields(g.names) {
		if _, err := os.Stat(filepath.Join("testdata", "vectors", conformance, name)); err != nil {
			name += unusable
		}
		out = append(out, name)
	}
	return out
}

// differing are the bundles of which a Sigstore client says the opposite. What it refuses must be refused with the
// certificate's key, too.
func (g bundleGroup) differing() (out []string) {
	for _, name := range g.cases() {
		refused, accepts := strings.HasSuffix(name, unusable), g.sent == accepted
		if refused && g.sent == formats.ReasonKeyExpired {
			accepts = g.keyed == accepted
		}
		if accepts == refused {
			out = append(out, name)
		}
	}
	return out
}

// bundleFile returns nil when the bundle comes without such a file.
func bundleFile(name, file string) []byte {
	content, err := os.ReadFile(filepath.Join("testdata", "vectors", conformance, name, file))
	if err != nil {
		return nil
	}
	return content
}

// certificateKey returns the public key of the bundle's first certificate, nil when none can be read.
func certificateKey(bundle []byte) []byte {
	type certificate struct{ RawBytes []byte }
	var b struct {
		VerificationMaterial struct {
			Certificate          certificate
			X509CertificateChain struct{ Certificates []certificate }
		}
	}
	if json.Unmarshal(bundle, &b) != nil {
		return nil
	}
	all := append(b.VerificationMaterial.X509CertificateChain.Certificates, b.VerificationMaterial.Certificate)
	c, err := x509.ParseCertificate(all[0].RawBytes)
	if err != nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: c.RawSubjectPublicKeyInfo})
}

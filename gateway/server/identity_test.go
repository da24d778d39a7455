// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	trustrootpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"go.mozilla.org/pkcs7"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

// authority issues certificates of Fulcio's shape: from an intermediate below a root, short-lived, without a subject, with the
// names and the OIDC issuer as extensions.
type authority struct {
	chain []*x509.Certificate // the intermediate, the root
	key   *ecdsa.PrivateKey   // the intermediate's
}

func newAuthority(name string) *authority {
	root, top := newIssuer(name+" root", nil, nil)
	intermediate, key := newIssuer(name, root, top)
	return &authority{[]*x509.Certificate{intermediate, root}, key}
}

// newIssuer returns a certificate of an issuer, by parent, or by itself.
func newIssuer(name string, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	if parent == nil {
		parent, by = template, key
		template.ExtKeyUsage = nil
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)))), key
}

// issue returns the certificate of a key that is made for it.
func (a *authority) issue(san, issuer string, notBefore time.Time) (*x509.Certificate, *ecdsa.PrivateKey) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: notBefore, NotAfter: time.Now().Add(10 * time.Minute),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	if kind, name, _ := strings.Cut(san, ":"); kind == "uri" {
		template.URIs = []*url.URL{must(url.Parse(name))}
	} else {
		template.EmailAddresses = []string{name}
	}
	if issuer != "" {
		template.ExtraExtensions = []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: must(asn1.MarshalWithParams(issuer, "utf8"))},
		}
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, a.chain[0], key.Public(), a.key)))), key
}

// sign returns a raw signature over a text, with a certificate.
func (a *authority) sign(text, san, issuer string, notBefore time.Time) signedFile {
	certificate, key := a.issue(san, issuer, notBefore)
	digest := sha256.Sum256([]byte(text))
	return signedFile{must(key.Sign(rand.Reader, digest[:], crypto.SHA256)), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), []byte(text)}
}

// signCMS returns a PKCS #7 signature over a text, which has the signer's certificate inside.
func (a *authority) signCMS(text, san, issuer string) signedFile {
	certificate, key := a.issue(san, issuer, time.Now().Add(-time.Second))
	signed := must(pkcs7.NewSignedData([]byte(text)))
	signed.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	if err := signed.AddSigner(certificate, key, pkcs7.SignerInfoConfig{}); err != nil {
		panic(err)
	}
	signed.Detach()
	return signedFile{must(signed.Finish()), nil, []byte(text)}
}

// withChain sends the issuers as well.
func (a *authority) withChain(f signedFile) signedFile {
	for _, c := range a.chain {
		f.key = append(f.key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return f
}

// addAuthority puts a into a trusted root, in use between two times.
func addAuthority(path string, a *authority, start, end time.Time) {
	var root trustrootpb.TrustedRoot
	if err := protojson.Unmarshal(must(os.ReadFile(path)), &root); err != nil {
		panic(err)
	}
	added := &trustrootpb.CertificateAuthority{
		Uri: "https://fulcio.example.com", Subject: &commonpb.DistinguishedName{Organization: "example.com", CommonName: a.chain[1].Subject.CommonName},
		ValidFor: &commonpb.TimeRange{Start: timestamppb.New(start)}, CertChain: &commonpb.X509CertificateChain{},
	}
	if !end.IsZero() {
		added.ValidFor.End = timestamppb.New(end)
	}
	for _, c := range a.chain {
		added.CertChain.Certificates = append(added.CertChain.Certificates, &commonpb.X509Certificate{RawBytes: c.Raw})
	}
	root.CertificateAuthorities = append(root.CertificateAuthorities, added)
	if err := os.WriteFile(path, must(protojson.Marshal(&root)), 0o600); err != nil {
		panic(err)
	}
}

// TestSignersByIdentity: who may sign is told by what an authority of the trusted root, or of one's own, names in his certificate, and
// by nothing that anybody else could write there.
func TestSignersByIdentity(t *testing.T) {
	t.Parallel() // it mostly waits
	const (
		oidc     = "https://token.example.com"
		workflow = "uri:https://example.com/app/.github/workflows/release.yml@refs/tags/v1"
		alice    = "email:alice@example.com"
	)
	cfg := newConfig(t)
	identities := config.Policy{AllowedIdentities: []config.Identity{{SAN: workflow, OIDCIssuer: oidc}, {SAN: alice, OIDCIssuer: oidc}}}
	if err := server.CheckFiles(t.Context(), withPolicies(cfg, map[string]config.Policy{"release": identities})); err == nil ||
		!strings.Contains(err.Error(), "policies.release.allowed_identities: the trusted root has no certificate authority") {
		t.Errorf("without authorities: %v", err)
	}
	fulcio, ended, own, stranger := newAuthority("fulcio"), newAuthority("ended"), newAuthority("own"), newAuthority("fulcio")
	now := time.Now()
	addAuthority(cfg.TrustedRoot, fulcio, now.Add(-time.Hour), time.Time{})
	addAuthority(cfg.TrustedRoot, ended, now.Add(-24*time.Hour), now.Add(-time.Minute))
	bundle := filepath.Join(t.TempDir(), "own.pem")
	if err := os.WriteFile(bundle, own.withChain(signedFile{}).key, 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, withPolicies(cfg, map[string]config.Policy{
		"release": identities, "own": {Roots: []string{bundle}, AllowedIdentities: []config.Identity{{SAN: alice}}},
	}))
	defer r.stop()
	bareKey := fulcio.sign("bare", workflow, oidc, now)
	block, _ := pem.Decode(bareKey.key)
	bareKey.key = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.ParseCertificate(block.Bytes)).RawSubjectPublicKeyInfo})
	for name, c := range map[string]struct {
		by   string
		file signedFile
		want string
	}{
		"workflow":                      {"release", fulcio.sign("1", workflow, oidc, now), ""},
		"address":                       {"release", fulcio.sign("2", alice, oidc, now), ""},
		"with its issuers":              {"release", fulcio.withChain(fulcio.sign("3", alice, oidc, now)), ""},
		"another workflow":              {"release", fulcio.sign("4", workflow+"1", oidc, now), "KEY_NOT_TRUSTED"},
		"another issuer":                {"release", fulcio.sign("5", workflow, "https://other.example.com", now), "KEY_NOT_TRUSTED"},
		"no issuer":                     {"release", fulcio.sign("6", alice, "", now), "KEY_NOT_TRUSTED"},
		"a stranger's authority":        {"release", stranger.withChain(stranger.sign("7", workflow, oidc, now)), "KEY_NOT_TRUSTED"},
		"own authority, other policy":   {"release", own.withChain(own.sign("8", workflow, oidc, now)), "KEY_NOT_TRUSTED"},
		"an authority that has ended":   {"release", ended.withChain(ended.sign("9", workflow, oidc, now.Add(-time.Hour))), "KEY_NOT_TRUSTED"},
		"from before the authority was": {"release", fulcio.sign("10", workflow, oidc, now.Add(-2*time.Hour)), "KEY_NOT_TRUSTED"},
		"the bare key":                  {"release", bareKey, "KEY_NOT_TRUSTED"},
		"own, without an issuer":        {"own", own.sign("11", alice, "", now), ""},
		"own, with an issuer":           {"own", own.sign("12", alice, oidc, now), "KEY_NOT_TRUSTED"},
		"own, another name":             {"own", own.sign("13", workflow, "", now), "KEY_NOT_TRUSTED"},
		"own policy, trusted root's":    {"own", fulcio.withChain(fulcio.sign("14", alice, "", now)), "KEY_NOT_TRUSTED"},
		"who has no such policy":        {"standard", stranger.sign("15", workflow, oidc, now), ""},
		"CMS":                           {"release", fulcio.signCMS("16", workflow, oidc), ""},
		"CMS, another workflow":         {"release", fulcio.signCMS("17", workflow+"1", oidc), "KEY_NOT_TRUSTED"},
		"CMS, another issuer":           {"release", fulcio.signCMS("18", workflow, oidc+"1"), "KEY_NOT_TRUSTED"},
		"CMS, a stranger's authority":   {"release", stranger.signCMS("19", workflow, oidc), "KEY_NOT_TRUSTED"},
		"CMS, an ended authority":       {"release", ended.signCMS("20", workflow, oidc), "KEY_NOT_TRUSTED"},
		"CMS, own":                      {"own", own.signCMS("21", alice, ""), ""},
		"CMS, own, another name":        {"own", own.signCMS("22", workflow, ""), "KEY_NOT_TRUSTED"},
		"PGP, by a key":                 {"release", signedFiles(t)["pgp"], "KEY_NOT_TRUSTED"},
	} {
		for _, path := range []string{"/v1/submissions:plan", "/v1/submissions"} {
			reason, id := r.postFile(c.by, path, c.file)
			if reason != c.want {
				t.Errorf("%s, %s: %q, want %q", name, path, reason, c.want)
			}
			if id != "" { // its receipt needs none of the authorities
				_, raw := r.ask("GET /v1/submissions/{id}/receipt", bearer(c.by), id)
				verifyOffline(t, cfg, []byte(raw), string(c.file.artifact), 1)
			}
		}
	}
}

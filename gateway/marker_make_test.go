// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"go.mozilla.org/pkcs7"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/ssh"
)

// longAgo is when the keys are made.
func longAgo() time.Time { return time.Now().Add(-time.Hour).UTC().Truncate(time.Second) }

var hostileArtifact = []byte("a release, version 1.0\n")

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ed25519Key(t *testing.T) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

// hostileCertificate names the marker in every field.
func hostileCertificate(t *testing.T) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	list := []string{marker}
	name := pkix.Name{
		CommonName: marker, Organization: list, OrganizationalUnit: list, Country: list, Province: list, Locality: list,
		StreetAddress: list, PostalCode: list, SerialNumber: marker,
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(marker)), Subject: name, SubjectKeyId: []byte(marker), AuthorityKeyId: []byte(marker),
		NotBefore: longAgo(), NotAfter: longAgo().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		EmailAddresses: []string{marker + "@example.org"}, DNSNames: []string{marker + ".example.org"},
		URIs: []*url.URL{{Scheme: "https", Host: "example.org", Path: "/" + marker}}, OCSPServer: []string{"https://example.org/" + marker},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Value: []byte("\x0c\x08" + marker)}},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	return must(x509.ParseCertificate(der))(t), key
}

func hostileX509(t *testing.T) []hostile {
	certificate, key := hostileCertificate(t)
	sum := sha256.Sum256(hostileArtifact)
	return []hostile{{
		signature: must(ecdsa.SignASN1(rand.Reader, key, sum[:]))(t), artifact: hostileArtifact,
		keys: [][]byte{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})},
	}}
}

func hostilePKCS7(t *testing.T) []hostile {
	certificate, key := hostileCertificate(t)
	data := must(pkcs7.NewSignedData(hostileArtifact))(t)
	data.SetDigestAlgorithm(pkcs7.OIDDigestAlgorithmSHA256)
	attribute := pkcs7.Attribute{Type: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}, Value: marker}
	config := pkcs7.SignerInfoConfig{ExtraSignedAttributes: []pkcs7.Attribute{attribute}, ExtraUnsignedAttributes: []pkcs7.Attribute{attribute}}
	if err := data.AddSigner(certificate, key, config); err != nil {
		t.Fatal(err)
	}
	attached := must(data.Finish())(t)
	data.Detach()
	detached := must(data.Finish())(t)
	armored := pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: detached})
	return []hostile{{signature: attached}, {signature: detached, artifact: hostileArtifact}, {signature: armored, artifact: hostileArtifact}}
}

// sshSign makes an SSHSIG (PROTOCOL.sshsig).
func sshSign(t *testing.T, signer ssh.Signer) []byte {
	t.Helper()
	sum := sha512.Sum512(hostileArtifact)
	magic := [6]byte([]byte("SSHSIG"))
	blob := ssh.Marshal(struct {
		Magic                     [6]byte
		Namespace, Reserved, Name string
		Hash                      []byte
	}{magic, "file", "", "sha512", sum[:]})
	sig := must(signer.Sign(rand.Reader, blob))(t)
	return pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Bytes: ssh.Marshal(struct {
		Magic                     [6]byte
		Version                   uint32
		Key                       []byte
		Namespace, Reserved, Name string
		Signature                 []byte
	}{magic, 1, signer.PublicKey().Marshal(), "file", "", "sha512", ssh.Marshal(sig)})})
}

func hostileSSH(t *testing.T) []hostile {
	_, private := ed25519Key(t)
	signer := must(ssh.NewSignerFromKey(private))(t)
	line := string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	_, authority := ed25519Key(t)
	ca := must(ssh.NewSignerFromKey(authority))(t)
	certificate := &ssh.Certificate{
		Key: signer.PublicKey(), CertType: ssh.UserCert, KeyId: marker, ValidPrincipals: []string{marker}, ValidBefore: ssh.CertTimeInfinity,
		Permissions: ssh.Permissions{Extensions: map[string]string{marker + "@example.org": marker}},
	}
	if err := certificate.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	certified := must(ssh.NewCertSigner(certificate, signer))(t)
	caLine := string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(ca.PublicKey())))
	return []hostile{
		{sshSign(t, signer), [][]byte{[]byte(line + " " + marker + "\n")}, hostileArtifact},
		{sshSign(t, signer), [][]byte{[]byte("# " + marker + "\n" + marker + ` namespaces="file,` + marker + `" ` + line + " " + marker + "\n")}, hostileArtifact},
		{sshSign(t, certified), [][]byte{[]byte(marker + " cert-authority " + caLine + " " + marker + "\n")}, hostileArtifact},
	}
}

func hostilePGP(t *testing.T) []hostile {
	now := longAgo()
	config := &packet.Config{
		Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return now }, DefaultHash: crypto.SHA512,
		SignatureNotations: []*packet.Notation{{Name: marker + "@example.org", Value: []byte(marker), IsHumanReadable: true}},
	}
	entity := must(openpgp.NewEntity(marker, marker, marker+"@example.org", config))(t)
	headers := map[string]string{"Comment": marker}
	key := armored(t, "PGP PUBLIC KEY BLOCK", headers, func(w io.Writer) error { return entity.Serialize(w) })
	config.Time = func() time.Time { return now.Add(time.Minute) }
	sig := armored(t, "PGP SIGNATURE", headers, func(w io.Writer) error {
		return openpgp.DetachSign(w, entity, bytes.NewReader(hostileArtifact), config)
	})
	var cleartext bytes.Buffer
	w := must(clearsign.Encode(&cleartext, entity.PrivateKey, config))(t)
	_ = must(w.Write([]byte(marker + "\n")))(t)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []hostile{{sig, [][]byte{key}, hostileArtifact}, {signature: append(cleartext.Bytes(), '\n'), keys: [][]byte{key}}}
}

func armored(t *testing.T, kind string, headers map[string]string, write func(io.Writer) error) []byte {
	t.Helper()
	var out bytes.Buffer
	w := must(armor.Encode(&out, kind, headers))(t)
	if err := write(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// hostileMinisign also has the marker as its key id, as minisign prints one.
func hostileMinisign(t *testing.T) []hostile {
	public, private := ed25519Key(t)
	line := func(parts ...[]byte) string { return base64.StdEncoding.EncodeToString(bytes.Join(parts, nil)) + "\n" }
	id, trusted := []byte(marker), "timestamp:1700000000\tfile:"+marker+"\t"+marker
	digest := blake2b.Sum512(hostileArtifact)
	sig := ed25519.Sign(private, digest[:])
	text := "untrusted comment: " + marker + "\n" + line([]byte("ED"), id, sig) + "trusted comment: " + trusted + "\n" +
		line(ed25519.Sign(private, append(bytes.Clone(sig), trusted...)))
	key := "untrusted comment: " + marker + "\n" + line([]byte("Ed"), id, public)
	signify := "untrusted comment: verify with " + marker + ".pub\n" + line([]byte("Ed"), id, ed25519.Sign(private, hostileArtifact))
	return []hostile{{[]byte(text), [][]byte{[]byte(key)}, hostileArtifact}, {[]byte(signify), [][]byte{[]byte(key)}, hostileArtifact}}
}

// hostileTUF: a document of a top-level role, one of a delegated role over a target, one that has expired.
func hostileTUF(t *testing.T) []hostile {
	root, top, delegated := newTUFKey(t, marker+"-root"), newTUFKey(t, marker+"-top"), newTUFKey(t, marker+"-delegated")
	signed := func(kind, expires string, more map[string]any) map[string]any {
		s := map[string]any{"_type": kind, "spec_version": "1.0.31", "version": 1, "expires": expires, "x-" + marker: marker}
		for name, v := range more {
			s[name] = v
		}
		return s
	}
	const later, past = "2090-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
	role := func(k tufKey) map[string]any { return map[string]any{"keyids": []string{k.id}, "threshold": 1} }
	rootFile := root.file(t, signed("root", later, map[string]any{
		"consistent_snapshot": true, "keys": map[string]any{root.id: root.listed, top.id: top.listed},
		"roles": map[string]any{"root": role(root), "targets": role(top), "snapshot": role(top), "timestamp": role(top)},
	}))
	sum := sha256.Sum256(hostileArtifact)
	target := map[string]any{marker + "/" + marker: map[string]any{
		"length": len(hostileArtifact), "hashes": map[string]any{"sha256": hex.EncodeToString(sum[:])}, "custom": map[string]any{marker: marker},
	}}
	delegating := top.file(t, signed("targets", later, map[string]any{"targets": map[string]any{}, "delegations": map[string]any{
		"keys":  map[string]any{delegated.id: delegated.listed},
		"roles": []any{map[string]any{"name": marker, "keyids": []string{delegated.id}, "threshold": 1, "terminating": false, "paths": []string{marker + "/*"}}},
	}}))
	return []hostile{
		{signature: top.file(t, signed("targets", later, map[string]any{"targets": target})), keys: [][]byte{rootFile}},
		{delegated.file(t, signed("targets", later, map[string]any{"targets": target})), [][]byte{rootFile, delegating}, hostileArtifact},
		{signature: top.file(t, signed("targets", past, map[string]any{"targets": target})), keys: [][]byte{rootFile}},
		{signature: rootFile, keys: [][]byte{rootFile}},
	}
}

// tufKey has an id that is no hash, which clients in use take.
type tufKey struct {
	id      string
	private ed25519.PrivateKey
	listed  map[string]any
}

func newTUFKey(t *testing.T, id string) tufKey {
	public, private := ed25519Key(t)
	return tufKey{id, private, map[string]any{
		"keytype": "ed25519", "scheme": "ed25519", "keyval": map[string]any{"public": hex.EncodeToString(public)},
	}}
}

func (k tufKey) file(t *testing.T, signed map[string]any) []byte {
	t.Helper()
	sig := hex.EncodeToString(ed25519.Sign(k.private, must(cjson.EncodeCanonical(signed))(t)))
	return must(json.Marshal(map[string]any{"signed": signed, "signatures": []any{map[string]any{"keyid": k.id, "sig": sig}}}))(t)
}

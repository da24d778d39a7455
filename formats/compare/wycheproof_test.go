// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

type wycheproof struct {
	NumberOfTests int
	TestGroups    []struct {
		PublicKeyDer string
		PublicKey    struct{ PK string }
		Tests        []struct {
			TcID              int
			Comment, Msg, Sig string
			Result            string
		}
	}
}

// load reads a file of C2SP's Wycheproof, from the folder that REKOR_GATEWAY_VECTORS names
// or beside the repository.
func load(t *testing.T, name string) (w wycheproof) {
	dir := cmp.Or(os.Getenv("REKOR_GATEWAY_VECTORS"), filepath.Join("..", "..", "..", "shared", "vectors"))
	raw, err := os.ReadFile(filepath.Join(dir, "wycheproof", name))
	if err != nil && os.Getenv("REKOR_GATEWAY_VECTORS") != "" {
		t.Fatal(err)
	}
	if err != nil {
		const loud = "WYCHEPROOF VECTORS NOT FOUND: NOTHING WAS CHECKED. SET REKOR_GATEWAY_VECTORS TO THEIR FOLDER."
		fmt.Fprintln(os.Stderr, loud)
		t.Skip(loud)
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

func unhex(s string) []byte { return must(hex.DecodeString(s)) }

// TestWycheproof carries vectors in the formats that sign a document's bytes as they are: CMS without
// attributes, and signify. X.509 has its own test. OpenPGP, SSHSIG, minisign and TUF sign a text of their own
// after, before or around the document, which no vector has; they end in the same functions of the
// standard library.
func TestWycheproof(t *testing.T) {
	for file, c := range map[string]struct {
		hash      crypto.Hash
		algorithm []byte
	}{
		"ecdsa_secp256r1_sha256_test.json":      {crypto.SHA256, algorithmID(oidECDSASHA256)},
		"ecdsa_secp384r1_sha384_test.json":      {crypto.SHA384, algorithmID(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3})},
		"ecdsa_secp521r1_sha512_test.json":      {crypto.SHA512, algorithmID(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4})},
		"rsa_signature_2048_sha256_test.json":   {crypto.SHA256, algorithmID(oidRSA)},
		"rsa_signature_3072_sha256_test.json":   {crypto.SHA256, algorithmID(oidRSA)},
		"rsa_signature_4096_sha256_test.json":   {crypto.SHA256, algorithmID(oidRSA)},
		"rsa_pss_2048_sha256_mgf1_32_test.json": {crypto.SHA256, pssSHA256()},
	} {
		t.Run(file, func(t *testing.T) {
			checkVectors(t, load(t, file), func(key, _, msg, sig []byte) submission {
				return submission{format: "pkcs7", signature: cmsVector(key, sig, c.hash, c.algorithm), artifact: msg}
			})
		})
	}
	t.Run("ed25519_test.json", func(t *testing.T) {
		checkVectors(t, load(t, "ed25519_test.json"), func(_, point, msg, sig []byte) submission {
			return submission{format: "minisign", signature: signify(sig), keys: [][]byte{signifyKey(point)}, artifact: msg}
		})
	})
}

func checkVectors(t *testing.T, w wycheproof, carry func(key, point, msg, sig []byte) submission) {
	seen, valid := 0, 0
	for _, g := range w.TestGroups {
		for _, v := range g.Tests {
			seen++
			got := rekorGateway(carry(unhex(g.PublicKeyDer), unhex(g.PublicKey.PK), unhex(v.Msg), unhex(v.Sig)))
			if got.accepted {
				valid++
			}
			if v.Result != "acceptable" && got.accepted != (v.Result == "valid") {
				t.Errorf("%d (%s): %v, want %s", v.TcID, v.Comment, got, v.Result)
			}
		}
	}
	if seen != w.NumberOfTests || valid == 0 {
		t.Errorf("%d of %d vectors read, %d accepted", seen, w.NumberOfTests, valid)
	}
	t.Logf("%d vectors, %d accepted", seen, valid)
}

// cmsVector wraps a raw signature in a SignedData without attributes, with a certificate for its key.
func cmsVector(spki, sig []byte, hash crypto.Hash, algorithm []byte) []byte {
	issuer := newCMSSigner("p256")
	template := &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "Vector"}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	cert := must(x509.CreateCertificate(rand.Reader, template, issuer.cert, must(x509.ParsePKIXPublicKey(spki)), issuer.key))
	info := sequence([]byte{2, 1, 1}, sequence(issuer.cert.RawSubject, []byte{2, 1, 9}), algorithmID(digestOIDs[hash]), algorithm, must(asn1.Marshal(sig)))
	data := sequence([]byte{2, 1, 1}, tlv(0x31, algorithmID(digestOIDs[hash])), sequence(must(asn1.Marshal(oidData))), tlv(0xa0, cert), tlv(0x31, info))
	return sequence(must(asn1.Marshal(oidSignedData)), tlv(0xa0, data))
}

// pssSHA256 is RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 4055).
func pssSHA256() []byte {
	hash := algorithmID(digestOIDs[crypto.SHA256])
	mgf1 := sequence(must(asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8})), hash)
	return sequence(must(asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10})),
		sequence(tlv(0xa0, hash), tlv(0xa1, mgf1), tlv(0xa2, []byte{2, 1, 32})))
}

// signify wraps a signature of any length; the format has but one.
func signify(sig []byte) []byte {
	return []byte("untrusted comment: verify with key.pub\n" + base64Line([]byte("Ed12345678"), sig) + "\n")
}

func signifyKey(point []byte) []byte {
	return []byte("untrusted comment: key public key\n" + base64Line([]byte("Ed12345678"), point) + "\n")
}

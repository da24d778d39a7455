// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

type wycheproof struct {
	TestGroups []struct {
		PublicKeyDer string
		Tests        []struct {
			TcID              int
			Comment, Msg, Sig string
			Result            string
		}
	}
}

// load reads a file of C2SP's Wycheproof, from the folder that REKOR_GATEWAY_VECTORS names
// or beside the repository.
func load(t *testing.T, name string) wycheproof {
	dir := cmp.Or(os.Getenv("REKOR_GATEWAY_VECTORS"), filepath.Join("..", "..", "shared", "vectors"))
	raw, err := os.ReadFile(filepath.Join(dir, "wycheproof", name))
	if err != nil {
		t.Log("WYCHEPROOF VECTORS NOT FOUND: NOTHING WAS CHECKED. SET REKOR_GATEWAY_VECTORS TO THEIR FOLDER.")
		t.Skip(err)
	}
	var w wycheproof
	if err := json.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// otherSalt: a salt of another length than the file's is another parameter, not an invalid
// signature.
const otherSalt = "s_len changed to "

func TestVerifyDigestWycheproof(t *testing.T) {
	for _, c := range []struct {
		file   string
		scheme formats.Scheme
		hash   formats.DigestAlgorithm
	}{
		{"ecdsa_secp256r1_sha256_test.json", formats.ECDSA, formats.SHA256},
		{"ecdsa_secp384r1_sha384_test.json", formats.ECDSA, formats.SHA384},
		{"ecdsa_secp521r1_sha512_test.json", formats.ECDSA, formats.SHA512},
		{"rsa_signature_2048_sha256_test.json", formats.RSAPKCS1v15, formats.SHA256},
		{"rsa_signature_3072_sha256_test.json", formats.RSAPKCS1v15, formats.SHA256},
		{"rsa_signature_4096_sha256_test.json", formats.RSAPKCS1v15, formats.SHA256},
		{"rsa_pss_2048_sha256_mgf1_32_test.json", formats.RSAPSS, formats.SHA256},
	} {
		t.Run(c.file, func(t *testing.T) {
			count := 0
			for _, g := range load(t, c.file).TestGroups {
				for _, v := range g.Tests {
					count++
					err := formats.Projection{
						Candidate: formats.Candidate{SPKI: unhex(t, g.PublicKeyDer), Scheme: c.scheme, Hash: c.hash},
						Digest:    digest(c.hash, unhex(t, v.Msg)), Signature: unhex(t, v.Sig),
					}.VerifyDigest()
					want := v.Result == "valid" || strings.HasPrefix(v.Comment, otherSalt)
					if (err == nil) != want || err != nil && formats.ReasonOf(err) != formats.ReasonSignatureInvalid {
						t.Errorf("%d (%s): %v, want %s", v.TcID, v.Comment, err, v.Result)
					}
				}
			}
			if count < 100 {
				t.Errorf("only %d vectors", count)
			}
		})
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func digest(a formats.DigestAlgorithm, message []byte) formats.Digest {
	h := a.New()
	h.Write(message)
	return formats.Digest{Algorithm: a, Value: h.Sum(nil)}
}

func spki(t testing.TB, pub crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// rsaKey is a key of that size by its modulus, which has no private key.
func rsaKey(bits int) *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	return &rsa.PublicKey{N: n.Sub(n, big.NewInt(1)), E: 65537}
}

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func edKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

// TestVerifyDigestRefuses: what does not fit the candidate is refused, however good the signature.
func TestVerifyDigestRefuses(t *testing.T) {
	d := digest(formats.SHA512, []byte("message"))
	sig, err := edKey().Sign(nil, d.Value, &ed25519.Options{Hash: crypto.SHA512})
	if err != nil {
		t.Fatal(err)
	}
	good := formats.Projection{
		Candidate: formats.Candidate{SPKI: spki(t, edKey().Public()), Scheme: formats.Ed25519ph, Hash: formats.SHA512},
		Digest:    d, Signature: sig,
	}
	if err := good.VerifyDigest(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*formats.Projection)
		want   formats.Reason
	}{
		"no key":              {func(p *formats.Projection) { p.SPKI = nil }, formats.ReasonMalformedKey},
		"bytes after the key": {func(p *formats.Projection) { p.SPKI = append(p.SPKI[:len(p.SPKI):len(p.SPKI)], 0) }, formats.ReasonMalformedKey},
		"another kind of key": {func(p *formats.Projection) { p.SPKI = spki(t, ecKey(t, elliptic.P256()).Public()) }, formats.ReasonSignatureInvalid},
		"no scheme":           {func(p *formats.Projection) { p.Scheme = "" }, formats.ReasonSignatureInvalid},
		"another scheme":      {func(p *formats.Projection) { p.Scheme = formats.ECDSA }, formats.ReasonSignatureInvalid},
		"another hash":        {func(p *formats.Projection) { p.Hash = formats.BLAKE2b512 }, formats.ReasonSignatureInvalid},
		"unknown hash":        {func(p *formats.Projection) { p.Hash, p.Digest.Algorithm = "md5", "md5" }, formats.ReasonSignatureInvalid},
		"short digest":        {func(p *formats.Projection) { p.Digest.Value = p.Digest.Value[1:] }, formats.ReasonSignatureInvalid},
		"no digest":           {func(p *formats.Projection) { p.Digest = formats.Digest{} }, formats.ReasonSignatureInvalid},
		"another digest":      {func(p *formats.Projection) { p.Digest = digest(formats.SHA512, nil) }, formats.ReasonSignatureInvalid},
		"no signature":        {func(p *formats.Projection) { p.Signature = nil }, formats.ReasonSignatureInvalid},
		"short signature":     {func(p *formats.Projection) { p.Signature = p.Signature[1:] }, formats.ReasonSignatureInvalid},
		"pure Ed25519":        {func(p *formats.Projection) { p.Signature = ed25519.Sign(edKey(), p.Digest.Value) }, formats.ReasonSignatureInvalid},
	} {
		p := good
		c.change(&p)
		if err := p.VerifyDigest(); formats.ReasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNeedNames(t *testing.T) {
	for n, want := range map[formats.Need]string{formats.NeedBytes: "bytes", formats.NeedDigest: "digest", formats.NeedNone: "none"} {
		if n.String() != want {
			t.Errorf("%s, want %s", n, want)
		}
	}
	if got := formats.KeyName("x"); got != "unknown key" {
		t.Error(got)
	}
}

// FuzzProjection: no panic, refusals with a reason, and no signature verifies over digests of
// several lengths.
func FuzzProjection(f *testing.F) {
	message := digest(formats.SHA256, []byte("message"))
	ec := ecKey(f, elliptic.P256())
	sig, err := ecdsa.SignASN1(rand.Reader, ec, message.Value)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(spki(f, ec.Public()), "ecdsa", "sha256", message.Value, sig)
	f.Add(spki(f, edKey().Public()), "ed25519ph", "sha512", make([]byte, 64), make([]byte, 64))
	f.Add(spki(f, rsaKey(2048)), "rsa-pkcs1v15", "sha256", message.Value, make([]byte, 256))
	f.Add(spki(f, rsaKey(2048)), "rsa-pss", "sha384", make([]byte, 48), make([]byte, 256))
	f.Fuzz(func(t *testing.T, key []byte, scheme, hash string, value, signature []byte) {
		c := formats.Candidate{SPKI: key, Scheme: formats.Scheme(scheme), Hash: formats.DigestAlgorithm(hash)}
		p := formats.Projection{Candidate: c, Digest: formats.Digest{Algorithm: c.Hash, Value: value}, Signature: signature}
		if err := p.VerifyDigest(); err != nil {
			if formats.ReasonOf(err) == "" {
				t.Errorf("untyped: %v", err)
			}
			return
		}
		for _, other := range [][]byte{value[:len(value)-1], append(bytes.Clone(value), 0)} {
			if p.Digest.Value = other; p.VerifyDigest() == nil {
				t.Errorf("verified over %d and %d bytes of %q", len(value), len(other), hash)
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
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
	dir := cmp.Or(os.Getenv("REKOR_GATEWAY_VECTORS"), filepath.Join("..", "..", "..", "shared", "vectors"))
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

// The longest salt is what OpenSSL makes by default. It is another parameter than the file's,
// not an invalid signature.
const longestSalt = "s_len changed to 222"

func TestWycheproof(t *testing.T) {
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
		{"ed25519_test.json", formats.Ed25519, formats.SHA256},
	} {
		t.Run(c.file, func(t *testing.T) {
			count := 0
			for _, g := range load(t, c.file).TestGroups {
				for _, v := range g.Tests {
					count++
					want := v.Result == "valid" || c.scheme == formats.RSAPSS && v.Comment == longestSalt
					got := accepts(t, unhex(t, g.PublicKeyDer), unhex(t, v.Msg), unhex(t, v.Sig), c.scheme, c.hash)
					if got != want {
						t.Errorf("%d (%s): %v, want %s", v.TcID, v.Comment, got, v.Result)
					}
				}
			}
			t.Logf("%d vectors", count)
		})
	}
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// accepts reports whether the plugin verifies, and its first projection is of the scheme and hash.
func accepts(t *testing.T, key, msg, sig []byte, scheme formats.Scheme, hash formats.DigestAlgorithm) bool {
	s, err := x509.New().Parse(context.Background(), sig, [][]byte{key}, strict(t))
	if err != nil {
		return false
	}
	v, err := s.Verify(context.Background(), formats.FromReader(bytes.NewReader(msg)))
	if err != nil {
		return false
	}
	return len(v.Projections) > 0 && v.Projections[0].Scheme == scheme && v.Projections[0].Hash == hash
}

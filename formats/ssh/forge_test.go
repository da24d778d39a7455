// SPDX-License-Identifier: Apache-2.0

package ssh_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"math/big"
	"testing"

	xssh "golang.org/x/crypto/ssh"
)

// blob is an SSHSIG blob whose parts a test may change at will.
type blob struct {
	Magic                     [6]byte
	Version                   uint32
	Key                       []byte
	Namespace, Reserved, Hash string
	Signature                 []byte
	Rest                      []byte `ssh:"rest"`
}

func decode(t testing.TB, sig []byte) (b blob) {
	t.Helper()
	if err := xssh.Unmarshal(dearmor(t, sig), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b blob) encode() []byte { return xssh.Marshal(b) }

// signature decodes the inner signature.
func (b blob) signature(t testing.TB) (s xssh.Signature) {
	t.Helper()
	if err := xssh.Unmarshal(b.Signature, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// edit returns sig's blob with f applied to the inner signature.
func edit(t testing.TB, sig []byte, f func(*xssh.Signature)) []byte {
	t.Helper()
	return editRaw(t, dearmor(t, sig), f)
}

func editRaw(t testing.TB, raw []byte, f func(*xssh.Signature)) []byte {
	t.Helper()
	var b blob
	if err := xssh.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	s := b.signature(t)
	f(&s)
	b.Signature = xssh.Marshal(s)
	return b.encode()
}

// editECDSA changes the two numbers of an ECDSA signature.
func editECDSA(t testing.TB, sig []byte, f func(r, s *big.Int)) []byte {
	t.Helper()
	return edit(t, sig, func(s *xssh.Signature) {
		var v struct{ R, S *big.Int }
		if err := xssh.Unmarshal(s.Blob, &v); err != nil {
			t.Fatal(err)
		}
		f(v.R, v.S)
		s.Blob = xssh.Marshal(v)
	})
}

// malleate replaces s by n − s, which verifies as well.
func malleate(t testing.TB, sig []byte) []byte {
	return editECDSA(t, sig, func(_, s *big.Int) { s.Sub(elliptic.P256().Params().N, s) })
}

// newECDSA makes a P-256 key of the test's own.
func newECDSA(t testing.TB) (xssh.Signer, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer, xssh.MarshalAuthorizedKey(signer.PublicKey())
}

// newRSA makes a key whose signatures are rsa-sha2-256.
func newRSA(t testing.TB) (xssh.Signer, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := xssh.NewSignerFromSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer, xssh.MarshalAuthorizedKey(signer.PublicKey())
}

// forge signs artifact as ssh-keygen -Y sign would; pub is what the blob claims as its key.
func forge(t testing.TB, signer xssh.Signer, pub xssh.PublicKey, artifact []byte) []byte {
	t.Helper()
	digest := sha512.Sum512(artifact)
	b := blob{Magic: [6]byte([]byte("SSHSIG")), Version: 1, Key: pub.Marshal(), Namespace: "file", Hash: "sha512"}
	signed := xssh.Marshal(struct {
		Magic                     [6]byte
		Namespace, Reserved, Hash string
		Digest                    []byte
	}{b.Magic, b.Namespace, b.Reserved, b.Hash, digest[:]})
	format := pub.Type()
	if format == xssh.KeyAlgoRSA {
		format = xssh.KeyAlgoRSASHA256
	}
	if cert, ok := pub.(*xssh.Certificate); ok {
		format = cert.Key.Type()
	}
	sig, err := signer.(xssh.AlgorithmSigner).SignWithAlgorithm(rand.Reader, signed, format)
	if err != nil {
		t.Fatal(err)
	}
	b.Signature = xssh.Marshal(sig)
	return b.encode()
}

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

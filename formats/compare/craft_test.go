// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"sync"
)

// throwaway returns the private key of testdata/throwaway-NAME.pem.
func throwaway(name string) crypto.Signer {
	k, ok := keys.Load(name)
	if !ok {
		block, _ := pem.Decode(must(readThrowaway(name)))
		k = must(x509.ParsePKCS8PrivateKey(block.Bytes))
		keys.Store(name, k)
	}
	return k.(crypto.Signer)
}

var keys sync.Map

func readThrowaway(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join("testdata", "throwaway-"+name+".pem"))
}

// signDigest signs reproducibly: RSA PKCS #1 v1.5 and, without a source of randomness, RFC 6979's ECDSA.
// Ed25519 signs the digest as its message.
func signDigest(k crypto.Signer, h crypto.Hash, digest []byte) []byte {
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return must(rsa.SignPKCS1v15(nil, k, h, digest))
	case ed25519.PrivateKey:
		return ed25519.Sign(k, digest)
	case *ecdsa.PrivateKey:
		return must(k.Sign(nil, digest, h))
	}
	panic("no such key")
}

func sum(h crypto.Hash, parts ...[]byte) []byte {
	d := h.New()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

// publicPEM returns the SPKI of a throwaway key.
func publicPEM(name string) []byte {
	der := must(x509.MarshalPKIXPublicKey(throwaway(name).Public()))
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

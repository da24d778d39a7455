// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"math/rand/v2"
)

type ecdsaValue struct{ R, S *big.Int }

type x509Field struct {
	kind  string
	apply func(r *rand.Rand, v *ecdsaValue, n *big.Int) []byte
}

func der(v *ecdsaValue) []byte { return must(asn1.Marshal(*v)) }

var ecdsaFields = []x509Field{
	{"field: none", func(_ *rand.Rand, v *ecdsaValue, _ *big.Int) []byte { return der(v) }},
	{"field: n − s", func(_ *rand.Rand, v *ecdsaValue, n *big.Int) []byte {
		v.S.Sub(n, v.S)
		return der(v)
	}},
	{"field: s + n", func(_ *rand.Rand, v *ecdsaValue, n *big.Int) []byte {
		v.S.Add(n, v.S)
		return der(v)
	}},
	{"field: −r", func(_ *rand.Rand, v *ecdsaValue, _ *big.Int) []byte {
		v.R.Neg(v.R)
		return der(v)
	}},
	{"field: r = 0", func(_ *rand.Rand, v *ecdsaValue, _ *big.Int) []byte {
		v.R = new(big.Int)
		return der(v)
	}},
	{"field: s = 0", func(_ *rand.Rand, v *ecdsaValue, _ *big.Int) []byte {
		v.S = new(big.Int)
		return der(v)
	}},
	{"field: r‖s", func(_ *rand.Rand, v *ecdsaValue, n *big.Int) []byte { return fixed(v, n) }},
	{"field: base64", func(_ *rand.Rand, v *ecdsaValue, _ *big.Int) []byte {
		return []byte(base64.StdEncoding.EncodeToString(der(v)) + "\n")
	}},
	{"field: bytes after the DER", func(_ *rand.Rand, v *ecdsaValue, _ *big.Int) []byte { return append(der(v), 0) }},
	{"field: bytes within the DER", func(_ *rand.Rand, v *ecdsaValue, _ *big.Int) []byte {
		d := append(der(v), 5, 0)
		d[1] += 2
		return d
	}},
	{"field: long form of the length", func(_ *rand.Rand, v *ecdsaValue, _ *big.Int) []byte {
		d := der(v)
		return append([]byte{d[0], 0x81}, d[1:]...)
	}},
}

func fixed(v *ecdsaValue, n *big.Int) []byte {
	size := (n.BitLen() + 7) / 8
	return append(v.R.FillBytes(make([]byte, size)), v.S.FillBytes(make([]byte, size))...)
}

// craftX509 makes a raw signature in one of many encodings, or with another hash.
func craftX509(r *rand.Rand, _ []submission) submission {
	name := pick(r, "p256", "p256", "p384", "rsa2048", "ed25519", "rsa1024")
	k, h := throwaway(name), pick(r, crypto.SHA256, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA1)
	s := submission{base: "crafted " + name, kind: "field: hash", keys: [][]byte{publicPEM(name)}, artifact: document, hash: h}
	if _, ok := k.(ed25519.PrivateKey); ok {
		s.signature = signDigest(k, 0, document)
		return s
	}
	s.signature = signDigest(k, h, sum(h, document))
	if ec, ok := k.(*ecdsa.PrivateKey); ok {
		var v ecdsaValue
		must(asn1.Unmarshal(s.signature, &v))
		f := pick(r, ecdsaFields...)
		s.kind, s.signature = f.kind, f.apply(r, &v, ec.Params().N)
	}
	return s
}

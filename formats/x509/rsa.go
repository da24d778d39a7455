// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"math/big"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// digestInfos are the DER prefixes that name a hash in PKCS #1 v1.5 (RFC 8017, 9.2, notes).
var digestInfos = []struct {
	hash   crypto.Hash
	prefix string
}{
	{crypto.SHA256, "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"},
	{crypto.SHA384, "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"},
	{crypto.SHA512, "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"},
	{crypto.SHA1, "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14"},
	{crypto.MD5, "\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10"},
}

// readRSA opens the signature with the public operation, only to choose padding and hash:
// whether it is valid is for crypto/rsa to say.
func readRSA(signature encoded, k keyfile.Key, pub *rsa.PublicKey) (*reading, error) {
	f, err := signature.fixedLength(pub.Size(), formats.KeyName(pub))
	if err != nil {
		return nil, err
	}
	s := &reading{key: k, kind: f.kind, signature: f.raw, canonical: f.raw}
	em := recoverMessage(f.raw, pub)
	if info, ok := unpadPKCS1(em); ok {
		if err := k.CheckRSA(false, 0, 0); err != nil {
			return nil, err
		}
		s.scheme = formats.RSAPKCS1v15
		s.named, err = namedHash(info)
		if a, ok := formats.AlgorithmOf(s.named); ok {
			s.hashes = []formats.DigestAlgorithm{a}
		}
		return s, err
	}
	if len(em) == 0 || em[len(em)-1] != 0xbc {
		return nil, formats.NewError(formats.ReasonSignatureInvalid, "this key did not make this signature, or it is damaged",
			"check that the signature and the key belong together")
	}
	s.scheme = formats.RSAPSS
	for _, a := range []formats.DigestAlgorithm{formats.SHA256, formats.SHA384, formats.SHA512} {
		if k.PSS == nil || k.PSS.Hash == 0 || k.PSS.Hash == a.Hash() {
			s.hashes = append(s.hashes, a)
		}
	}
	return s, nil
}

// recoverMessage returns the encoded message, as long as the modulus, or nil for a number out of range.
func recoverMessage(signature []byte, pub *rsa.PublicKey) []byte {
	n := new(big.Int).SetBytes(signature)
	if n.Cmp(pub.N) >= 0 {
		return nil
	}
	return n.Exp(n, big.NewInt(int64(pub.E)), pub.N).FillBytes(make([]byte, pub.Size()))
}

// unpadPKCS1 returns what follows 00 01 FF … FF 00, with eight or more FF.
func unpadPKCS1(em []byte) (info []byte, ok bool) {
	rest, ok := bytes.CutPrefix(em, []byte{0, 1})
	if !ok {
		return nil, false
	}
	info = bytes.TrimLeft(rest, "\xff")
	if len(rest)-len(info) < 8 || len(info) == 0 || info[0] != 0 {
		return nil, false
	}
	return info[1:], true
}

func namedHash(info []byte) (crypto.Hash, error) {
	for _, d := range digestInfos {
		if rest, ok := bytes.CutPrefix(info, []byte(d.prefix)); ok && len(rest) == d.hash.Size() {
			return d.hash, nil
		}
	}
	return 0, formats.NewError(formats.ReasonUnsupportedAlgorithm, "the RSA signature names no known hash",
		hintSHA256)
}

const hintSHA256 = "sign with: openssl dgst -sha256 -sign KEY -out FILE.sig FILE"

// verifyPSS takes the two salt lengths that tools make, the hash's own and the longest, if they are as long as the
// key asks for.
func verifyPSS(pub *rsa.PublicKey, h crypto.Hash, digest, signature []byte, shortest int) bool {
	longest := (pub.N.BitLen()-1+7)/8 - 2 - h.Size()
	for _, salt := range []int{h.Size(), longest} {
		if salt >= shortest && rsa.VerifyPSS(pub, h, digest, signature, &rsa.PSSOptions{SaltLength: salt}) == nil {
			return true
		}
	}
	return false
}

// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"crypto"
	"encoding/pem"
	"math/rand/v2"

	xssh "golang.org/x/crypto/ssh"
)

// sshBlob is an SSHSIG blob on the wire (OpenSSH's PROTOCOL.sshsig).
type sshBlob struct {
	Magic     [6]byte
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// sshSignature is an SSHSIG in the making.
type sshSignature struct {
	key                 string // throwaway's name
	namespace, reserved string
	inner               string // the namespace that is really signed, when another
	version             uint32
	hash                string
	algorithm           string // for RSA
	otherKey            bool   // in the blob
	tail, signatureTail string
	pemType             string
}

func plainSSH(key string) sshSignature {
	s := sshSignature{key: key, namespace: "file", version: 1, hash: "sha512", pemType: "SSH SIGNATURE"}
	if key == "rsa2048" || key == "rsa1024" {
		s.algorithm = xssh.KeyAlgoRSASHA512
	}
	return s
}

var sshHashes = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512, "sha1": crypto.SHA1}

func sshPublic(name string) xssh.PublicKey { return must(xssh.NewPublicKey(throwaway(name).Public())) }

func (s sshSignature) file(artifact []byte) []byte {
	signed := s.namespace
	if s.inner != "" {
		signed = s.inner
	}
	toSign := append([]byte("SSHSIG"), xssh.Marshal(struct{ Namespace, Reserved, Hash, Digest string }{
		signed, s.reserved, s.hash, string(sum(sshHashes[s.hash], artifact))})...)
	blob := sshBlob{Version: s.version, PublicKey: sshPublic(s.key).Marshal(), Namespace: s.namespace, Reserved: s.reserved, Hash: s.hash}
	copy(blob.Magic[:], "SSHSIG")
	if s.otherKey {
		blob.PublicKey = sshPublic("other").Marshal()
	}
	sig := s.sign(toSign)
	blob.Signature = append(xssh.Marshal(sig), s.signatureTail...)
	return pem.EncodeToMemory(&pem.Block{Type: s.pemType, Bytes: append(xssh.Marshal(blob), s.tail...)})
}

func (s sshSignature) sign(data []byte) *xssh.Signature {
	signer := must(xssh.NewSignerFromSigner(throwaway(s.key)))
	if s.algorithm == "" {
		return must(signer.Sign(reproducible{}, data))
	}
	return must(signer.(xssh.AlgorithmSigner).SignWithAlgorithm(reproducible{}, data, s.algorithm))
}

// reproducible stands in for a source of randomness; signatures differ between runs all the same
// where the library mixes in its own.
type reproducible struct{}

func (reproducible) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type sshField struct {
	kind  string
	apply func(*rand.Rand, *sshSignature)
}

var sshFields = []sshField{
	{"field: none", func(*rand.Rand, *sshSignature) {}},
	{"field: namespace", func(r *rand.Rand, s *sshSignature) {
		s.namespace = pick(r, "git", "", "File", "file\x00", "email", "file,git")
	}},
	{"field: other namespace signed", func(_ *rand.Rand, s *sshSignature) { s.inner = "git" }},
	{"field: reserved", func(_ *rand.Rand, s *sshSignature) { s.reserved = "more" }},
	{"field: version", func(r *rand.Rand, s *sshSignature) { s.version = pick[uint32](r, 0, 2, 1<<31) }},
	{"field: hash", func(r *rand.Rand, s *sshSignature) { s.hash = pick(r, "sha256", "sha384", "sha1") }},
	{"field: RSA algorithm", func(r *rand.Rand, s *sshSignature) {
		s.key, s.algorithm = "rsa2048", pick(r, xssh.KeyAlgoRSA, xssh.KeyAlgoRSASHA256, xssh.KeyAlgoRSASHA512)
	}},
	{"field: RSA-1024", func(_ *rand.Rand, s *sshSignature) { s.key, s.algorithm = "rsa1024", xssh.KeyAlgoRSASHA512 }},
	{"field: another public key inside", func(_ *rand.Rand, s *sshSignature) { s.otherKey = true }},
	{"field: bytes after the blob", func(_ *rand.Rand, s *sshSignature) { s.tail = "x" }},
	{"field: bytes after the signature", func(_ *rand.Rand, s *sshSignature) { s.signatureTail = "\x00\x00\x00\x00x" }},
	{"field: armor type", func(r *rand.Rand, s *sshSignature) { s.pemType = pick(r, "PGP SIGNATURE", "SSH PUBLIC KEY") }},
}

// craftSSH makes a signature with one of its fields chosen at random, or flips a bit below the armor.
func craftSSH(r *rand.Rand, bases []submission) submission {
	if r.IntN(2) == 0 {
		return flipBelowPEM(r, bases)
	}
	s := plainSSH(pick(r, "p256", "p384", "ed25519", "rsa2048"))
	f := pick(r, sshFields...)
	f.apply(r, &s)
	key := xssh.MarshalAuthorizedKey(sshPublic(s.key))
	return submission{base: "crafted", kind: f.kind, signature: s.file(document), keys: [][]byte{key}, artifact: document}
}

// flipBelowPEM flips a bit of what a base's armor holds, and armors it again.
func flipBelowPEM(r *rand.Rand, bases []submission) submission {
	base := pick(r, bases...)
	s := base.clone()
	s.kind, s.origin = "signature: bit flipped below the armor", &base
	if block, _ := pem.Decode(s.signature); block != nil {
		flip(r, block.Bytes)
		s.signature = pem.EncodeToMemory(block)
	}
	return s
}

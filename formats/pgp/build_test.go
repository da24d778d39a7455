// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"io"
	"math/big"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// The builder makes keys and signatures with faults that no tool makes on purpose.

var made = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func at(t time.Time) *packet.Config {
	off := false
	return &packet.Config{
		Time: func() time.Time { return t }, Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256,
		NonDeterministicSignaturesViaNotation: &off,
	}
}

// newPrivate makes a P-256 key of version 4.
func newPrivate(created time.Time) *packet.PrivateKey {
	return must(openpgp.NewEntity("", "", "", at(created))).PrivateKey
}

// key is a transferable public key in the making.
type key struct {
	primary *packet.PrivateKey
	packets bytes.Buffer
}

type serializer interface{ Serialize(io.Writer) error }

func (k *key) add(p serializer) *key {
	if err := p.Serialize(&k.packets); err != nil {
		panic(err)
	}
	return k
}

func (k *key) bytes() [][]byte { return [][]byte{bytes.Clone(k.packets.Bytes())} }

// newKey starts a key with the primary key packet alone.
func newKey() *key {
	k := &key{primary: newPrivate(made)}
	return k.add(&k.primary.PublicKey)
}

// signed is a signature template by k of that type.
func (k *key) signed(kind packet.SignatureType) *packet.Signature {
	return &packet.Signature{
		Version: 4, SigType: kind, PubKeyAlgo: k.primary.PubKeyAlgo, Hash: crypto.SHA256,
		CreationTime: made, IssuerKeyId: &k.primary.KeyId,
	}
}

func signer(s *packet.Signature) *packet.Signature {
	s.FlagsValid, s.FlagSign, s.FlagCertify = true, true, true
	return s
}

// withUser adds a user ID and its certification, as mod leaves it.
func (k *key) withUser(mod func(*packet.Signature)) *key {
	id := packet.NewUserId("signer", "", "signer@example.org")
	s := signer(k.signed(packet.SigTypePositiveCert))
	if mod != nil {
		mod(s)
	}
	check(s.SignUserId(id.Id, &k.primary.PublicKey, k.primary, at(made)))
	return k.add(id).add(s)
}

// withDirect adds a direct-key signature.
func (k *key) withDirect(mod func(*packet.Signature)) *key {
	s := signer(k.signed(packet.SigTypeDirectSignature))
	if mod != nil {
		mod(s)
	}
	check(s.SignDirectKeyBinding(&k.primary.PublicKey, k.primary, at(made)))
	return k.add(s)
}

// withSubkey adds sub with a binding as mod leaves it; without back, no back-signature.
func (k *key) withSubkey(sub *packet.PrivateKey, back bool, mod func(*packet.Signature)) *key {
	sub.IsSubkey = true
	s := signer(k.signed(packet.SigTypeSubkeyBinding))
	if mod != nil {
		mod(s)
	}
	if back {
		s.EmbeddedSignature = k.signed(packet.SigTypePrimaryKeyBinding)
		s.EmbeddedSignature.PubKeyAlgo, s.EmbeddedSignature.IssuerKeyId = sub.PubKeyAlgo, &sub.KeyId
		check(s.EmbeddedSignature.CrossSignKey(&sub.PublicKey, &k.primary.PublicKey, sub, at(made)))
	}
	check(s.SignKey(&sub.PublicKey, k.primary, at(made)))
	return k.add(&sub.PublicKey).add(s)
}

// withRevocation adds a revocation of the primary key.
func (k *key) withRevocation(mod func(*packet.Signature)) *key {
	s := k.signed(packet.SigTypeKeyRevocation)
	mod(s)
	check(s.RevokeKey(&k.primary.PublicKey, k.primary, at(made)))
	return k.add(s)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// document is a signature packet put together octet by octet.
type document struct {
	version, kind, algo, hash byte
	hashed, unhashed          []byte
	highS, wrongTag           bool
}

// sub encodes a subpacket; set the top bit of kind to mark it critical.
func sub(kind byte, content ...byte) []byte {
	return append([]byte{byte(len(content) + 1), kind}, content...)
}

func seconds(t time.Time) []byte { return binary.BigEndian.AppendUint32(nil, uint32(t.Unix())) }

// plain is a version 4 signature over binary data by signer, dated when made.
func plain(signer *packet.PrivateKey) document {
	return document{
		version: 4, algo: byte(packet.PubKeyAlgoECDSA), hash: 8,
		hashed: append(sub(2, seconds(made)...), issuedBy(signer)...),
	}
}

func issuedBy(k *packet.PrivateKey) []byte {
	return sub(33, append([]byte{byte(k.Version)}, k.Fingerprint...)...)
}

// sign makes the packet's body.
func (d document) sign(k *packet.PrivateKey, artifact []byte) []byte {
	head := []byte{d.version, d.kind, d.algo, d.hash}
	body := append(binary.BigEndian.AppendUint16(head, uint16(len(d.hashed))), d.hashed...)
	h := crypto.SHA256.New()
	h.Write(artifact)
	h.Write(body)
	h.Write(binary.BigEndian.AppendUint32([]byte{d.version, 0xff}, uint32(len(body))))
	sum := h.Sum(nil)
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey.(*ecdsa.PrivateKey), sum)
	check(err)
	n := elliptic.P256().Params().N
	if low := s.Cmp(new(big.Int).Rsh(n, 1)) <= 0; low == d.highS {
		s.Sub(n, s)
	}
	body = append(binary.BigEndian.AppendUint16(body, uint16(len(d.unhashed))), d.unhashed...)
	if d.wrongTag {
		sum[0] ^= 1
	}
	return append(append(append(body, sum[:2]...), mpi(r)...), mpi(s)...)
}

func mpi(n *big.Int) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(n.BitLen())), n.Bytes()...)
}

// pack frames a packet as old versions of gpg do.
func pack(tag byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x80 | tag<<2 | 1}, uint16(len(body))), body...)
}

// enarmor wraps packets in armor of that kind.
func enarmor(kind string, packets []byte) []byte {
	var out bytes.Buffer
	w := must(armor.Encode(&out, kind, nil))
	must(w.Write(packets))
	check(w.Close())
	return append(out.Bytes(), '\n')
}

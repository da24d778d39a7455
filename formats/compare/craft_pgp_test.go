// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	_ "crypto/md5" // weak on purpose
	"crypto/rsa"
	_ "crypto/sha1" // weak on purpose
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgpecdsa "github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// pgpBorn is when the crafted keys and signatures were made.
var pgpBorn = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// pgpKey is a throwaway key as an OpenPGP one.
type pgpKey struct {
	signer crypto.Signer
	entity *openpgp.Entity
	file   []byte
	algo   byte
}

var pgpKeys sync.Map

func newPGPKey(name string) *pgpKey {
	if k, ok := pgpKeys.Load(name); ok {
		return k.(*pgpKey)
	}
	k := &pgpKey{signer: throwaway(name)}
	var private *packet.PrivateKey
	switch s := k.signer.(type) {
	case *rsa.PrivateKey:
		private, k.algo = packet.NewRSAPrivateKey(pgpBorn, s), 1
	case *ecdsa.PrivateKey:
		private, k.algo = newPGPECDSA(s), 19
	}
	k.entity = &openpgp.Entity{PrimaryKey: &private.PublicKey, PrivateKey: private, Identities: map[string]*openpgp.Identity{}}
	check(k.entity.AddUserId(name, "", name+"@example.org", &packet.Config{Time: func() time.Time { return pgpBorn }, DefaultHash: crypto.SHA256}))
	var out bytes.Buffer
	check(k.entity.Serialize(&out))
	k.file = out.Bytes()
	actual, _ := pgpKeys.LoadOrStore(name, k)
	return actual.(*pgpKey)
}

// newPGPECDSA puts a P-256 key into the library's type.
func newPGPECDSA(k *ecdsa.PrivateKey) *packet.PrivateKey {
	e := must(openpgp.NewEntity("", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256}))
	private := e.PrivateKey.PrivateKey.(*pgpecdsa.PrivateKey)
	check(private.UnmarshalPoint(must(k.PublicKey.Bytes())))
	check(private.UnmarshalIntegerSecret(must(k.Bytes())))
	return packet.NewECDSAPrivateKey(pgpBorn, private)
}

// pgpSignature is a version 4 signature packet in the making.
type pgpSignature struct {
	kind, hashID     byte
	hash             crypto.Hash
	hashed, unhashed []byte
	version          byte
	oldHeader        bool // of the packet
	highS, longMPI   bool // n − s; a zero octet before each value
}

// subpacket encodes one; add 0x80 to kind to mark it critical.
func subpacket(kind byte, content ...byte) []byte {
	return append([]byte{byte(len(content) + 1), kind}, content...)
}

func pgpTime(t time.Time) []byte { return binary.BigEndian.AppendUint32(nil, uint32(t.Unix())) }

func (k *pgpKey) issuer() []byte {
	return subpacket(33, append([]byte{4}, k.entity.PrimaryKey.Fingerprint...)...)
}

func (k *pgpKey) issuerID() []byte {
	return subpacket(16, binary.BigEndian.AppendUint64(nil, k.entity.PrimaryKey.KeyId)...)
}

// plainPGP is what gpg would make.
func plainPGP(k *pgpKey) pgpSignature {
	return pgpSignature{version: 4, hashID: 8, hash: crypto.SHA256, hashed: append(subpacket(2, pgpTime(pgpBorn)...), k.issuer()...), unhashed: k.issuerID()}
}

// sign returns the packet over document.
func (p pgpSignature) sign(k *pgpKey, document []byte) []byte {
	body := append([]byte{p.version, p.kind, k.algo, p.hashID}, binary.BigEndian.AppendUint16(nil, uint16(len(p.hashed)))...)
	body = append(body, p.hashed...)
	trailer := append(bytes.Clone(body), binary.BigEndian.AppendUint32([]byte{p.version, 0xff}, uint32(len(body)))...)
	digest := sum(p.hash, document, trailer)
	body = append(binary.BigEndian.AppendUint16(body, uint16(len(p.unhashed))), p.unhashed...)
	body = append(append(body, digest[:2]...), k.values(p, digest)...)
	if p.oldHeader {
		return append(binary.BigEndian.AppendUint16([]byte{0x89}, uint16(len(body))), body...)
	}
	return append(append([]byte{0xc2, 0xff}, binary.BigEndian.AppendUint32(nil, uint32(len(body)))...), body...)
}

// values returns the signature as OpenPGP's integers.
func (k *pgpKey) values(p pgpSignature, digest []byte) []byte {
	raw := signDigest(k.signer, p.hash, digest)
	if k.algo == 1 {
		return mpi(new(big.Int).SetBytes(raw), p.longMPI)
	}
	var rs struct{ R, S *big.Int }
	must(asn1.Unmarshal(raw, &rs))
	if p.highS {
		rs.S.Sub(k.signer.(*ecdsa.PrivateKey).Params().N, rs.S)
	}
	return append(mpi(rs.R, p.longMPI), mpi(rs.S, p.longMPI)...)
}

func mpi(n *big.Int, long bool) []byte {
	out := append(binary.BigEndian.AppendUint16(nil, uint16(n.BitLen())), n.Bytes()...)
	if long {
		out = append([]byte{byte((n.BitLen() + 8) >> 8), byte(n.BitLen() + 8), 0}, n.Bytes()...)
	}
	return out
}

func enarmor(kind string, packets []byte) []byte {
	var out bytes.Buffer
	w := must(armor.Encode(&out, kind, nil))
	must(w.Write(packets))
	check(w.Close())
	return append(out.Bytes(), '\n')
}

var document = []byte("a document\nof two lines\n")

// craftPGP makes a signature with one or two of its fields chosen at random.
func craftPGP(r *rand.Rand, _ []submission) submission {
	if r.IntN(3) == 0 {
		return craftPGPKey(r)
	}
	k := newPGPKey(pick(r, "rsa2048", "rsa2048", "p256", "p256", "rsa1024"))
	p := plainPGP(k)
	f, g := pick(r, pgpFields...), pick(r, pgpFields...)
	f.apply(r, k, &p)
	kind := f.kind
	if r.IntN(3) == 0 {
		g.apply(r, k, &p)
		kind += ", then " + g.kind
	}
	signed := document
	if p.kind == 1 {
		signed = crlf(document)
	}
	s := submission{base: "crafted", kind: kind, signature: p.sign(k, signed), keys: [][]byte{k.file}, artifact: document}
	if slices.Contains([]string{"field: header of the packet", "field: n − s", "field: zeros before the integers", "field: unhashed subpacket"}, kind) {
		plain := s.clone()
		plain.format, plain.signature = "pgp", plainPGP(k).sign(k, document)
		s.origin = &plain
	}
	switch r.IntN(4) {
	case 0:
		s.signature = enarmor("PGP SIGNATURE", s.signature)
	case 1:
		s.keys = append(s.keys, newPGPKey("other").file)
	}
	return s
}

type pgpField struct {
	kind  string
	apply func(*rand.Rand, *pgpKey, *pgpSignature)
}

// stamp replaces the creation time, keeping the issuer.
func (p *pgpSignature) stamp(k *pgpKey, t time.Time, more ...byte) {
	p.hashed = append(append(subpacket(2, pgpTime(t)...), k.issuer()...), more...)
}

var pgpFields = []pgpField{
	{"field: none", func(*rand.Rand, *pgpKey, *pgpSignature) {}},
	{"field: type", func(r *rand.Rand, _ *pgpKey, p *pgpSignature) {
		p.kind = pick[byte](r, 0x01, 0x02, 0x10, 0x13, 0x18, 0x19, 0x1f, 0x20, 0x28, 0x30, 0x40, 0x50, 0x99)
	}},
	{"field: hash", func(r *rand.Rand, _ *pgpKey, p *pgpSignature) {
		c := pick(r, []any{byte(1), crypto.MD5}, []any{byte(2), crypto.SHA1}, []any{byte(9), crypto.SHA384}, []any{byte(10), crypto.SHA512})
		p.hashID, p.hash = c[0].(byte), c[1].(crypto.Hash)
	}},
	{"field: made in the future", func(r *rand.Rand, k *pgpKey, p *pgpSignature) { p.stamp(k, now.AddDate(r.IntN(20), 0, 1)) }},
	{"field: made before the key", func(r *rand.Rand, k *pgpKey, p *pgpSignature) { p.stamp(k, pgpBorn.AddDate(-1-r.IntN(20), 0, 0)) }},
	{"field: expires", func(r *rand.Rand, k *pgpKey, p *pgpSignature) {
		p.stamp(k, pgpBorn, subpacket(3, binary.BigEndian.AppendUint32(nil, pick[uint32](r, 0, 1, 86400, 1<<31-1))...)...)
	}},
	{"field: hashed issuer of another key", func(_ *rand.Rand, _ *pgpKey, p *pgpSignature) {
		p.hashed = append(subpacket(2, pgpTime(pgpBorn)...), newPGPKey("other").issuer()...)
	}},
	{"field: hashed key id of another key", func(_ *rand.Rand, k *pgpKey, p *pgpSignature) {
		p.stamp(k, pgpBorn, newPGPKey("other").issuerID()...)
	}},
	{"field: no issuer", func(_ *rand.Rand, _ *pgpKey, p *pgpSignature) {
		p.hashed, p.unhashed = subpacket(2, pgpTime(pgpBorn)...), nil
	}},
	{"field: issuer not hashed", func(_ *rand.Rand, _ *pgpKey, p *pgpSignature) { p.hashed = subpacket(2, pgpTime(pgpBorn)...) }},
	{"field: no creation time", func(_ *rand.Rand, k *pgpKey, p *pgpSignature) { p.hashed = k.issuer() }},
	{"field: creation time not hashed", func(_ *rand.Rand, k *pgpKey, p *pgpSignature) {
		p.hashed, p.unhashed = k.issuer(), subpacket(2, pgpTime(pgpBorn)...)
	}},
	{"field: two creation times", func(_ *rand.Rand, k *pgpKey, p *pgpSignature) {
		p.stamp(k, pgpBorn, subpacket(2, pgpTime(pgpBorn.AddDate(0, 1, 0))...)...)
	}},
	{"field: critical subpacket", func(r *rand.Rand, k *pgpKey, p *pgpSignature) {
		p.stamp(k, pgpBorn, subpacket(0x80|pick[byte](r, 1, 5, 8, 13, 14, 17, 38, 60, 99, 110), 1, 2, 3, 4)...)
	}},
	{"field: other subpacket", func(r *rand.Rand, k *pgpKey, p *pgpSignature) {
		p.stamp(k, pgpBorn, subpacket(byte(34+r.IntN(70)), 1, 2, 3, 4)...)
	}},
	{"field: unhashed subpacket", func(r *rand.Rand, _ *pgpKey, p *pgpSignature) {
		p.unhashed = append(p.unhashed, subpacket(pick[byte](r, 60, 100, 101, 110), fmt.Append(nil, r.Uint32())...)...)
	}},
	{"field: unhashed critical subpacket", func(_ *rand.Rand, _ *pgpKey, p *pgpSignature) {
		p.unhashed = append(p.unhashed, subpacket(0x80|99, 1)...)
	}},
	{"field: broken subpacket", func(r *rand.Rand, _ *pgpKey, p *pgpSignature) {
		p.hashed = append(p.hashed, pick(r, []byte{0}, []byte{9, 20}, []byte{255, 0, 0}, []byte{1, 3})...)
	}},
	{"field: header of the packet", func(_ *rand.Rand, _ *pgpKey, p *pgpSignature) { p.oldHeader = true }},
	{"field: n − s", func(_ *rand.Rand, _ *pgpKey, p *pgpSignature) { p.highS = true }},
	{"field: zeros before the integers", func(_ *rand.Rand, _ *pgpKey, p *pgpSignature) { p.longMPI = true }},
	{"field: version", func(r *rand.Rand, _ *pgpKey, p *pgpSignature) { p.version = pick[byte](r, 2, 5, 7) }},
}

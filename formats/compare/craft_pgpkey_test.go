// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"crypto"
	"io"
	"math/rand/v2"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// pgpCertificate is a transferable public key in the making: a throwaway primary key and, when the
// signature is by a subkey, another as that.
type pgpCertificate struct {
	primary, sub *pgpKey
	bySubkey     bool
	self, bind   *packet.Signature // of the user ID, and of the subkey
	noBack       bool              // the subkey does not sign the primary key in return
	noSelf       bool
	revocations  []*packet.Signature // of the primary key
	packets      bytes.Buffer
}

func newPGPCertificate(bySubkey bool) *pgpCertificate {
	c := &pgpCertificate{primary: newPGPKey("p256"), sub: newPGPSubkey(), bySubkey: bySubkey}
	c.self = c.template(packet.SigTypePositiveCert)
	c.self.FlagsValid, c.self.FlagCertify, c.self.FlagSign = true, true, !bySubkey
	c.bind = c.template(packet.SigTypeSubkeyBinding)
	c.bind.FlagsValid, c.bind.FlagSign = true, true
	return c
}

// newPGPSubkey copies a throwaway key, which becomes a subkey by a mark in it.
func newPGPSubkey() *pgpKey {
	sub, private := *newPGPKey("other"), *newPGPKey("other").entity.PrivateKey
	entity := *sub.entity
	private.IsSubkey = true
	entity.PrivateKey, entity.PrimaryKey = &private, &private.PublicKey
	sub.entity = &entity
	return &sub
}

func (c *pgpCertificate) template(kind packet.SignatureType) *packet.Signature {
	k := c.primary.entity.PrimaryKey
	return &packet.Signature{
		Version: 4, SigType: kind, PubKeyAlgo: k.PubKeyAlgo, Hash: crypto.SHA256, CreationTime: pgpBorn,
		IssuerKeyId: &k.KeyId, IssuerFingerprint: k.Fingerprint,
	}
}

func (c *pgpCertificate) add(p interface{ Serialize(io.Writer) error }) {
	check(p.Serialize(&c.packets))
}

// file signs all there is to sign and returns the key file.
func (c *pgpCertificate) file() []byte {
	key, private, config := c.primary.entity.PrimaryKey, c.primary.entity.PrivateKey, &packet.Config{Time: func() time.Time { return pgpBorn }}
	c.add(key)
	for _, r := range c.revocations {
		check(r.RevokeKey(key, private, config))
		c.add(r)
	}
	id := packet.NewUserId("p256", "", "p256@example.org")
	c.add(id)
	if !c.noSelf {
		check(c.self.SignUserId(id.Id, key, private, config))
		c.add(c.self)
	}
	if !c.bySubkey {
		return c.packets.Bytes()
	}
	sub := c.sub.entity
	if !c.noBack {
		back := c.template(packet.SigTypePrimaryKeyBinding)
		back.IssuerKeyId, back.IssuerFingerprint, back.PubKeyAlgo = &sub.PrimaryKey.KeyId, sub.PrimaryKey.Fingerprint, sub.PrimaryKey.PubKeyAlgo
		check(back.CrossSignKey(sub.PrimaryKey, key, sub.PrivateKey, config))
		c.bind.EmbeddedSignature = back
	}
	check(c.bind.SignKey(sub.PrimaryKey, private, config))
	c.add(sub.PrimaryKey)
	c.add(c.bind)
	return c.packets.Bytes()
}

// signer is the key that signs the document.
func (c *pgpCertificate) signer() *pgpKey {
	if c.bySubkey {
		return c.sub
	}
	return c.primary
}

type pgpKeyField struct {
	kind  string
	apply func(*rand.Rand, *pgpCertificate)
}

// pgpSigned is when the signatures by these keys are made.
var pgpSigned = pgpBorn.AddDate(0, 6, 0)

func lifetime(r *rand.Rand) *uint32 {
	days := pick[uint32](r, 1, 100, 181, 300, 365*20) // over before the signature, before now, or long from now
	seconds := days * 86400
	return &seconds
}

var pgpKeyFields = []pgpKeyField{
	{"key field: none", func(*rand.Rand, *pgpCertificate) {}},
	{"key field: lifetime", func(r *rand.Rand, c *pgpCertificate) { c.self.KeyLifetimeSecs = lifetime(r) }},
	{"key field: subkey's lifetime", func(r *rand.Rand, c *pgpCertificate) { c.bind.KeyLifetimeSecs = lifetime(r) }},
	{"key field: may not sign", func(_ *rand.Rand, c *pgpCertificate) { c.self.FlagSign, c.bind.FlagSign = false, false }},
	{"key field: no flags", func(_ *rand.Rand, c *pgpCertificate) { c.self.FlagsValid, c.bind.FlagsValid = false, false }},
	{"key field: no back-signature", func(_ *rand.Rand, c *pgpCertificate) { c.noBack = true }},
	{"key field: no self-signature", func(_ *rand.Rand, c *pgpCertificate) { c.noSelf = true }},
	{"key field: self-signature expires", func(_ *rand.Rand, c *pgpCertificate) {
		day := uint32(86400)
		c.self.SigLifetimeSecs = &day
	}},
	{"key field: binding expires", func(_ *rand.Rand, c *pgpCertificate) {
		day := uint32(86400)
		c.bind.SigLifetimeSecs = &day
	}},
	{"key field: revoked", func(r *rand.Rand, c *pgpCertificate) {
		revocation := c.template(packet.SigTypeKeyRevocation)
		reason := packet.NewReasonForRevocation(byte(r.IntN(4)))
		revocation.RevocationReason = &reason
		revocation.CreationTime = pick(r, pgpSigned.AddDate(0, -1, 0), pgpSigned.AddDate(0, 1, 0))
		c.revocations = append(c.revocations, revocation)
	}},
}

// craftPGPKey makes a good signature by a key with one of its fields chosen at random.
func craftPGPKey(r *rand.Rand) submission {
	c := newPGPCertificate(r.IntN(2) == 0)
	f := pick(r, pgpKeyFields...)
	f.apply(r, c)
	file := c.file()
	p := plainPGP(c.signer())
	p.stamp(c.signer(), pgpSigned)
	return submission{base: "crafted", kind: f.kind, signature: p.sign(c.signer(), document), keys: [][]byte{file}, artifact: document}
}

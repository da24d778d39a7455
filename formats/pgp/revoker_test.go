// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

// TestRevokedByGPG compares with gpg's verdicts on keys whose designated revoker revoked them. With his key at hand
// both say the same, unless the signature is known to be older than a soft revocation. Without, gpg accepts and warns
// of it, and this package refuses.
func TestRevokedByGPG(t *testing.T) {
	for line := range strings.Lines(string(read(t, "revoker/verdicts.txt"))) {
		words := strings.Fields(line)
		name, with, said := words[0], words[1], strings.Join(words[2:], " ")
		keys := [][]byte{read(t, "revoker/"+name+".key")}
		if with == "officer" {
			keys = append(keys, read(t, "revoker/officer.key"))
		}
		want := map[string]formats.Reason{
			"GOODSIG": "", "REVKEYSIG KEYREVOKED": formats.ReasonKeyRevoked, "GOODSIG maybe-revoked": formats.ReasonKeyRevoked,
		}
		reason, known := want[said]
		if !known {
			t.Fatalf("gpg said %q", said)
		}
		sig := read(t, "revoker/"+name+".sig")
		for policy, p := range map[string]formats.Policy{"": {}, "known before": knownInTime} {
			want := reason
			if soft := name == "superseded" || name == "retired"; soft && policy != "" {
				want = ""
			}
			v, err := verify(sig, keys, p, read(t, "artifact"))
			if formats.ReasonOf(err) != want || (err == nil) != (want == "") {
				t.Errorf("%s, %s, %s: got %v, want %q; gpg: %s", name, with, policy, err, want, said)
			}
			if v == nil {
				continue
			}
			again, err := verify(sig, v.Keys, p, read(t, "artifact"))
			if err != nil || !slices.EqualFunc(v.Keys, again.Keys, bytes.Equal) {
				t.Errorf("%s, %s, %s: the minimal key is no fixed point: %v", name, with, policy, err)
			}
			if _, err := verify(sig, v.Keys, formats.Policy{}, read(t, "artifact")); formats.ReasonOf(err) != reason {
				t.Errorf("%s, %s: by the minimal key, with no time known: %v", name, with, err)
			}
		}
	}
}

// names returns a subpacket that names a revoker; the top bit of kind marks it critical.
func names(kind, class byte, fingerprint []byte) []byte {
	return sub(kind, append([]byte{class, byte(packet.PubKeyAlgoECDSA)}, fingerprint...)...)
}

// signedBody makes the body of a signature by k of that type with these hashed subpackets beside time and issuer, over
// what is hashed before the trailer.
func signedBody(k *packet.PrivateKey, kind packet.SignatureType, when time.Time, over []byte, hashed ...[]byte) []byte {
	d := plain(k)
	d.kind = byte(kind)
	d.hashed = slices.Concat(append([][]byte{sub(2, seconds(when)...), issuedBy(k)}, hashed...)...)
	return d.sign(k, over)
}

// hashedKeys is how keys are hashed in signatures over them.
func hashedKeys(keys ...*packet.PrivateKey) []byte {
	var b bytes.Buffer
	for _, k := range keys {
		check(k.SerializeForHash(&b))
	}
	return b.Bytes()
}

// designated is a key that names revokers in a direct-key signature.
func designated(subpackets ...[]byte) *key {
	k := newKey()
	k.packets.Write(pack(2, signedBody(k.primary, packet.SigTypeDirectSignature, made, hashedKeys(k.primary), subpackets...)))
	return k
}

// revokedBy adds a revocation of k by another key, in its name.
func (k *key) revokedBy(by *packet.PrivateKey, over []byte, hashed ...[]byte) *key {
	k.packets.Write(pack(2, signedBody(by, packet.SigTypeKeyRevocation, made.Add(time.Hour), over, hashed...)))
	return k
}

func bare(k *packet.PrivateKey) []byte {
	return slices.Clone((&key{primary: k}).add(&k.PublicKey).packets.Bytes())
}

// TestDesignatedRevoker: who may revoke, and what of it has to verify.
func TestDesignatedRevoker(t *testing.T) {
	officer, stranger := newPrivate(made), newPrivate(made)
	other := newKey()
	const class = 0x80
	names12 := names(12, class, officer.Fingerprint)
	genuine := func(k *key) *key { return k.revokedBy(officer, hashedKeys(k.primary)) }
	void := func(k *key) *key { return k.revokedBy(officer, hashedKeys(other.primary)) }
	forgedDesignation := func() *key {
		k := newKey()
		k.packets.Write(pack(2, signedBody(k.primary, packet.SigTypeDirectSignature, made, hashedKeys(other.primary), names12)))
		return k
	}
	unhashed := func() *key {
		k := newKey()
		d := plain(k.primary)
		d.kind, d.unhashed = byte(packet.SigTypeDirectSignature), names12
		k.packets.Write(pack(2, d.sign(k.primary, hashedKeys(k.primary))))
		return k
	}
	const revoked = formats.ReasonKeyRevoked
	for name, c := range map[string]struct {
		key           *key
		alone, beside formats.Reason // the revoker's key is missing, or sent beside the key
	}{
		"named, no revocation":        {designated(names12), "", ""},
		"genuine":                     {genuine(designated(names12)), revoked, revoked},
		"sensitive":                   {genuine(designated(names(12, 0xc0, officer.Fingerprint))), revoked, revoked},
		"critical":                    {genuine(designated(names(0x80|12, class, officer.Fingerprint))), revoked, revoked},
		"second of two revokers":      {genuine(designated(names(12, class, stranger.Fingerprint), names12)), revoked, revoked},
		"of another key":              {void(designated(names12)), revoked, ""},
		"void, then genuine":          {genuine(void(designated(names12))), revoked, revoked},
		"nobody was named":            {genuine(newKey()), "", ""},
		"somebody else was named":     {genuine(designated(names(12, class, stranger.Fingerprint))), "", ""},
		"class without its top bit":   {genuine(designated(names(12, 0x40, officer.Fingerprint))), "", ""},
		"fingerprint cut":             {genuine(designated(names(12, class, officer.Fingerprint[1:]))), "", ""},
		"named in the unhashed area":  {genuine(unhashed()), "", ""},
		"forged designation":          {genuine(forgedDesignation()), "", ""},
		"superseded before":           {designated(names12).revokedFor(officer, packet.KeySuperseded), revoked, revoked},
		"version 3 in its name":       {designated(names12).withBody(v3Revocation(officer.KeyId)), revoked, revoked},
		"version 3, somebody else's":  {designated(names12).withBody(v3Revocation(1)), "", ""},
		"MD5 in its name":             {designated(names12).withBody(md5Revocation(officer)), revoked, revoked},
		"named in a certification":    {genuine(newKey()).withNaming(names12), revoked, revoked},
		"of a subkey that signed not": {designated(names12).withBody(signedBody(officer, packet.SigTypeSubkeyRevocation, made, hashedKeys(other.primary))), "", ""},
	} {
		c.key.withUser(nil)
		sig := pack(2, plain(c.key.primary).sign(c.key.primary, artifact))
		t.Run(name, func(t *testing.T) {
			expect(t, c.alone, sig, c.key.bytes(), formats.Policy{})
			expect(t, c.beside, sig, append(c.key.bytes(), bare(officer)), formats.Policy{})
			expect(t, c.beside, sig, [][]byte{append(bare(officer), c.key.bytes()[0]...)}, formats.Policy{})
			expect(t, c.beside, sig, nil, formats.Policy{Keys: map[string][][]byte{"pgp": append(c.key.bytes(), bare(officer))}})
		})
	}
}

func (k *key) withBody(body []byte) *key {
	k.packets.Write(pack(2, body))
	return k
}

func (k *key) revokedFor(by *packet.PrivateKey, r packet.ReasonForRevocation) *key {
	return k.revokedBy(by, hashedKeys(k.primary), sub(29, byte(r)))
}

// withNaming adds a user ID whose certification names a revoker.
func (k *key) withNaming(subpacket []byte) *key {
	const id = "another <another@example.org>"
	over := slices.Concat(hashedKeys(k.primary), []byte{0xb4, 0, 0, 0, byte(len(id))}, []byte(id))
	k.pack(13, []byte(id))
	k.packets.Write(pack(2, signedBody(k.primary, packet.SigTypePositiveCert, made, over, subpacket)))
	return k
}

// TestSubkeyRevokedByDesignatedRevoker: the primary key's revoker may revoke a subkey as well.
func TestSubkeyRevokedByDesignatedRevoker(t *testing.T) {
	officer := newPrivate(made)
	soft := sub(29, byte(packet.KeyRetired))
	for name, c := range map[string]struct {
		named   bool
		hashed  []byte
		policy  formats.Policy
		forging bool // over the primary key alone
		want    formats.Reason
	}{
		"genuine":                    {named: true, want: formats.ReasonKeyRevoked},
		"nobody was named":           {},
		"void":                       {named: true, forging: true},
		"retired, no time known":     {named: true, hashed: soft, want: formats.ReasonKeyRevoked},
		"retired, known before":      {named: true, hashed: soft, policy: formats.Policy{KnownBy: made.Add(time.Minute)}},
		"compromised, known before":  {named: true, hashed: sub(29, 2), policy: formats.Policy{KnownBy: made.Add(time.Minute)}, want: formats.ReasonKeyRevoked},
		"retired, known after it is": {named: true, hashed: soft, policy: formats.Policy{KnownBy: made.Add(2 * time.Hour)}, want: formats.ReasonKeyRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKey()
			if c.named {
				k = designated(names(12, 0x80, officer.Fingerprint))
			}
			s := newPrivate(made)
			k.withUser(nil).withSubkey(s, true, nil)
			over := hashedKeys(k.primary, s)
			if c.forging {
				over = hashedKeys(k.primary)
			}
			k.withBody(signedBody(officer, packet.SigTypeSubkeyRevocation, made.Add(time.Hour), over, c.hashed))
			sig := pack(2, plain(s).sign(s, artifact))
			keys := append(k.bytes(), bare(officer))
			v := expect(t, c.want, sig, keys, c.policy)
			if v == nil {
				return
			}
			again := expect(t, "", sig, v.Keys, c.policy)
			if !slices.EqualFunc(v.Keys, again.Keys, bytes.Equal) {
				t.Error("the minimal key is no fixed point")
			}
			if c.hashed != nil { // the minimal key still says that it has been retired
				expect(t, formats.ReasonKeyRevoked, sig, v.Keys, formats.Policy{})
			}
		})
	}
}

// signV6 makes the body of a version 6 signature by k, which is ECDSA P-256 (RFC 9580, section 5.2.3).
func signV6(k *packet.PrivateKey, kind packet.SignatureType, over []byte, hashed ...[]byte) []byte {
	area := slices.Concat(append([][]byte{sub(2, seconds(made)...), issuedBy(k)}, hashed...)...)
	body := binary.BigEndian.AppendUint32([]byte{6, byte(kind), byte(k.PubKeyAlgo), 8}, uint32(len(area)))
	body = append(body, area...)
	salt := bytes.Repeat([]byte{7}, 16)
	h := crypto.SHA256.New()
	for _, part := range [][]byte{salt, over, body, binary.BigEndian.AppendUint32([]byte{6, 0xff}, uint32(len(body)))} {
		h.Write(part)
	}
	digest := h.Sum(nil)
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey.(*ecdsa.PrivateKey), digest)
	check(err)
	return slices.Concat(body, make([]byte, 4), digest[:2], []byte{byte(len(salt))}, salt, mpi(r), mpi(s))
}

// TestRevokerOfVersion6: a version 6 key has revokers, too, of either version.
func TestRevokerOfVersion6(t *testing.T) {
	c := at(made)
	c.V6Keys = true
	modern := func() *packet.PrivateKey { return must(openpgp.NewEntity("", "", "", c)).PrivateKey }
	six, four, stranger := modern(), newPrivate(made), modern()
	for name, by := range map[string]*packet.PrivateKey{"version 6": six, "version 4": four, "a stranger": stranger} {
		k := &key{primary: modern()}
		k.add(&k.primary.PublicKey)
		k.withBody(signV6(k.primary, packet.SigTypeDirectSignature, hashedKeys(k.primary), sub(27, 3),
			names(12, 0x80, six.Fingerprint), names(12, 0x80, four.Fingerprint)))
		sig := pack(2, signV6(k.primary, packet.SigTypeBinary, artifact))
		expect(t, "", sig, k.bytes(), formats.Policy{})

		over := hashedKeys(k.primary)
		if by.Version == 6 {
			k.withBody(signV6(by, packet.SigTypeKeyRevocation, over))
		} else {
			k.revokedBy(by, over)
		}
		want := formats.ReasonKeyRevoked
		if by == stranger {
			want = ""
		}
		t.Run(name, func(t *testing.T) {
			expect(t, want, sig, k.bytes(), formats.Policy{})
			expect(t, want, sig, append(k.bytes(), bare(by)), formats.Policy{})
		})
	}
}

// TestRevokerWork: many designations and revocations cost what their number is, not its square.
func TestRevokerWork(t *testing.T) {
	officer := newPrivate(made)
	named := names(12, 0x80, officer.Fingerprint)
	k := designated(named)
	slow := func(by *packet.PrivateKey, kind packet.SignatureType, n int, hashed []byte) {
		for i := range n {
			body := signedBody(by, kind, made.Add(time.Duration(i)*time.Second), nil, hashed)
			k.packets.Write(pack(2, body))
		}
	}
	slow(k.primary, packet.SigTypeDirectSignature, 3000, bytes.Repeat(named, 20)) // void
	slow(officer, packet.SigTypeKeyRevocation, 3000, nil)                         // void, too
	k.withUser(nil)
	for name, v := range map[string]formatstest.Vector{
		"revoker missing": vectorBy(k, k.packets.Bytes()), "revoker at hand": vectorBy(k, k.packets.Bytes(), bare(officer)),
	} {
		t.Run(name, func(t *testing.T) {
			if err := formatstest.CheckHostile(t, pgp.New(), v); err == nil {
				t.Error("accepted")
			}
		})
	}
}

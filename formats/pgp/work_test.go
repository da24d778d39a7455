// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

// userID is the one that the keys here have.
var userID = packet.NewUserId("signer", "", "signer@example.org")

// overUser adds a signature over the user ID by other, dated some hours after the key.
func (k *key) overUser(kind packet.SignatureType, other *packet.PrivateKey, hours int) {
	s := signer(k.signed(kind))
	s.CreationTime = made.Add(time.Duration(hours) * time.Hour)
	s.IssuerKeyId, s.PubKeyAlgo = &other.KeyId, other.PubKeyAlgo
	check(s.SignUserId(userID.Id, &k.primary.PublicKey, other, at(s.CreationTime)))
	k.add(s)
}

// slow adds a signature said to be k's, which is well-formed, is not valid, and takes long to read: it has as
// many subpackets as are asked for.
func (k *key) slow(kind packet.SignatureType, hours, subpackets int) {
	hashed := append(sub(2, seconds(made.Add(time.Duration(hours)*time.Hour))...), issuedBy(k.primary)...)
	hashed = append(hashed, bytes.Repeat(sub(100), subpackets)...)
	body := []byte{4, byte(kind), byte(k.primary.PubKeyAlgo), 8}
	body = append(binary.BigEndian.AppendUint16(body, uint16(len(hashed))), hashed...)
	k.pack(2, append(body, 0, 0, 0, 0, 0, 8, 255, 0, 8, 255))
}

// pack adds a packet with a length of four octets.
func (k *key) pack(tag byte, body []byte) {
	k.packets.Write(binary.BigEndian.AppendUint32([]byte{0xc0 | tag, 0xff}, uint32(len(body))))
	k.packets.Write(body)
}

// floodedKey is 1.9 MB long. Every certification of its user ID is valid, and revoked by a revocation that
// comes after many older ones: comparing each with each takes long.
func floodedKey() *key {
	k := newKey().add(userID)
	for i := range 63 {
		k.overUser(packet.SigTypePositiveCert, k.primary, 100+i)
	}
	for i := range 29 {
		k.slow(packet.SigTypeCertificationRevocation, i, 32700)
	}
	k.overUser(packet.SigTypeCertificationRevocation, k.primary, 1000)
	return k
}

// connectedKey is 2 MB long: an honest key that thousands of people have certified.
func connectedKey() *key {
	k, other := newKey().add(userID), newPrivate(made)
	k.overUser(packet.SigTypePositiveCert, k.primary, 1)
	for i := range 20000 {
		k.overUser(packet.SigTypeGenericCert, other, i)
		if k.packets.Len() > 2_000_000 {
			break
		}
	}
	return k
}

// vectorBy is a signature by k that is submitted with keys.
func vectorBy(k *key, keys ...[]byte) formatstest.Vector {
	artifact := []byte("artifact")
	return formatstest.Vector{
		Signature: pack(2, plain(k.primary).sign(k.primary, artifact)), Keys: keys, Artifact: artifact,
		Policy: formats.Policy{Now: now},
	}
}

// TestHonestWork: large honest keys pass, for a small part of the budget.
func TestHonestWork(t *testing.T) {
	k := connectedKey()
	var ring bytes.Buffer // 4 MiB, as Debian's keyring
	for ring.Len() < 4<<20-64<<10 {
		other := newKey().withUser(nil)
		for i := range 32 {
			other.slow(packet.SigTypeGenericCert, i, 50)
		}
		ring.Write(other.packets.Bytes())
	}
	wanted := newKey().withUser(nil)
	ring.Write(wanted.packets.Bytes())
	for name, v := range map[string]formatstest.Vector{
		"a well-connected key": vectorBy(k, k.packets.Bytes()),
		"a keyring":            vectorBy(wanted, ring.Bytes()),
	} {
		w := formats.NewWork(formats.MaxWork / 20)
		p, err := pgp.New().Parse(formats.WithWork(t.Context(), w), v.Signature, v.Keys, v.Policy)
		if err != nil {
			t.Errorf("%s of %d octets: %v", name, len(v.Keys[0]), err)
			continue
		}
		t.Logf("%s of %d octets: %d units", name, len(v.Keys[0]), w.Spent())
		if _, err := p.Verify(t.Context(), formats.FromReader(bytes.NewReader(v.Artifact))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHostileWork: what is made to take long does not, and stops.
func TestHostileWork(t *testing.T) {
	k := floodedKey()
	flooded := k.packets.Bytes()
	many := newKey()
	for i := range 16000 {
		id := packet.NewUserId(fmt.Sprint("user ", i), "", "")
		many.add(id)
		many.slow(packet.SigTypePositiveCert, i, 20)
		many.slow(packet.SigTypeCertificationRevocation, i, 20)
	}
	empty := bytes.Repeat(enarmor("PGP PUBLIC KEY BLOCK", nil), 4<<20/120)
	text := "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + string(bytes.Repeat([]byte("- \n"), 1<<20)) +
		string(enarmor("PGP SIGNATURE", pack(2, plain(k.primary).sign(k.primary, nil))))
	for name, v := range map[string]formatstest.Vector{
		"revocations and certifications": vectorBy(k, flooded),
		"the same in 16 copies":          vectorBy(k, copies(16, flooded)...),
		"many users, nothing valid":      vectorBy(many, many.packets.Bytes()),
		"empty armor":                    vectorBy(k, copies(16, empty)...),
		"long text":                      {Signature: []byte(text), Keys: [][]byte{flooded}, Policy: formats.Policy{Now: now}},
	} {
		t.Run(name, func(t *testing.T) { _ = formatstest.CheckHostile(t, pgp.New(), v) })
	}
}

func copies(n int, file []byte) (files [][]byte) {
	for range n {
		files = append(files, file)
	}
	return files
}

// TestFloodedKey: the verdict on the flooded key is that on a small one, for the work of a hundred checks.
func TestFloodedKey(t *testing.T) {
	k := floodedKey()
	w := formats.NewWork(formats.MaxWork)
	v := vectorBy(k, k.packets.Bytes())
	_, err := pgp.New().Parse(formats.WithWork(t.Context(), w), v.Signature, v.Keys, v.Policy)
	if formats.ReasonOf(err) != formats.ReasonKeyNotValid {
		t.Errorf("got %v", err)
	}
	if w.Spent() > formats.MaxWork/2 {
		t.Errorf("%d units", w.Spent())
	}
}

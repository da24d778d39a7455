// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

var artifact = []byte("the artifact\n")

func verify(sig []byte, keys [][]byte, p formats.Policy, artifact []byte) (*formats.Verified, error) {
	if p.Now.IsZero() {
		p.Now = now
	}
	parsed, err := pgp.New().Parse(context.Background(), sig, keys, p)
	if err != nil {
		return nil, err
	}
	return parsed.Verify(context.Background(), formats.FromReader(bytes.NewReader(artifact)))
}

// expect runs a case; want "" means that it verifies.
func expect(t *testing.T, want formats.Reason, sig []byte, keys [][]byte, p formats.Policy) *formats.Verified {
	t.Helper()
	v, err := verify(sig, keys, p, artifact)
	if formats.ReasonOf(err) != want || (err == nil) != (want == "") || (v == nil) == (err == nil) {
		t.Errorf("got %v, want %q", err, want)
	}
	return v
}

// TestNothingSurroundsSignatures: anything before or after the signatures is refused, and the same one again.
func TestNothingSurroundsSignatures(t *testing.T) {
	k := newKey().withUser(nil)
	one := pack(2, plain(k.primary).sign(k.primary, artifact))
	asc := string(enarmor("PGP SIGNATURE", one))
	broken := bytes.Clone(one)
	broken[len(broken)-1] ^= 1
	for name, c := range map[string]struct {
		sig  string
		want formats.Reason
	}{
		"binary":              {string(one), ""},
		"armored":             {asc, ""},
		"blanks around armor": {"\n \t" + asc + "\r\n\n", ""},
		"CRLF armor":          {string(bytes.ReplaceAll([]byte(asc), []byte("\n"), []byte("\r\n"))), ""},
		"two, second broken":  {string(one) + string(broken), formats.ReasonSignatureInvalid},
		"two in one armor":    {string(enarmor("PGP SIGNATURE", append(bytes.Clone(one), broken...))), formats.ReasonSignatureInvalid},
		"two armors":          {asc + asc, formats.ReasonMultipleSignatures},
		"garbage after":       {string(one) + "x", formats.ReasonTrailingData},
		"garbage in armor":    {string(enarmor("PGP SIGNATURE", append(bytes.Clone(one), 0))), formats.ReasonTrailingData},
		"text after armor":    {asc + "bye\n", formats.ReasonTrailingData},
		"text before armor":   {"hello\n" + asc, formats.ReasonMalformedSignature},
		"marker before":       {string(pack(10, []byte("PGP"))) + string(one), formats.ReasonMalformedSignature},
		"marker after":        {string(one) + string(pack(10, []byte("PGP"))), formats.ReasonTrailingData},
		"session key":         {string(pack(1, make([]byte, 20))), formats.ReasonMalformedSignature},
		"compressed":          {"\xa3\x01" + string(one), formats.ReasonUnsupportedSignature},
		"octets within":       {string(pack(2, append(bytes.Clone(one[3:]), 0))), formats.ReasonMalformedSignature},
		"partial length":      {"\xc2\xe1" + string(one[3:]), formats.ReasonMalformedSignature},
		"open length":         {"\x8b" + string(one[3:]), formats.ReasonMalformedSignature},
		"message armor":       {string(enarmor("PGP MESSAGE", one)), formats.ReasonMalformedSignature},
		"armor unfinished":    {asc[:len(asc)-10], formats.ReasonMalformedSignature},
		"wrong END line":      {string(bytes.Replace([]byte(asc), []byte("END PGP SIGNATURE"), []byte("END PGP MESSAGE"), 1)), formats.ReasonMalformedSignature},
		"empty armor":         {"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n", formats.ReasonMalformedSignature},
		"nothing":             {"", formats.ReasonMissingSignature},
		"huge packet":         {string(append([]byte{0xc2, 0xff, 0, 2, 0, 0}, make([]byte, 2<<16)...)), formats.ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) { expect(t, c.want, []byte(c.sig), k.bytes(), formats.Policy{}) })
	}
}

// TestSignatureContent: which types, versions, algorithms, times, critical parts and issuers are taken.
func TestSignatureContent(t *testing.T) {
	k, other := newKey().withUser(nil), newKey().withUser(nil)
	for name, c := range map[string]struct {
		mod  func(*document)
		want formats.Reason
	}{
		"standalone":            {func(d *document) { d.kind = 0x02 }, formats.ReasonUnsupportedSignature},
		"certification":         {func(d *document) { d.kind = 0x13 }, formats.ReasonUnsupportedSignature},
		"timestamp":             {func(d *document) { d.kind = 0x40 }, formats.ReasonUnsupportedSignature},
		"direct key":            {func(d *document) { d.kind = 0x1f }, formats.ReasonUnsupportedSignature},
		"version 5":             {func(d *document) { d.version = 5 }, formats.ReasonUnsupportedVersion},
		"version 2":             {func(d *document) { d.version = 2 }, formats.ReasonUnsupportedVersion},
		"MD5":                   {func(d *document) { d.hash = 1 }, formats.ReasonWeakAlgorithm},
		"RIPEMD-160":            {func(d *document) { d.hash = 3 }, formats.ReasonWeakAlgorithm},
		"SHA-224":               {func(d *document) { d.hash = 11 }, formats.ReasonUnsupportedAlgorithm},
		"SHA3-256":              {func(d *document) { d.hash = 12 }, formats.ReasonUnsupportedAlgorithm},
		"Ed448":                 {func(d *document) { d.algo = 28 }, formats.ReasonUnsupportedAlgorithm},
		"ElGamal":               {func(d *document) { d.algo = 16 }, formats.ReasonUnsupportedAlgorithm},
		"another algorithm":     {func(d *document) { d.algo = 22 }, formats.ReasonKeyMismatch},
		"no creation time":      {func(d *document) { d.hashed = issuedBy(k.primary) }, formats.ReasonMalformedSignature},
		"creation not hashed":   {func(d *document) { d.hashed, d.unhashed = issuedBy(k.primary), sub(2, seconds(made)...) }, formats.ReasonMalformedSignature},
		"dated before the key":  {func(d *document) { d.hashed = append(sub(2, seconds(made.Add(-time.Hour))...), issuedBy(k.primary)...) }, formats.ReasonKeyNotValid},
		"dated in the future":   {func(d *document) { d.hashed = append(sub(2, seconds(now.Add(time.Hour))...), issuedBy(k.primary)...) }, formats.ReasonSignatureInFuture},
		"clock a bit ahead":     {func(d *document) { d.hashed = append(sub(2, seconds(now.Add(time.Minute))...), issuedBy(k.primary)...) }, ""},
		"expired":               {func(d *document) { d.hashed = append(d.hashed, sub(3, 0, 0, 1, 0)...) }, formats.ReasonSignatureExpired},
		"unknown critical":      {func(d *document) { d.hashed = append(d.hashed, sub(0x80|99, 1)...) }, formats.ReasonUnsupportedFeature},
		"unknown not critical":  {func(d *document) { d.hashed = append(d.hashed, sub(99, 1)...) }, ""},
		"critical, unhashed":    {func(d *document) { d.unhashed = sub(0x80|99, 1) }, ""},
		"issuer of another key": {func(d *document) { d.hashed = append(sub(2, seconds(made)...), issuedBy(other.primary)...) }, formats.ReasonSignatureInvalid},
		"issuer unknown":        {func(d *document) { d.hashed = append(sub(2, seconds(made)...), issuedBy(newPrivate(made))...) }, formats.ReasonKeyMismatch},
		"issuer in both areas":  {func(d *document) { d.unhashed = issuedBy(other.primary) }, ""},
		"issuer unhashed":       {func(d *document) { d.hashed, d.unhashed = sub(2, seconds(made)...), issuedBy(k.primary) }, ""},
		"long subpackets": {func(d *document) {
			d.hashed = slices.Concat(sub(2, seconds(made)...), []byte{192, 108, 99}, make([]byte, 299))
			d.unhashed = slices.Concat([]byte{255, 0, 0, 0, 4, 99, 1, 2, 3}, []byte{192, 8, 99}, make([]byte, 199), issuedBy(k.primary))
		}, ""},
		"no issuer, cut":      {func(d *document) { d.hashed, d.unhashed = sub(2, seconds(made)...), []byte{255, 0, 0} }, formats.ReasonMalformedSignature},
		"no issuer, too long": {func(d *document) { d.hashed, d.unhashed = sub(2, seconds(made)...), []byte{255, 255, 0, 0, 0, 33} }, formats.ReasonMalformedSignature},
		"no issuer, empty":    {func(d *document) { d.hashed, d.unhashed = sub(2, seconds(made)...), []byte{0, 9, 16} }, formats.ReasonMalformedSignature},
		"no issuer":           {func(d *document) { d.hashed = sub(2, seconds(made)...) }, formats.ReasonMalformedSignature},
		"hash tag":            {func(d *document) { d.wrongTag = true }, formats.ReasonArtifactMismatch},
		"subpacket cut":       {func(d *document) { d.hashed = append(d.hashed, 9, 99) }, formats.ReasonMalformedSignature},
	} {
		t.Run(name, func(t *testing.T) {
			d := plain(k.primary)
			c.mod(&d)
			expect(t, c.want, pack(2, d.sign(k.primary, artifact)), append(k.bytes(), other.bytes()...), formats.Policy{})
		})
	}
}

// TestUnhashedSubpacketIsTheSameSubmission: an added unhashed subpacket leaves the canonical form as it is.
func TestUnhashedSubpacketIsTheSameSubmission(t *testing.T) {
	k := newKey().withUser(nil)
	d := plain(k.primary)
	body := d.sign(k.primary, artifact)
	first := expect(t, "", pack(2, body), k.bytes(), formats.Policy{})
	cut := 6 + len(d.hashed)
	added := slices.Concat(body[:cut], []byte{0, 4}, sub(99, 7, 7), body[cut+2:])
	second := expect(t, "", pack(2, added), k.bytes(), formats.Policy{})
	if !bytes.Equal(first.Canonical, second.Canonical) {
		t.Error("an unhashed subpacket made it another submission")
	}
	third := expect(t, "", first.Canonical, first.Keys, formats.Policy{})
	if !bytes.Equal(first.Canonical, third.Canonical) {
		t.Error("the canonical form is no fixed point")
	}
}

// TestHighSIsTheSameSubmission: s and n-s are one submission; each is projected as it was made.
func TestHighSIsTheSameSubmission(t *testing.T) {
	k := newKey().withUser(nil)
	d := plain(k.primary)
	d.highS = true
	high := expect(t, "", pack(2, d.sign(k.primary, artifact)), k.bytes(), formats.Policy{})
	low := expect(t, "", high.Canonical, k.bytes(), formats.Policy{})
	if !bytes.Equal(high.Canonical, low.Canonical) || bytes.Equal(high.Projections[0].Signature, low.Projections[0].Signature) {
		t.Error("want one canonical form and two signatures")
	}
}

// TestKeyExpiry: a key that has expired since it signed is taken, one that had expired when it signed is not.
func TestKeyExpiry(t *testing.T) {
	day := uint32(24 * 3600)
	expiring := func(s *packet.Signature) { s.KeyLifetimeSecs = &day }
	extended := func(s *packet.Signature) { s.CreationTime = made.Add(time.Hour) }
	late := made.Add(48 * time.Hour)
	for name, c := range map[string]struct {
		key  *key
		when time.Time
		p    formats.Policy
		want formats.Reason
	}{
		"valid then":               {newKey().withUser(expiring), made, formats.Policy{}, ""},
		"expired then":             {newKey().withUser(expiring), late, formats.Policy{}, formats.ReasonKeyExpired},
		"expired then, historical": {newKey().withUser(expiring), late, historical, ""},
		"by direct-key signature":  {newKey().withDirect(expiring).withUser(nil), late, formats.Policy{}, formats.ReasonKeyExpired},
		"extended":                 {newKey().withUser(expiring).withUser(extended), late, formats.Policy{}, ""},
		"extended, listed first":   {newKey().withUser(extended).withUser(expiring), late, formats.Policy{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := plain(c.key.primary)
			d.hashed = append(sub(2, seconds(c.when)...), issuedBy(c.key.primary)...)
			sig := pack(2, d.sign(c.key.primary, artifact))
			v := expect(t, c.want, sig, c.key.bytes(), c.p)
			if v != nil {
				expect(t, "", sig, v.Keys, c.p)
			}
		})
	}
}

// TestKeyRevocation: a key revoked without a reason or as compromised never counts. One superseded
// or retired counts for what it signed before.
func TestKeyRevocation(t *testing.T) {
	reason := func(r packet.ReasonForRevocation, when time.Time) func(*packet.Signature) {
		return func(s *packet.Signature) { s.RevocationReason, s.CreationTime = &r, when }
	}
	after, before := made.Add(time.Hour), made
	forged := newKey().withUser(nil)
	forged.add(func() *packet.Signature {
		other := newKey()
		s := other.signed(packet.SigTypeKeyRevocation)
		check(s.RevokeKey(&forged.primary.PublicKey, other.primary, at(made)))
		return s
	}())
	for name, c := range map[string]struct {
		key  *key
		want formats.Reason
	}{
		"no reason":         {newKey().withRevocation(func(s *packet.Signature) { s.CreationTime = after }).withUser(nil), formats.ReasonKeyRevoked},
		"compromised later": {newKey().withRevocation(reason(packet.KeyCompromised, after)).withUser(nil), formats.ReasonKeyRevoked},
		"unknown reason":    {newKey().withRevocation(reason(77, after)).withUser(nil), formats.ReasonKeyRevoked},
		"superseded later":  {newKey().withRevocation(reason(packet.KeySuperseded, after)).withUser(nil), ""},
		"retired later":     {newKey().withRevocation(reason(packet.KeyRetired, after)).withUser(nil), ""},
		"superseded before": {newKey().withRevocation(reason(packet.KeySuperseded, before)).withUser(nil), formats.ReasonKeyRevoked},
		"by somebody else":  {forged, ""},
		"version 3":         {unreadable(func(k *key) []byte { return v3Revocation(k.primary.KeyId) }), formats.ReasonKeyRevoked},
		"v3, somebody else": {unreadable(func(*key) []byte { return v3Revocation(1) }), ""},
		"MD5":               {unreadable(func(k *key) []byte { return md5Revocation(k.primary) }), formats.ReasonKeyRevoked},
		"MD5, another's":    {unreadable(func(*key) []byte { return md5Revocation(newPrivate(made)) }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			sig := pack(2, plain(c.key.primary).sign(c.key.primary, artifact))
			inTime := formats.Policy{Historical: formats.AllowAll(true), KnownBy: made.Add(time.Minute)}
			if v := expect(t, c.want, sig, c.key.bytes(), inTime); v != nil {
				again := expect(t, "", sig, v.Keys, formats.Policy{KnownBy: inTime.KnownBy})
				if !slices.EqualFunc(v.Keys, again.Keys, bytes.Equal) {
					t.Error("the minimal key is no fixed point")
				}
			}
		})
	}
}

// unreadable is a key with a revocation that the library does not read.
func unreadable(revocation func(*key) []byte) *key {
	k := newKey()
	k.packets.Write(pack(2, revocation(k)))
	return k.withUser(nil)
}

func v3Revocation(keyID uint64) []byte {
	body := append([]byte{3, 5, 0x20}, seconds(made)...)
	return append(binary.BigEndian.AppendUint64(body, keyID), 1, 8, 0, 0, 0, 1, 1)
}

func md5Revocation(k *packet.PrivateKey) []byte {
	hashed := append(sub(2, seconds(made)...), issuedBy(k)...)
	body := append([]byte{4, 0x20, 1, 1, 0, byte(len(hashed))}, hashed...)
	return append(body, 0, 0, 0, 0, 0, 1, 1)
}

// TestRevokedUserIDSaysNothing: a revoked user ID says nothing any more; another one may.
func TestRevokedUserIDSaysNothing(t *testing.T) {
	revoked := func() *key {
		k := newKey().withUser(nil)
		s := k.signed(packet.SigTypeCertificationRevocation)
		check(s.SignUserId("signer <signer@example.org>", &k.primary.PublicKey, k.primary, at(made)))
		return k.add(s)
	}
	alone, again := revoked(), revoked().withUser(func(s *packet.Signature) { s.CreationTime = made.Add(time.Hour) })
	expect(t, formats.ReasonKeyNotValid, pack(2, plain(alone.primary).sign(alone.primary, artifact)), alone.bytes(), formats.Policy{})
	expect(t, "", pack(2, plain(again.primary).sign(again.primary, artifact)), again.bytes(), formats.Policy{})
}

// TestSHA1SelfSignature: it passes, and an auditor is told.
func TestSHA1SelfSignature(t *testing.T) {
	k := newKey().withUser(func(s *packet.Signature) { s.Hash = crypto.SHA1 })
	p, err := pgp.New().Parse(context.Background(), pack(2, plain(k.primary).sign(k.primary, artifact)), k.bytes(), formats.Policy{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if d := p.Describe(); len(d.Notes) != 1 || len(d.Findings) != 0 || len(d.Candidates) != 1 {
		t.Errorf("notes %v, findings %v, %d candidates", d.Notes, d.Findings, len(d.Candidates))
	}
}

// TestCleanCopyHidesNoRevocation: a clean copy of a key does not hide the revoked one beside it.
func TestCleanCopyHidesNoRevocation(t *testing.T) {
	k := newKey().withUser(nil)
	sig, clean := pack(2, plain(k.primary).sign(k.primary, artifact)), k.bytes()[0]
	revoked := &key{primary: k.primary}
	revoked.add(&k.primary.PublicKey).withRevocation(func(*packet.Signature) {}).withUser(nil)
	expect(t, "", sig, [][]byte{clean}, formats.Policy{})
	expect(t, formats.ReasonKeyRevoked, sig, [][]byte{clean, revoked.bytes()[0]}, formats.Policy{})
	expect(t, formats.ReasonKeyRevoked, sig, [][]byte{append(clean, revoked.bytes()[0]...)}, formats.Policy{})
}

// TestSubkeyNeedsBinding: a subkey needs a valid binding and back-signature.
func TestSubkeyNeedsBinding(t *testing.T) {
	encrypting := func(s *packet.Signature) { s.FlagSign, s.FlagEncryptStorage = false, true }
	flagless := func(s *packet.Signature) { s.FlagsValid = false }
	day := uint32(24 * 3600)
	for name, c := range map[string]struct {
		back bool
		mod  func(*packet.Signature)
		when time.Time
		want formats.Reason
	}{
		"bound":             {true, nil, made, ""},
		"no back-signature": {false, nil, made, formats.ReasonKeyNotValid},
		"not for signing":   {true, encrypting, made, formats.ReasonKeyNotValid},
		"no flags":          {true, flagless, made, formats.ReasonKeyNotValid},
		"expired":           {true, func(s *packet.Signature) { s.KeyLifetimeSecs = &day }, made.Add(48 * time.Hour), formats.ReasonKeyExpired},
		"binding expired":   {true, func(s *packet.Signature) { s.SigLifetimeSecs = &day }, made.Add(48 * time.Hour), formats.ReasonKeyNotValid},
		"binding in future": {true, func(s *packet.Signature) { s.CreationTime = now.Add(time.Hour) }, made, formats.ReasonKeyNotValid},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPrivate(made)
			k := newKey().withUser(nil).withSubkey(s, c.back, c.mod)
			d := plain(s)
			d.hashed = append(sub(2, seconds(c.when)...), issuedBy(s)...)
			sig := pack(2, d.sign(s, artifact))
			if v := expect(t, c.want, sig, k.bytes(), formats.Policy{}); v != nil {
				expect(t, "", sig, v.Keys, formats.Policy{})
			}
		})
	}
}

// TestSubkeyClaimedByAnother: somebody who claims another's subkey has no back-signature, and a binding
// does not fit another primary key.
func TestSubkeyClaimedByAnother(t *testing.T) {
	s := newPrivate(made)
	owner := newKey().withUser(nil)
	start := owner.packets.Len()
	owner.withSubkey(s, true, nil)
	sig := pack(2, plain(s).sign(s, artifact))
	thief := newKey().withUser(nil).withSubkey(s, false, nil)
	expect(t, formats.ReasonKeyNotValid, sig, thief.bytes(), formats.Policy{})
	expect(t, "", sig, append(thief.bytes(), owner.bytes()...), formats.Policy{})
	revoked := newKey().withRevocation(func(*packet.Signature) {}).withUser(nil).withSubkey(s, false, nil)
	expect(t, "", sig, append(revoked.bytes(), owner.bytes()...), formats.Policy{})
	swapped := newKey().withUser(nil)
	swapped.packets.Write(owner.bytes()[0][start:])
	expect(t, formats.ReasonKeyNotValid, sig, swapped.bytes(), formats.Policy{})
}

// TestPrimaryKeyNeedsSelfSignature: a primary key needs a valid self-signature that lets it sign.
func TestPrimaryKeyNeedsSelfSignature(t *testing.T) {
	for name, c := range map[string]struct {
		key  *key
		want formats.Reason
	}{
		"bare":                {newKey(), formats.ReasonKeyNotValid},
		"user ID":             {newKey().withUser(nil), ""},
		"direct":              {newKey().withDirect(nil), ""},
		"certifies only":      {newKey().withUser(func(s *packet.Signature) { s.FlagSign = false }), formats.ReasonKeyNotValid},
		"no flags":            {newKey().withUser(func(s *packet.Signature) { s.FlagsValid = false }), ""},
		"direct over user ID": {newKey().withDirect(func(s *packet.Signature) { s.FlagSign = false }).withUser(nil), formats.ReasonKeyNotValid},
		"critical notation": {newKey().withUser(func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "n@example.org", IsCritical: true}}
		}), formats.ReasonKeyNotValid},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, c.want, pack(2, plain(c.key.primary).sign(c.key.primary, artifact)), c.key.bytes(), formats.Policy{})
		})
	}
}

// TestPersonalDataIsLeftOut: only the signing (sub)key and its binding are kept.
func TestPersonalDataIsLeftOut(t *testing.T) {
	v, err := verify(read(t, "many.sig"), [][]byte{read(t, "keyring.gpg")}, formats.Policy{}, read(t, "artifact"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(v.Keys[0], []byte("example.org")); n != 1 {
		t.Errorf("%d user IDs kept, want the one that carries the key's flags", n)
	}
	k := newKey().withDirect(func(s *packet.Signature) { s.KeyLifetimeSecs = new(uint32) }).withUser(nil)
	v = expect(t, "", pack(2, plain(k.primary).sign(k.primary, artifact)), k.bytes(), formats.Policy{})
	if bytes.Contains(v.Keys[0], []byte("example.org")) {
		t.Error("a user ID was kept beside a direct-key signature that says it all")
	}
}

// TestPrivateKeyIsRefused: a private key in the place of a key is refused in every form.
func TestPrivateKeyIsRefused(t *testing.T) {
	k := newKey().withUser(nil)
	var secret bytes.Buffer
	check(k.primary.Serialize(&secret))
	sig := pack(2, plain(k.primary).sign(k.primary, artifact))
	for name, bad := range map[string][]byte{
		"binary":           secret.Bytes(),
		"armored":          enarmor("PGP PRIVATE KEY BLOCK", secret.Bytes()),
		"in public armor":  enarmor("PGP PUBLIC KEY BLOCK", secret.Bytes()),
		"after a key":      append(k.bytes()[0], secret.Bytes()...),
		"armored after":    append(enarmor("PGP PUBLIC KEY BLOCK", k.bytes()[0]), enarmor("PGP PRIVATE KEY BLOCK", secret.Bytes())...),
		"another format's": []byte("-----BEGIN OPENSSH PRIVATE KEY-----\n"),
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, formats.ReasonSecretKey, sig, append(k.bytes(), bad), formats.Policy{})
			expect(t, formats.ReasonSecretKey, []byte("no signature"), [][]byte{bad}, formats.Policy{})
		})
	}
	expect(t, formats.ReasonSecretKey, secret.Bytes(), k.bytes(), formats.Policy{})
	expect(t, formats.ReasonSecretKey, enarmor("PGP PRIVATE KEY BLOCK", secret.Bytes()), k.bytes(), formats.Policy{})
}

// TestPolicyKeysWin: a keyring in the policy wins over submitted keys.
func TestPolicyKeysWin(t *testing.T) {
	k, other := newKey().withUser(nil), newKey().withUser(nil)
	sig := pack(2, plain(k.primary).sign(k.primary, artifact))
	keyring := func(k *key) formats.Policy { return formats.Policy{Keys: map[string][][]byte{"pgp": k.bytes()}} }
	expect(t, "", sig, nil, keyring(k))
	expect(t, "", sig, other.bytes(), keyring(k))
	expect(t, formats.ReasonKeyNotTrusted, sig, k.bytes(), keyring(other))
	v := expect(t, "", sig, k.bytes(), formats.Policy{})
	id := sha256.Sum256(v.Signers[0].SPKI)
	expect(t, formats.ReasonForbiddenSigner, sig, k.bytes(), formats.Policy{ForbiddenSigners: [][32]byte{id}})
	expect(t, formats.ReasonKeyNotTrusted, sig, k.bytes(), formats.Policy{AllowedSigners: [][32]byte{{1}}})
	expect(t, "", sig, k.bytes(), formats.Policy{AllowedSigners: [][32]byte{id}})
}

// TestKeyFileForms: what a key file may look like.
func TestKeyFileForms(t *testing.T) {
	k, other := newKey().withUser(nil), newKey().withUser(nil)
	sig := pack(2, plain(k.primary).sign(k.primary, artifact))
	asc := func(k *key) string { return string(enarmor("PGP PUBLIC KEY BLOCK", k.bytes()[0])) }
	for name, c := range map[string]struct {
		file string
		want formats.Reason
	}{
		"KEYS file":          {"Keys of the project\n\n" + asc(other) + "\npub  p256\n" + asc(k), ""},
		"concatenated":       {string(other.bytes()[0]) + string(k.bytes()[0]), ""},
		"damaged armor":      {asc(k)[:200], formats.ReasonMalformedKey},
		"cut":                {string(k.bytes()[0][:100]), formats.ReasonMalformedKey},
		"no key":             {"hello", formats.ReasonMalformedKey},
		"empty":              {"", formats.ReasonMalformedKey},
		"signature in front": {string(sig) + string(k.bytes()[0]), formats.ReasonMalformedKey},
		"keybox":             {"\x00\x00\x00\x20\x01\x01\x00\x02KBXf", formats.ReasonMalformedKey},
		"octets within":      {string(pack(6, append(bytes.Clone(k.bytes()[0][2:]), 0))), formats.ReasonKeyMismatch},
	} {
		t.Run(name, func(t *testing.T) { expect(t, c.want, sig, [][]byte{[]byte(c.file)}, formats.Policy{}) })
	}
}

// TestNothingSurroundsCleartext: nothing may surround what is signed.
func TestNothingSurroundsCleartext(t *testing.T) {
	file, key := string(read(t, "cleartext.asc")), [][]byte{read(t, "rsa3072.key")}
	for name, c := range map[string]struct {
		file string
		want formats.Reason
	}{
		"as made":          {file, ""},
		"blanks around":    {"\n" + file + "\n\n", ""},
		"text before":      {"unsigned\n" + file, formats.ReasonMalformedSignature},
		"text after":       {file + "unsigned\n", formats.ReasonTrailingData},
		"twice":            {file + file, formats.ReasonMultipleSignatures},
		"altered":          {string(bytes.Replace([]byte(file), []byte("Release 1.0"), []byte("Release 1.1"), 1)), formats.ReasonArtifactMismatch},
		"unsigned header":  {string(bytes.Replace([]byte(file), []byte("Hash: SHA256\n"), []byte("Hash: SHA256\nComment: hi\n"), 1)), formats.ReasonMalformedSignature},
		"without headers":  {string(bytes.Replace([]byte(file), []byte("Hash: SHA256\n"), nil, 1)), ""},
		"signature gone":   {file[:bytes.Index([]byte(file), []byte("-----BEGIN PGP SIGNATURE"))], formats.ReasonMalformedSignature},
		"between the two":  {string(bytes.Replace([]byte(file), []byte("-----BEGIN PGP SIGNATURE"), []byte("x\n-----BEGIN PGP SIGNATURE"), 1)), formats.ReasonArtifactMismatch},
		"no dash escaping": {"-----BEGIN PGP SIGNED MESSAGE-----\n\n-----BEGIN PGP SIGNATURE-----\n" + file, formats.ReasonMalformedSignature},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := pgp.New().Parse(context.Background(), []byte(c.file), key, formats.Policy{Now: now})
			if err == nil {
				_, err = p.Verify(context.Background(), formats.Artifact{})
			}
			if formats.ReasonOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestHostileKeysAreBounded: floods are bounded, not followed.
func TestHostileKeysAreBounded(t *testing.T) {
	k := newKey()
	for range 200 { // each newer than the last and none valid
		k.withUser(func(s *packet.Signature) { s.CreationTime = made.Add(time.Duration(k.packets.Len()) * time.Second) })
	}
	broken := bytes.ReplaceAll(k.bytes()[0], []byte("signer@example.org"), []byte("other!@example.org"))
	sig := pack(2, plain(k.primary).sign(k.primary, artifact))
	expect(t, formats.ReasonTooLarge, sig, [][]byte{broken}, formats.Policy{})
	many := append(newKey().withUser(nil).bytes()[0], bytes.Repeat([]byte{0xcd, 0}, 70000)...)
	expect(t, formats.ReasonTooLarge, sig, [][]byte{many}, formats.Policy{})
	expect(t, formats.ReasonKeyNotTrusted, sig, nil, formats.Policy{Keys: map[string][][]byte{"pgp": {many}}})
	sub := pack(14, k.bytes()[0][2:2+int(k.bytes()[0][1])])
	var claims []byte
	for range 20 {
		claims = append(append(claims, newKey().bytes()[0]...), sub...)
	}
	expect(t, formats.ReasonTooLarge, sig, [][]byte{claims}, formats.Policy{})
	start := time.Now()
	expect(t, formats.ReasonKeyNotValid, sig, [][]byte{append(newKey().bytes()[0], bytes.Repeat(sub, 30000)...)}, formats.Policy{})
	flood := bytes.Repeat(pack(2, plain(k.primary).sign(k.primary, artifact)), 30000)
	many = append(newKey().withUser(nil).bytes()[0], flood...)
	expect(t, formats.ReasonKeyMismatch, sig, [][]byte{many}, formats.Policy{})
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("a flooded keyring took %s", d)
	}
}

// TestMisplacedRevocation: a primary key's revocation counts wherever it stands in the key, as in gpg, which puts it in
// its place. Who appends a revocation certificate to an exported key gets such a file.
func TestMisplacedRevocation(t *testing.T) {
	compromised := func(s *packet.Signature) {
		reason := packet.KeyCompromised
		s.RevocationReason = &reason
	}
	sub := newPrivate(made)
	for name, k := range map[string]*key{
		"after the user ID":      newKey().withUser(nil).withRevocation(compromised),
		"after the subkey":       newKey().withUser(nil).withSubkey(sub, true, nil).withRevocation(compromised),
		"after a user attribute": newKey().withUser(nil).withPicture().withRevocation(compromised),
	} {
		t.Run(name, func(t *testing.T) {
			by := k.primary
			if name == "after the subkey" {
				by = sub
			}
			expect(t, formats.ReasonKeyRevoked, pack(2, plain(by).sign(by, artifact)), k.bytes(), formats.Policy{})
		})
	}
	other := newKey()
	k := newKey().withUser(nil)
	k.packets.Write(pack(2, signedBody(other.primary, packet.SigTypeKeyRevocation, made, hashedKeys(k.primary))))
	expect(t, "", pack(2, plain(k.primary).sign(k.primary, artifact)), k.bytes(), formats.Policy{})
}

func (k *key) withPicture() *key {
	k.pack(17, []byte("picture"))
	return k
}

// subkeyRevocation is the packet of a revocation of sub by k, for a hard reason.
func (k *key) subkeyRevocation(sub *packet.PrivateKey, hashed ...[]byte) []byte {
	return pack(2, signedBody(k.primary, packet.SigTypeSubkeyRevocation, made.Add(time.Hour), hashedKeys(k.primary, sub), hashed...))
}

func (k *key) withPackets(packets []byte) *key {
	k.packets.Write(packets)
	return k
}

// TestMisplacedSubkeyRevocation: so does a subkey's, which says only in what it signs of which subkey it is.
func TestMisplacedSubkeyRevocation(t *testing.T) {
	sub, other := newPrivate(made), newPrivate(made)
	sub.IsSubkey, other.IsSubkey = true, true
	unreadable := []byte{2, 0x80 | 100, 1} // a critical subpacket that nobody knows
	for name, build := range map[string]func(k *key){
		"after the primary key": func(k *key) { k.withPackets(k.subkeyRevocation(sub)).withUser(nil).withSubkey(sub, true, nil) },
		"after the user ID":     func(k *key) { k.withUser(nil).withPackets(k.subkeyRevocation(sub)).withSubkey(sub, true, nil) },
		"after a user attribute": func(k *key) {
			k.withUser(nil).withSubkey(sub, true, nil).withPicture().withPackets(k.subkeyRevocation(sub))
		},
		"after another subkey": func(k *key) {
			k.withUser(nil).withSubkey(sub, true, nil).withSubkey(other, true, nil).withPackets(k.subkeyRevocation(sub))
		},
		"before, unreadable": func(k *key) {
			k.withUser(nil).withPackets(k.subkeyRevocation(sub, unreadable)).withSubkey(sub, true, nil)
		},
		"in another copy of a key": func(k *key) {
			k.withUser(nil).withSubkey(sub, true, nil).add(&k.primary.PublicKey).withPackets(k.subkeyRevocation(sub)).withSubkey(sub, true, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKey()
			build(k)
			expect(t, formats.ReasonKeyRevoked, pack(2, plain(sub).sign(sub, artifact)), k.bytes(), formats.Policy{})
		})
	}
	k := newKey().withUser(nil).withSubkey(sub, true, nil).withSubkey(other, true, nil)
	k.withPackets(k.subkeyRevocation(sub))
	expect(t, "", pack(2, plain(other).sign(other, artifact)), k.bytes(), formats.Policy{})
}

// TestManyRevokedSubkeys: revocations of other subkeys, in their place or not, say nothing of this one and cost little.
func TestManyRevokedSubkeys(t *testing.T) {
	k, sub := newKey().withUser(nil), newPrivate(made)
	var misplaced []byte
	for range 140 {
		revoked := newPrivate(made)
		k.withSubkey(revoked, true, nil).withPackets(k.subkeyRevocation(revoked))
		misplaced = append(misplaced, k.subkeyRevocation(newPrivate(made))...)
	}
	k.withSubkey(sub, true, nil)
	sig := pack(2, plain(sub).sign(sub, artifact))
	expect(t, "", sig, k.bytes(), formats.Policy{})
	k.withUser(nil).withPackets(misplaced)
	expect(t, "", sig, k.bytes(), formats.Policy{})
	k.withPackets(k.subkeyRevocation(sub))
	expect(t, formats.ReasonKeyRevoked, sig, k.bytes(), formats.Policy{})
}

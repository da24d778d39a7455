// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

// packets are signatures over artifact, framed.
func packets(bodies ...[]byte) []byte {
	var out []byte
	for _, b := range bodies {
		out = append(out, pack(2, b)...)
	}
	return out
}

// withVersion returns a signature of a version that nobody knows, which names its maker as others do.
func withVersion(body []byte, version byte) []byte {
	body = bytes.Clone(body)
	body[0] = version
	return body
}

func withAlgorithm(body []byte, algorithm byte) []byte {
	body = bytes.Clone(body)
	body[2] = algorithm
	return body
}

// TestSeveralSignatures: all of a file's signatures have to verify, or those by the keys that were sent.
func TestSeveralSignatures(t *testing.T) {
	a, b, stranger := newKey().withUser(nil), newKey().withUser(nil), newKey().withUser(nil)
	both := append(a.bytes(), b.bytes()...)
	byA, byB, byStranger := plain(a.primary).sign(a.primary, artifact), plain(b.primary).sign(b.primary, artifact), plain(stranger.primary).sign(stranger.primary, artifact)
	broken := bytes.Clone(byB)
	broken[len(broken)-1] ^= 1
	expired := plain(stranger.primary)
	expired.hashed = append(expired.hashed, sub(3, 0, 0, 0, 1)...)
	armor := func(body []byte) string { return string(enarmor("PGP SIGNATURE", pack(2, body))) }
	for name, c := range map[string]struct {
		file        []byte
		keys        [][]byte
		all, known  formats.Reason
		parts, left int // as known
		message     string
		hint        string
	}{
		"both good":                       {file: packets(byA, byB), keys: both, parts: 2},
		"two armors":                      {file: []byte(armor(byA) + "\r\n \n" + armor(byB)), keys: both, parts: 2},
		"text between armors":             {file: []byte(armor(byA) + "and\n" + armor(byB)), keys: both, all: formats.ReasonTrailingData, known: formats.ReasonTrailingData},
		"second broken":                   {file: packets(byA, broken), keys: both, all: formats.ReasonSignatureInvalid, known: formats.ReasonSignatureInvalid, message: "signature 2 of 2"},
		"one of a stranger":               {file: packets(byStranger, byA), keys: both, all: formats.ReasonKeyMismatch, parts: 1, left: 1, message: "signature 1 of 2", hint: "signatures=known"},
		"all of strangers":                {file: packets(byStranger, byB), keys: a.bytes(), all: formats.ReasonKeyMismatch, known: formats.ReasonKeyMismatch},
		"a stranger's, expired":           {file: packets(byA, expired.sign(stranger.primary, artifact)), keys: a.bytes(), all: formats.ReasonSignatureExpired, parts: 1, left: 1},
		"a stranger's, version 5":         {file: packets(byA, withVersion(byStranger, 5)), keys: a.bytes(), all: formats.ReasonUnsupportedVersion, parts: 1, left: 1},
		"a known one, unknown algorithm":  {file: packets(byA, withAlgorithm(byB, 99)), keys: both, all: formats.ReasonUnsupportedAlgorithm, known: formats.ReasonUnsupportedAlgorithm},
		"a stranger's, unknown algorithm": {file: packets(byA, withAlgorithm(byStranger, 99)), keys: both, all: formats.ReasonUnsupportedAlgorithm, parts: 1, left: 1},
		"a known one, expired":            {file: packets(byA, expired.sign(stranger.primary, artifact)), keys: append(both, stranger.bytes()...), all: formats.ReasonSignatureExpired, known: formats.ReasonSignatureExpired},
		"a stranger's certification": {file: packets(byA, func() []byte { d := plain(stranger.primary); d.kind = 0x10; return d.sign(stranger.primary, artifact) }()),
			keys: a.bytes(), all: formats.ReasonUnsupportedSignature, known: formats.ReasonUnsupportedSignature},
		"the same twice":               {file: packets(byA, byA), keys: both, all: formats.ReasonMultipleSignatures, known: formats.ReasonMultipleSignatures},
		"the same with other unhashed": {file: packets(byA, reframe(byA)), keys: both, all: formats.ReasonMultipleSignatures, known: formats.ReasonMultipleSignatures},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verify(c.file, c.keys, formats.Policy{}, artifact)
			if formats.ReasonOf(err) != c.all || c.message != "" && !strings.Contains(err.Error(), c.message) {
				t.Errorf("all: got %v, want %q with %q", err, c.all, c.message)
			}
			var e *formats.Error
			if errors.As(err, &e) && !strings.Contains(e.Hint, c.hint) {
				t.Errorf("hint: %s, want %q", e.Hint, c.hint)
			}
			got, err := verify(c.file, c.keys, formats.Policy{KnownOnly: true}, artifact)
			if formats.ReasonOf(err) != c.known {
				t.Fatalf("known: got %v, want %q", err, c.known)
			}
			if err != nil {
				return
			}
			parsed := must(pgp.New().Parse(context.Background(), c.file, c.keys, formats.Policy{Now: now, KnownOnly: true}))
			if d := parsed.Describe(); len(got.Each()) != c.parts || len(d.Each()) != c.parts || len(d.Unchecked) != c.left {
				t.Errorf("%d verified, %d described, %d unchecked", len(got.Each()), len(d.Each()), len(d.Unchecked))
			}
			if (got.Form != nil) != (c.left > 0) {
				t.Errorf("form is %x with %d unchecked", got.Form, c.left)
			}
		})
	}
}

// reframe adds an unhashed subpacket, which changes nothing that was signed.
func reframe(body []byte) []byte {
	at := 6 + int(body[4])<<8 + int(body[5])
	extra := sub(100, 1)
	out := append(bytes.Clone(body[:at]), 0, byte(len(extra)))
	return append(append(out, extra...), body[at+2:]...)
}

// TestUncheckedAreNamed: by the key that they name, as hex.
func TestUncheckedAreNamed(t *testing.T) {
	a, stranger := newKey().withUser(nil), newKey().withUser(nil)
	file := packets(plain(a.primary).sign(a.primary, artifact), plain(stranger.primary).sign(stranger.primary, artifact))
	parsed := must(pgp.New().Parse(context.Background(), file, a.bytes(), formats.Policy{Now: now, KnownOnly: true}))
	got := parsed.Describe().Unchecked
	if want := fmt.Sprintf("%X", stranger.primary.Fingerprint); len(got) != 1 || got[0].Issuer != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestSignaturesShareHashes: over a text, of several hashes and types, each is over its own bytes.
func TestSignaturesShareHashes(t *testing.T) {
	files := []string{"rsa3072-SHA256.sig", "rsa3072-SHA512.sig", "rsa4096-SHA512.sig", "p521.sig", "ed25519.sig", "p384.sig", "v3-SHA256.sig"}
	var file, keys []byte
	for _, name := range files {
		file = append(file, read(t, name)...)
	}
	for _, name := range []string{"rsa3072.key", "rsa4096.key", "p521.key", "ed25519.key", "p384.key", "v3.key"} {
		keys = append(keys, read(t, name)...)
	}
	v, err := verify(file, [][]byte{keys}, formats.Policy{}, read(t, "artifact"))
	if err != nil || len(v.Parts) != len(files) || len(v.Keys) != 1 {
		t.Fatalf("got %+v, %v", v, err)
	}
	for i, p := range v.Parts {
		for _, projection := range p.Projections {
			if err := projection.VerifyDigest(); err != nil {
				t.Errorf("%s: %v", files[i], err)
			}
		}
	}
}

func TestSignaturesAreBounded(t *testing.T) {
	k := newKey().withUser(nil)
	var many [][]byte
	for i := range formats.MaxSignatures + 1 {
		d := plain(k.primary)
		d.hashed = append(d.hashed, sub(100, byte(i))...)
		many = append(many, d.sign(k.primary, artifact))
	}
	if v := expect(t, "", packets(many[:formats.MaxSignatures]...), k.bytes(), formats.Policy{}); v != nil && len(v.Signers) != 1 {
		t.Errorf("%d signers", len(v.Signers))
	}
	expect(t, formats.ReasonTooLarge, packets(many...), k.bytes(), formats.Policy{})
}

// TestHashesAreBounded: version 6 signatures are salted, so each needs a pass of its own.
func TestHashesAreBounded(t *testing.T) {
	config := at(made)
	config.V6Keys = true
	signer := must(openpgp.NewEntity("", "", "", config))
	var key, file bytes.Buffer
	check(signer.Serialize(&key))
	for range formats.MaxHashes {
		check(openpgp.DetachSign(&file, signer, bytes.NewReader(artifact), config))
	}
	expect(t, "", file.Bytes(), [][]byte{key.Bytes()}, formats.Policy{})
	check(openpgp.DetachSign(&file, signer, bytes.NewReader(artifact), config))
	expect(t, formats.ReasonTooLarge, file.Bytes(), [][]byte{key.Bytes()}, formats.Policy{})
}

// TestWorkOfSeveral: a full file beside a large keyring is within what a request may cost.
func TestWorkOfSeveral(t *testing.T) {
	ring := &key{primary: newPrivate(made)}
	var file []byte
	for range formats.MaxSignatures {
		k := newKey().withUser(nil)
		file = append(file, packets(plain(k.primary).sign(k.primary, artifact))...)
		ring.packets.Write(k.packets.Bytes())
	}
	filler := connectedKey()
	ring.packets.Write(filler.packets.Bytes())
	ctx, checkWork := formatstest.CheckWork(t, file, ring.packets.Bytes())
	parsed, err := pgp.New().Parse(ctx, file, ring.bytes(), formats.Policy{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(ctx, formats.FromReader(bytes.NewReader(artifact))); err != nil {
		t.Error(err)
	}
	checkWork()
}

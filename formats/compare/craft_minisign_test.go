// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"

	_ "golang.org/x/crypto/blake2b" // registers BLAKE2b_512
)

// minisig is a minisign signature in the making.
type minisig struct {
	algorithm              string
	id, keyID              string
	untrusted              string
	trusted, global        string // the trusted comment, and what the global signature is over
	signer                 ed25519.PrivateKey
	document               []byte
	globalSigner           ed25519.PrivateKey
	secondLine, fourthLine []byte // when set, instead of what belongs there
	end                    string
}

func plainMinisig() minisig {
	k := throwaway("ed25519").(ed25519.PrivateKey)
	const comment = "timestamp:1735689600\tfile:document"
	return minisig{algorithm: "ED", id: "12345678", keyID: "12345678", untrusted: "untrusted comment: signature from minisign secret key",
		trusted: comment, global: comment, signer: k, globalSigner: k, document: document, end: "\n"}
}

func base64Line(parts ...[]byte) string {
	return base64.StdEncoding.EncodeToString(slices.Concat(parts...))
}

func (m minisig) file() []byte {
	message := m.document
	if m.algorithm == "ED" {
		message = sum(crypto.BLAKE2b_512, m.document)
	}
	sig := ed25519.Sign(m.signer, message)
	global := ed25519.Sign(m.globalSigner, append(slices.Clone(sig), m.global...))
	second, fourth := base64Line([]byte(m.algorithm+m.id), sig), base64Line(global)
	if m.secondLine != nil {
		second = string(m.secondLine)
	}
	if m.fourthLine != nil {
		fourth = string(m.fourthLine)
	}
	return fmt.Appendf(nil, "%s\n%s\ntrusted comment: %s\n%s%s", m.untrusted, second, m.trusted, fourth, m.end)
}

func (m minisig) key() []byte {
	return []byte("untrusted comment: minisign public key\n" + base64Line([]byte("Ed"+m.keyID), throwaway("ed25519").Public().(ed25519.PublicKey)) + "\n")
}

// strangersKey belongs to nobody here.
var strangersKey = ed25519.NewKeyFromSeed(make([]byte, 32))

type minisignField struct {
	kind  string
	apply func(*rand.Rand, *minisig)
}

var minisignFields = []minisignField{
	{"field: none", func(*rand.Rand, *minisig) {}},
	{"field: algorithm", func(r *rand.Rand, m *minisig) { m.algorithm = pick(r, "Ed", "ED", "eD", "XX", "E\x00") }},
	{"field: key id in the signature", func(_ *rand.Rand, m *minisig) { m.id = "87654321" }},
	{"field: key id in the key", func(_ *rand.Rand, m *minisig) { m.keyID = "87654321" }},
	{"field: untrusted comment", func(r *rand.Rand, m *minisig) {
		m.untrusted = pick(r, "untrusted comment: anything else", "untrusted comment: ", "untrusted comment:", "a comment: x", "", "untrusted comment: \x1b[1m")
	}},
	{"field: trusted comment altered", func(_ *rand.Rand, m *minisig) { m.trusted += "!" }},
	{"field: trusted comment", func(r *rand.Rand, m *minisig) {
		m.trusted = pick(r, "", "anything", "timestamp:99999999999", "timestamp:1", "tab\tand ünïcode", "bell \a", " ")
		m.global = m.trusted
	}},
	{"field: global signature by another key", func(_ *rand.Rand, m *minisig) { m.globalSigner = strangersKey }},
	{"field: global signature over the comment alone", func(_ *rand.Rand, m *minisig) {
		m.fourthLine = []byte(base64Line(ed25519.Sign(m.globalSigner, []byte(m.trusted))))
	}},
	{"field: signature by another key", func(_ *rand.Rand, m *minisig) { m.signer = strangersKey }},
	{"field: all by another key", func(_ *rand.Rand, m *minisig) { m.signer, m.globalSigner = strangersKey, strangersKey }},
	{"field: another document", func(_ *rand.Rand, m *minisig) { m.document = []byte("another") }},
	{"field: global signature missing", func(_ *rand.Rand, m *minisig) { m.fourthLine = []byte{} }},
	{"field: global signature short", func(_ *rand.Rand, m *minisig) { m.fourthLine = []byte(base64Line(make([]byte, 63))) }},
	{"field: base64 without padding", func(_ *rand.Rand, m *minisig) {
		sig := ed25519.Sign(m.signer, sum(crypto.BLAKE2b_512, m.document))
		m.secondLine = []byte(base64.RawStdEncoding.EncodeToString(append([]byte(m.algorithm+m.id), sig...)))
	}},
	{"field: end", func(r *rand.Rand, m *minisig) { m.end = pick(r, "", "\r\n", "\n\n", "\nmore\n", " \n", "\n\x00") }},
}

// craftMinisign makes a signature with one of its fields chosen at random.
func craftMinisign(r *rand.Rand, _ []submission) submission {
	m := plainMinisig()
	f := pick(r, minisignFields...)
	f.apply(r, &m)
	return submission{base: "crafted", kind: f.kind, signature: m.file(), keys: [][]byte{m.key()}, artifact: document}
}

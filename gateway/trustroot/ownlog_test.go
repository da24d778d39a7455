// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

const ownOrigin = "gateway.example/own"

// ownKey returns a key for an own log called origin, as the trust file has it.
func ownKey(t *testing.T, origin string) (string, note.Signer) {
	t.Helper()
	secret, public, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return public, signer
}

// p256 returns the SPKI of a new key.
func p256(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return spki(t, key)
}

// step is a change of a gateway trust.
type step func(*Gateway) (*Gateway, error)

func change(t *testing.T, g *Gateway, steps ...step) *Gateway {
	t.Helper()
	for _, s := range steps {
		var err error
		if g, err = s(g); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func withOwnLog(origin, key string) step {
	return func(g *Gateway) (*Gateway, error) { return g.WithOwnLog(origin, key) }
}

func withAnchorKey(origin string, spki []byte, from map[string]int64) step {
	return func(g *Gateway) (*Gateway, error) { return g.WithAnchorKey(origin, spki, from) }
}

func withKey(spki []byte, from map[string]int64) step {
	return func(g *Gateway) (*Gateway, error) { return g.WithKey(spki, from) }
}

func TestOwnLogRotation(t *testing.T) {
	statements, first, second := p256(t), p256(t), p256(t)
	key, signer := ownKey(t, ownOrigin)
	other, _ := ownKey(t, "gateway.example/own2")
	g := change(t, &Gateway{},
		withKey(statements, map[string]int64{ownOrigin: 0, "a.example": 3}),
		withOwnLog(ownOrigin, key),
		withAnchorKey(ownOrigin, first, map[string]int64{"a.example": 10}),
		withAnchorKey(ownOrigin, first, map[string]int64{"a.example": 50, "b.example": 7}),
		func(g *Gateway) (*Gateway, error) {
			return g.RetireAnchorKey(ownOrigin, first, map[string]int64{"a.example": 99})
		},
		func(g *Gateway) (*Gateway, error) { return g.AnchorFromStart(ownOrigin, first, "b.example") },
		withAnchorKey(ownOrigin, second, map[string]int64{"a.example": 90}),
		withOwnLog("gateway.example/own2", other),
		withOwnLog(ownOrigin, key),                            // again
		withKey(statements, map[string]int64{"b.example": 4}), // what changes keys leaves the own logs
		func(g *Gateway) (*Gateway, error) { return g.FromStart(statements, "a.example") },
		func(g *Gateway) (*Gateway, error) {
			return g.Retire(statements, map[string]int64{"b.example": 9})
		},
		func(g *Gateway) (*Gateway, error) {
			b, err := g.Marshal()
			if err != nil {
				return nil, err
			}
			return ParseGateway(b)
		},
	)
	l, ok := g.OwnLog(ownOrigin)
	if !ok || len(g.OwnLogs()) != 2 {
		t.Fatalf("own logs %+v", g.OwnLogs())
	}
	for _, c := range []struct {
		spki   []byte
		origin string
		index  int64
		want   bool
	}{
		{first, "a.example", 9, false}, {first, "a.example", 10, true}, {first, "a.example", 99, true}, {first, "a.example", 100, false},
		{first, "b.example", 0, true}, {first, ownOrigin, 0, false}, {second, "a.example", 89, false}, {second, "a.example", 100, true},
	} {
		if k, ok := l.AnchorKey(c.spki); !ok || k.Covers(c.origin, c.index) != c.want {
			t.Errorf("index %d of %s: covered %v, want %v", c.index, c.origin, !c.want, c.want)
		}
	}
	if _, anchors := l.AnchorKey(statements); anchors {
		t.Error("the statements' key anchors")
	}
	v, err := l.Verifier()
	if err != nil || v.KeyHash() != signer.KeyHash() || v.Name() != ownOrigin {
		t.Errorf("verifier %v, %v", v, err)
	}
}

// TestOwnKeysAreNoSigners: no submission may be signed with a key of the gateway's.
func TestOwnKeysAreNoSigners(t *testing.T) {
	statements, anchor := p256(t), p256(t)
	key, _ := ownKey(t, ownOrigin)
	g := change(t, &Gateway{}, withKey(statements, nil), withOwnLog(ownOrigin, key), withAnchorKey(ownOrigin, anchor, nil))
	raw, err := base64.StdEncoding.DecodeString(strings.SplitN(key, "+", 3)[2])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]byte{statements, anchor, spkiOf(t, raw[1:])} {
		if !slices.Contains(g.IDs(), sha256.Sum256(want)) {
			t.Errorf("a key is not among the %d forbidden ones", len(g.IDs()))
		}
	}
}

func spkiOf(t *testing.T, key ed25519.PublicKey) []byte {
	t.Helper()
	return slices.Concat([]byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}, key)
}

func TestChangesRefused(t *testing.T) {
	statements, anchor := p256(t), p256(t)
	key, _ := ownKey(t, ownOrigin)
	another, _ := ownKey(t, ownOrigin)
	foreign, _ := ownKey(t, "other.example")
	g := change(t, &Gateway{}, withKey(statements, nil), withOwnLog(ownOrigin, key), withAnchorKey(ownOrigin, anchor, nil))
	for name, s := range map[string]step{
		"another key":                   withOwnLog(ownOrigin, another),
		"another log's key":             withOwnLog("third.example", foreign),
		"anchor key of no log":          withAnchorKey("other.example", p256(t), nil),
		"statements' key as anchor key": withAnchorKey(ownOrigin, statements, nil),
		"anchor key as statements' key": withKey(anchor, nil),
		"Ed25519 anchor key":            withAnchorKey(ownOrigin, spki(t, keys(t)["ed25519"]), nil),
		"anchored in itself":            withAnchorKey(ownOrigin, p256(t), map[string]int64{ownOrigin: 0}),
		"unknown anchor key retired":    func(g *Gateway) (*Gateway, error) { return g.RetireAnchorKey(ownOrigin, p256(t), nil) },
		"own log's key as statements'": func(g *Gateway) (*Gateway, error) {
			l, _ := g.OwnLog(ownOrigin)
			der, err := l.SPKI()
			if err != nil {
				t.Fatal(err)
			}
			return g.WithKey(der, nil)
		},
	} {
		if changed, err := s(g); err == nil || changed != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if same, err := g.AnchorFromStart(ownOrigin, anchor, "a.example"); err != nil || same != g {
		t.Errorf("a key without a range has changed: %v", err)
	}
}

func TestParseOwnLogsRefuses(t *testing.T) {
	key, _ := ownKey(t, ownOrigin)
	g := change(t, &Gateway{}, withOwnLog(ownOrigin, key), withAnchorKey(ownOrigin, p256(t), map[string]int64{"a.example": 3}))
	b, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	at := strings.Index(good, `"ownLogs": [`) + len(`"ownLogs": [`)
	ownLog := strings.TrimSpace(good[at:strings.LastIndex(good, "]")])
	anchor := strings.Index(good, `"anchorKeys": [`) + len(`"anchorKeys": [`)
	anchorKey := strings.TrimSpace(good[anchor:strings.LastIndex(good, "\n      ]")])
	for name, bad := range map[string]string{
		"unknown field":         strings.Replace(good, `"anchorKeys"`, `"more": 1, "anchorKeys"`, 1),
		"field elsewhere":       strings.Replace(good, `"ownLogs"`, `"anchorKeys": [], "ownLogs"`, 1),
		"member twice":          strings.Replace(good, `"ownLogs"`, `"ownLogs": [], "ownLogs"`, 1),
		"another case":          strings.Replace(good, `"ownLogs"`, `"ownlogs"`, 1),
		"log twice":             strings.Replace(good, ownLog, ownLog+","+ownLog, 1),
		"anchor key twice":      strings.Replace(good, anchorKey, anchorKey+","+anchorKey, 1),
		"no origin":             strings.Replace(good, `"origin": "`+ownOrigin+`"`, `"origin": ""`, 1),
		"another origin":        strings.Replace(good, `"origin": "`+ownOrigin+`"`, `"origin": "gateway.example"`, 1),
		"no key":                strings.Replace(good, key, "", 1),
		"key of other bits":     strings.Replace(good, key[len(key)-4:], "AAA=", 1),
		"line break in the key": strings.Replace(good, key, key[:len(key)-8]+"\\n"+key[len(key)-8:], 1),
		"secret key":            strings.Replace(good, key, "PRIVATE+KEY+"+key, 1),
		"empty range":           strings.Replace(good, `"from": 3`, `"from": 3, "to": 2`, 1),
		"own as log":            strings.Replace(good, "a.example", ownOrigin, 1),
		"no anchor":             strings.Replace(good, `"spki": "`, `"spki": "AA`, 1),
		"Ed25519 anchor":        strings.Replace(good, anchorKey, `{"spki": "`+base64.StdEncoding.EncodeToString(spki(t, keys(t)["ed25519"]))+`", "logs": []}`, 1),
	} {
		if bad == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if g, err := ParseGateway([]byte(bad)); err == nil || g != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if again, err := ParseGateway(b); err != nil {
		t.Error(err)
	} else if b2, err := again.Marshal(); err != nil || string(b2) != good {
		t.Errorf("written again as %s, %v", b2, err)
	}
}

// TestNoOwnLogsInFile: a file without own logs is one that older programs read.
func TestNoOwnLogsInFile(t *testing.T) {
	b, err := change(t, &Gateway{}, withKey(p256(t), nil)).Marshal()
	if err != nil || strings.Contains(string(b), "ownLogs") {
		t.Errorf("%s, %v", b, err)
	}
}

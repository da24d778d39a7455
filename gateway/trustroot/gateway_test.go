// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestGatewayRotation(t *testing.T) {
	both := keys(t)
	first, second := spki(t, both["p256"]), spki(t, both["ed25519"])
	g, err := NewGateway()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() (*Gateway, error){
		func() (*Gateway, error) { return g.WithKey(first, map[string]int64{"a.example": 0}) },
		func() (*Gateway, error) { return g.WithKey(first, map[string]int64{"a.example": 50, "b.example": 7}) },
		func() (*Gateway, error) { return g.Retire(first, map[string]int64{"a.example": 99}) },
		func() (*Gateway, error) { return g.Retire(first, map[string]int64{"a.example": 999}) },
		func() (*Gateway, error) { return g.WithKey(second, map[string]int64{"a.example": 90}) },
	} {
		if g, err = step(); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "gateway_trust.json")
	if err := g.Write(path); err != nil {
		t.Fatal(err)
	}
	if g, err = LoadGateway(path); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		spki   []byte
		origin string
		index  int64
		want   bool
	}{
		{first, "a.example", 0, true}, {first, "a.example", 99, true}, {first, "a.example", 100, false},
		{first, "b.example", 6, false}, {first, "b.example", 1 << 40, true}, {first, "c.example", 1, false},
		{second, "a.example", 89, false}, {second, "a.example", 90, true},
	} {
		k, ok := g.Key(c.spki)
		if !ok || k.Covers(c.origin, c.index) != c.want {
			t.Errorf("index %d of %s: covered %v, want %v", c.index, c.origin, !c.want, c.want)
		}
	}
	if _, err := g.Retire([]byte("x"), nil); err == nil {
		t.Error("a key that is not there was retired")
	}
	if n := len(g.IDs()); n != 2 {
		t.Errorf("%d identities, want 2", n)
	}
}

func TestParseGatewayRefuses(t *testing.T) {
	g, err := NewGateway(GatewayKey{SPKI: spki(t, keys(t)["p256"]), Logs: []LogRange{{Origin: "a.example", From: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	key := good[strings.Index(good, "{\n      \"spki\""):strings.LastIndex(good, "\n  ]")]
	for name, bad := range map[string]string{
		"empty":            "",
		"other media type": strings.Replace(good, "trust.v1", "trust.v2", 1),
		"unknown field":    strings.Replace(good, `"keys"`, `"more": 1, "keys"`, 1),
		"trailing data":    good + "{}",
		"no key":           strings.Replace(good, `"spki": "`, `"spki": "AA`, 1),
		"no origin":        strings.Replace(good, "a.example", "", 1),
		"negative index":   strings.Replace(good, `"from": 3`, `"from": -3`, 1),
		"empty range":      strings.Replace(good, `"from": 3`, `"from": 3, "to": 2`, 1),
		"key twice":        strings.Replace(good, key, key+","+key, 1),
		"log twice":        strings.Replace(good, `"logs": [`, `"logs": [{"origin": "a.example", "from": 1},`, 1),
		"member twice":     strings.Replace(good, `"from": 3`, `"from": 3, "to": 5, "to": null`, 1),
		"keys twice":       strings.Replace(good, `"keys": [`, `"keys": [], "keys": [`, 1),
		"another case":     strings.Replace(good, `"from": 3`, `"From": 3`, 1),
		"folded letter":    strings.Replace(good, `"spki"`, `"\u017fpki"`, 1),
		"deep":             strings.Replace(good, `"keys": [`, `"keys": [`+strings.Repeat("[", 1000), 1),
		"too large":        strings.Repeat(" ", MaxSize) + good,
	} {
		if bad == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if g, err := ParseGateway([]byte(bad)); err == nil || g != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package trustroot

import "testing"

// FromStart changes one range of one key, and nothing where it begins at the start already.
func TestFromStart(t *testing.T) {
	all := keys(t)
	mine, other := spki(t, all["p256"]), spki(t, all["ed25519"])
	last := int64(90)
	ranges := func() []LogRange { return []LogRange{{Origin: "a", From: 7, To: &last}, {Origin: "b", From: 8}} }
	g, err := NewGateway(GatewayKey{SPKI: mine, Logs: ranges()}, GatewayKey{SPKI: other, Logs: ranges()})
	if err != nil {
		t.Fatal(err)
	}
	changed, err := g.FromStart(mine, "b")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		g      *Gateway
		spki   []byte
		origin string
		want   bool // index 0 counts
	}{{changed, mine, "b", true}, {changed, mine, "a", false}, {changed, other, "b", false}, {g, mine, "b", false}} {
		if k, _ := c.g.Key(c.spki); k.Covers(c.origin, 0) != c.want {
			t.Errorf("%+v", c)
		}
	}
	for _, origin := range []string{"b", "none"} {
		if again, err := changed.FromStart(mine, origin); err != nil || again != changed {
			t.Errorf("%s: changed again: %v", origin, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"encoding/hex"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

func dedupForm() gateway.DedupForm {
	return gateway.DedupForm{
		Way: gateway.Direct, Logs: []string{"a", "b"}, Embedded: true, Container: "sha256:00", Form: []byte{1, 2}, Findings: []string{"X"},
	}
}

// TestDedupKeysAreFrozen: rows have these keys.
func TestDedupKeysAreFrozen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		got  gateway.SubmissionKey
		want string
	}{
		"now":            {gateway.DedupKey([32]byte{7}, dedupForm()), "121290f7130c26c99ef88073481361eb52ddd233f4de8ace7645b61375d84911"},
		"without a form": {gateway.DedupKey([32]byte{7}, gateway.DedupForm{Way: gateway.Direct, Logs: []string{"a"}}), "2adecfeccbdfc826a20ac2783c15c240cc1f8aa877e87e2574ab9b8e90854c81"},
		"any of logs":    {gateway.DedupKey([32]byte{7}, gateway.DedupForm{Way: gateway.Direct, Logs: []string{"a", "b"}, AnyOf: 1}), "df86a34d72d9868fcd5a5499fdd94bb0efa13a30c107e7d8317e28583faf6773"},
		"one needed":     {gateway.DedupKey([32]byte{7}, gateway.DedupForm{Way: gateway.Direct, Logs: []string{"a", "b"}, Need: 1}), "68fe4f9c7ac29f92fb3713941b5ae68551002ed6ddac5a4756d90b32e0088742"},
		"before":         {gateway.FormerDedupKey([32]byte{7}, dedupForm()), "6d9a9da920d0b9c87ab4c088086a3bf82a7170c6e4c814cad64d60f63c007c2f"},
	} {
		if got := hex.EncodeToString(c.got[:]); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestDedupKeyTellsFormsApart: each part of the form makes another submission; releases before left out
// what the receipt shows of the signature file and of the keys.
func TestDedupKeyTellsFormsApart(t *testing.T) {
	t.Parallel()
	core := [32]byte{7}
	key, former := gateway.DedupKey(core, dedupForm()), gateway.FormerDedupKey(core, dedupForm())
	for name, change := range map[string]func(*gateway.DedupForm){
		"way": func(f *gateway.DedupForm) { f.Way = "" }, "logs": func(f *gateway.DedupForm) { f.Logs = f.Logs[:1] },
		"embedded": func(f *gateway.DedupForm) { f.Embedded = false }, "container": func(f *gateway.DedupForm) { f.Container = "" },
		"form": func(f *gateway.DedupForm) { f.Form = nil }, "findings": func(f *gateway.DedupForm) { f.Findings = nil },
		"keys": func(f *gateway.DedupForm) { f.Keys = []byte{3} }, "any one of the logs": func(f *gateway.DedupForm) { f.AnyOf = 1 },
		"needed number": func(f *gateway.DedupForm) { f.Need = 1 },
	} {
		f := dedupForm()
		change(&f)
		if gateway.DedupKey(core, f) == key {
			t.Errorf("another %s, and the same key", name)
		}
		if same := gateway.FormerDedupKey(core, f) == former; same != (name == "form" || name == "keys" || name == "needed number") {
			t.Errorf("another %s: the former key is the same: %v", name, same)
		}
	}
	if gateway.DedupKey([32]byte{8}, dedupForm()) == key || key == former {
		t.Error("another core or release, and the same key")
	}
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"
)

// TestFacade: a log for clients of Rekor v1 needs a host and keys of its own, and a log of Rekor v2 that it is over.
func TestFacade(t *testing.T) {
	const logs = `
trusted_root: root.json
store: {sqlite: {path: store.db}}
attestation: {key: a.key, create_key: true, gateway_trust: trust.json}
logs:
  - {id: main, origin: log.example, grpc_url: "https://log.example", read_url: "https://log.example"}
`
	for name, test := range map[string]struct{ text, says string }{
		"whole":            {"rekor_api: {v1: main, facade: {host: rekor.example, key: f.key, anchor_key: g.key, former_keys: [e.key]}}", ""},
		"no host":          {"rekor_api: {v1: main}", "rekor_api.facade.host is missing"},
		"a path":           {"rekor_api: {v1: main, facade: {host: rekor.example/v1, key: f.key, anchor_key: g.key}}", "no name of a host"},
		"no keys":          {"rekor_api: {v1: main, facade: {host: rekor.example, create_keys: true}}", "rekor_api.facade.key and rekor_api.facade.anchor_key are needed"},
		"one key for both": {"rekor_api: {v1: main, facade: {host: rekor.example, key: f.key, anchor_key: f.key}}", "f.key is there twice"},
		"the statements'":  {"rekor_api: {v1: main, facade: {host: rekor.example, key: a.key, anchor_key: g.key}}", "a.key is there twice"},
		"the former key":   {"rekor_api: {v1: main, facade: {host: rekor.example, key: f.key, anchor_key: g.key, former_keys: [f.key]}}", "f.key is there twice"},
		"without v1":       {"rekor_api: {v2: main, facade: {host: rekor.example}}", "goes with a log of Rekor v2 as rekor_api.v1"},
		"no such log":      {"rekor_api: {v1: other}", `rekor_api.v1: there is no log "other"`},
	} {
		_, err := Parse([]byte(logs + test.text))
		switch {
		case test.says == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
	if _, err := Parse([]byte(strings.ReplaceAll(logs, "id: main", "id: facade-1"))); err == nil {
		t.Error("a log has the id of a facade's tree")
	}
}

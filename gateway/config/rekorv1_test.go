// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"
	"testing"
)

const v1Log = `
  - {id: v1, kind: rekor-v1, origin: "rekor.example.com - 1193050959916656506", url: "https://rekor.example.com", former: [{origin: "rekor.example.com - 2605736670972794746", closed: true}]}
`

func TestRekorV1(t *testing.T) {
	c, err := load(t, strings.TrimSuffix(minimal, "\n")+v1Log)
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Logs[1]; !l.IsRekorV1() || l.URL != "https://rekor.example.com" || l.GRPCURL != "" || len(l.Former) != 1 || !l.Former[0].Closed || l.InFlight != 16 {
		t.Errorf("%+v", l)
	}
	if l := c.Logs[0]; l.IsRekorV1() || l.Kind != KindRekorV2 || l.InFlight != 0 {
		t.Errorf("%+v", l)
	}
	if c, err := load(t, strings.TrimSuffix(minimal, "\n")+strings.Replace(v1Log, "kind", "in_flight: auto, kind", 1)); err != nil || c.Logs[1].InFlight != AutoInFlight {
		t.Errorf("auto: %+v, %v", c, err)
	}
	for bytes, want := range map[string]Size{"4GiB": DefaultInlineMax, "12MiB": 3 << 20} {
		c, err := load(t, strings.TrimSuffix(minimal, "\n")+v1Log+"\nlimits: {max_pending_bytes: "+bytes+"}\n")
		if err != nil || c.Logs[0].InlineMax != nil || *c.Logs[1].InlineMax != want {
			t.Errorf("of %s: %+v, %v", bytes, c, err)
		}
	}
	for name, test := range map[string]struct{ before, after, want string }{
		"unknown kind":       {"kind: rekor-v1", "kind: rekor-v3", `kind: "rekor-v3" is not one of rekor-v2, rekor-v1`},
		"no kind":            {"kind: rekor-v1, ", "", "is that of a tree of Rekor v1: set kind: rekor-v1"},
		"no tree":            {"com - 1193050959916656506", "com", "is not that of a tree of Rekor v1, which is HOST - TREE"},
		"a tree that isn't":  {"com - 1193050959916656506", "com - x", "is not that of a tree of Rekor v1"},
		"URL of Rekor v2":    {`url: "https://rekor.example.com"`, `grpc_url: "https://rekor.example.com"`, "a Rekor v1 log has one URL"},
		"no URL":             {`url: "https://rekor.example.com", `, "", "url: \"\" is not an http or https URL"},
		"former one's URL":   {"closed: true", "read_url: 'https://rekor.example.com'", "leave out read_url"},
		"former one no tree": {"com - 2605736670972794746", "com", "former[0]: the origin"},
		"failover":           {"\n", "\npolicy: {logs: {need: 1, mode: failover}}\n", "policy.logs.mode: with failover all logs of the list are of one kind"},
		"anchors": {"\n", "\nattestation: {key: key, gateway_trust: trust.json}\nown_log: {origin: gateway.example/own, key: own.key, anchor_key: anchor.key}\n",
			"own_log.logs.list: v1 is of Rekor v1, and anchors are recorded in logs of Rekor v2 alone"},
	} {
		changed := v1Log
		if test.before == "\n" {
			changed += test.after
		} else {
			changed = strings.Replace(v1Log, test.before, test.after, 1)
		}
		if _, err := load(t, strings.TrimSuffix(minimal, "\n")+changed); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	const clients, one = "rekor_api: {v2: local}\n", "policies: {one: {logs: {need: 1}}}\n"
	for name, test := range map[string]struct{ more, want string }{
		"one of them":             {"policy: {logs: {need: 1}}\n" + clients, "policy.logs.need: with rekor_api.v2 an entry has to be in a log of Rekor v2"},
		"v1 alone":                {"policy: {logs: {list: [v1]}}\n" + clients, "policy.logs.need: with rekor_api.v2"},
		"a caller's":              {one + clients + "callers: [{name: a, tenant: a, token_sha256: [" + strings.Repeat("00", 32) + "], may: [submit], policy: one}]\n", "policies.one.logs.need: with rekor_api.v2"},
		"nobody's":                {one + clients, ""},
		"both":                    {clients, ""},
		"v1's, of another log":    {"rekor_api: {v1: other}\n", `rekor_api.v1: there is no log "other" in logs`},
		"v1's, of v2":             {"rekor_api: {v1: local}\n", "rekor_api.facade.host is missing"},
		"v1's, of both":           {"rekor_api: {v1: v1}\n", ""},
		"v1's, of v1 alone":       {"policy: {logs: {list: [v1]}}\nrekor_api: {v1: v1}\n", ""},
		"v1's, of one of them":    {"policy: {logs: {need: 1}}\nrekor_api: {v1: v1}\n", "policy.logs.need: with rekor_api.v1 an entry has to be in the log v1, and 1 of [local v1] may be without it"},
		"v1's, without v1":        {"policy: {logs: {list: [local]}}\nrekor_api: {v1: v1}\n", "policy.logs.list: with rekor_api.v1 an entry has to be in the log v1: list it"},
		"both's, each for one":    {"policy: {logs: {list: [local]}}\nrekor_api: {v1: v1, v2: local}\n", ""},
		"both's, for none":        {"policy: {logs: {need: 1}}\nrekor_api: {v1: v1, v2: local}\n", "policy.logs.need: with rekor_api.v1"},
		"without Rekor's clients": {"policy: {logs: {need: 1}}\n", ""},
	} {
		_, err := load(t, strings.TrimSuffix(minimal, "\n")+v1Log+test.more)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = load(t, strings.TrimSuffix(minimal, "\n")+v1Log+"attestation: {key: key, gateway_trust: trust.json}\nown_log: {origin: gateway.example/own, key: own.key, anchor_key: anchor.key, logs: {list: [local]}}\n")
	if err != nil {
		t.Errorf("anchors in Rekor v2 alone: %v", err)
	}
}

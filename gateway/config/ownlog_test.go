// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"strings"
	"testing"
)

const withOwnLog = minimal + "attestation: {key: key, gateway_trust: trust.json}\nown_log: {origin: gateway.example/own, key: own.key, anchor_key: anchor.key, closed: "

// Former own logs are named by their origins, each once, and never the log itself.
func TestClosedOwnLogs(t *testing.T) {
	c, err := load(t, withOwnLog+"[gateway.example/first, gateway.example/second]}")
	if err != nil || !slices.Equal(c.OwnLog.Closed, []string{"gateway.example/first", "gateway.example/second"}) {
		t.Fatalf("%v, %v", c, err)
	}
	for closed, want := range map[string]string{
		"[gateway.example/own]": "own_log.closed[0] is own_log.origin",
		"[a, b, a]":             "own_log.closed[2]: a is there twice",
		"['']":                  "own_log.closed[0] is no origin",
		"[a, 'b c']":            "own_log.closed[1] is no origin",
		"[a+b]":                 "own_log.closed[0] is no origin",
	} {
		if _, err := load(t, withOwnLog+closed+"}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", closed, err, want)
		}
	}
	if _, err := load(t, minimal+"own_log: {closed: [gateway.example/first]}"); err == nil || !strings.Contains(err.Error(), "own_log.origin is missing") {
		t.Errorf("without an own log: %v", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
	"testing"
)

const (
	witnessKey      = "witness.example.com/w1+7c007075+BGOCs8yIFBK3e/yu7QJgAcANnjAl5mwg9ufpLweYUUYq"
	ownLogAlone     = minimal + "attestation: {key: k, gateway_trust: trust.json}\nown_log:\n  origin: gateway.test/own\n  key: own\n  anchor_key: anchor\n"
	ownLogOfWitness = minimal + "attestation: {key: k, gateway_trust: trust.json}\nown_log:\n  origin: witness.example.com/w1\n  key: own\n  anchor_key: anchor\n"
)

// TestWitnesses: witnesses that could not be asked, or not be told from the log, are refused before anything starts.
func TestWitnesses(t *testing.T) {
	one := func(key, url string) string { return fmt.Sprintf("{key: %q, url: %q}", key, url) }
	good := one(witnessKey, "https://witness.example.com")
	for name, test := range map[string]struct{ text, want string }{
		"one":             {ownLogAlone + "  witnesses: [" + good + "]", ""},
		"on this machine": {ownLogAlone + "  witnesses: [" + one(witnessKey, "http://[::1]:7380/prefix") + "]", ""},
		"no own log":      {minimal + "own_log: {witnesses: [" + good + "]}", "own_log.origin is missing"},
		"no key":          {ownLogAlone + "  witnesses: [{url: https://witness.example.com}]", "witnesses[0].key: "},
		"another hash":    {ownLogAlone + "  witnesses: [" + one(strings.Replace(witnessKey, "+7c", "+7d", 1), "https://witness.example.com") + "]", "witnesses[0].key: "},
		"twice":           {ownLogAlone + "  witnesses: [" + good + ", " + good + "]", "witnesses[1].key is there twice"},
		"too many":        {ownLogAlone + "  witnesses: [" + strings.Repeat(good+", ", 9) + "]", "more than 8"},
		"the log's name":  {ownLogOfWitness + "  witnesses: [" + good + "]", "its name is the log's own"},
		"no URL":          {ownLogAlone + "  witnesses: [" + one(witnessKey, "") + "]", "witnesses[0].url is no https URL"},
		"http":            {ownLogAlone + "  witnesses: [" + one(witnessKey, "http://witness.example.com") + "]", "witnesses[0].url is no https URL"},
		"with a user":     {ownLogAlone + "  witnesses: [" + one(witnessKey, "https://a:b@witness.example.com") + "]", "witnesses[0].url is no https URL"},
		"with a query":    {ownLogAlone + "  witnesses: [" + one(witnessKey, "https://witness.example.com?x") + "]", "witnesses[0].url is no https URL"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.text)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

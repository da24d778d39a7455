// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func TestHistorical(t *testing.T) {
	date := time.Date(2005, 1, 31, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]struct {
		loaded formats.Historical
		json   string
	}{
		"":      {formats.Historical{}, "false"},
		"false": {formats.Historical{}, "false"},
		"true":  {formats.AllowAll(true), "true"},
		"{}":    {formats.Historical{}, "false"},
		"{allow: [SHA1, EXPIRED_KEY]}": {formats.Historical{Allow: formats.ExceptionSHA1 | formats.ExceptionExpiredKey},
			`{"Allow":["SHA1","EXPIRED_KEY"],"SignedBefore":"","LoggedBefore":""}`},
		`{allow: [DSA], signed_before: 2005-01-31, logged_before: "2005-01-31T00:00:00Z"}`: {
			formats.Historical{Allow: formats.ExceptionDSA, SignedBefore: date, LoggedBefore: date},
			`{"Allow":["DSA"],"SignedBefore":"2005-01-31","LoggedBefore":"2005-01-31T00:00:00Z"}`},
	} {
		c, err := Parse([]byte(minimal + "policy: {historical: " + text + "}"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		again, err := c.Marshal()
		if err == nil {
			c, err = Parse(again)
		}
		if err != nil {
			t.Errorf("%s, written and read again: %v", text, err)
			continue
		}
		if got, err := c.Policy.Historical.load(); err != nil || got != want.loaded {
			t.Errorf("%s is %+v: %v", text, got, err)
		}
		if raw, err := json.Marshal(c.Policy.Historical); err != nil || string(raw) != want.json {
			t.Errorf("%s in JSON: %s, %v", text, raw, err)
		}
	}
}

// Whoever mistypes an exception does not get another one, nor none in silence.
func TestHistoricalRefused(t *testing.T) {
	for text, want := range map[string]string{
		"yes please":                         "is not a mapping of allow",
		"[SHA1]":                             "is not a mapping of allow",
		"{alow: [SHA1]}":                     "alow",
		"{allow: SHA1}":                      "list of texts",
		"{allow: [sha1]}":                    `policy.historical.allow: there is no exception "sha1"`,
		"{allow: [MD5]}":                     "there is no exception",
		"{signed_before: 2005-01-01}":        "policy.historical.allow is missing",
		"{allow: [DSA], signed_before: y2k}": "policy.historical.signed_before",
		"{allow: [DSA], logged_before: 1}":   "policy.historical.logged_before",
	} {
		if _, err := Parse([]byte(minimal + "policy: {historical: " + text + "}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
)

// profiles are logs of others in one line each, by the value of Config.Profile. Of what those bear nobody has said: the rate leaves room for
// others behind the same address.
var profiles = map[string]struct {
	tuf string
	log Log
}{
	"sigstore-public-v2": {TUFSigstore, Log{ID: "sigstore", Operator: "sigstore.dev", Rate: 5, RateBurst: 10}},
	"sigstore-staging":   {TUFStaging, Log{ID: "sigstore-staging", Operator: "sigstore.dev", Rate: 5, RateBurst: 10}},
}

// profileV1 is one that there will be.
const profileV1 = "sigstore-public-v1"

// applyProfile has c be what its profile stands for.
func (c *Config) applyProfile() error {
	p, known := profiles[c.Profile]
	switch {
	case c.Profile == "":
		return nil
	case c.Profile == profileV1:
		return errors.New("profile: there is none for logs of Rekor API version 1, as sigstore-public-v1 would have; use sigstore-public-v2, or configure the log by hand, with kind: rekor-v1")
	case !known:
		return oneOf("profile", c.Profile, "sigstore-public-v2", "sigstore-staging")
	case c.TrustedRoot != "" || c.Source.IsSet():
		return fmt.Errorf("profile: %s says what trusted_root and source are; leave them out, or leave out profile", c.Profile)
	}
	c.Source.TUF = p.tuf
	if len(c.Logs) == 0 {
		c.Logs = []Log{p.log}
	}
	c.Profile = "" // it is written out now
	return nil
}

// DescribeSource says where a log comes from; "" is the configuration itself.
func (c *Config) DescribeSource(l *Log) string {
	switch {
	case !l.IsSourced():
		return ""
	case c.Source.TUF != "":
		return "TUF repository " + c.Source.TUF + describeOperator(l)
	}
	return "signing config " + c.Source.SigningConfig + describeOperator(l)
}

func describeOperator(l *Log) string {
	if l.Operator == "" {
		return ""
	}
	return ", operator " + l.Operator
}

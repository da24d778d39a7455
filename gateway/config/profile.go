// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"maps"
	"slices"
)

// profile is a log of others in one line.
type profile struct {
	tuf           string
	signingConfig string // the target; "" is Source's default
	log           Log
}

// profiles are those that there are, by the value of Config.Profile. Of what the logs bear nobody has said: the rate leaves room for others behind the same
// address. An entry in a log of Rekor v1 takes two requests.
var profiles = map[string]profile{
	"sigstore-public-v1": {TUFSigstore, "signing_config.v0.2.json", Log{ID: "sigstore-v1", Kind: KindRekorV1, Operator: "sigstore.dev", Rate: 2, RateBurst: 10}},
	"sigstore-public-v2": {TUFSigstore, "", Log{ID: "sigstore", Operator: "sigstore.dev", Rate: 5, RateBurst: 10}},
	"sigstore-staging":   {TUFStaging, "", Log{ID: "sigstore-staging", Operator: "sigstore.dev", Rate: 5, RateBurst: 10}},
}

// applyProfile has c be what its profile stands for.
func (c *Config) applyProfile() error {
	p, known := profiles[c.Profile]
	switch {
	case c.Profile == "":
		return nil
	case !known:
		return oneOf("profile", c.Profile, slices.Sorted(maps.Keys(profiles))...)
	case c.TrustedRoot != "" || c.Source.IsSet():
		return fmt.Errorf("profile: %s says what trusted_root and source are; leave them out, or leave out profile", c.Profile)
	}
	c.Source.TUF = p.tuf
	setDefault(&c.Source.TUFSigningConfig, p.signingConfig)
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

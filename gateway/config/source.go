// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
)

// Source is what knows logs, with their shards, that the configuration does not describe itself.
type Source struct {
	// SigningConfig is the file of a Sigstore signing config. The keys are in Config.TrustedRoot.
	SigningConfig string `yaml:"signing_config,omitempty"`
}

// IsSet reports whether there is a source.
func (s Source) IsSet() bool { return s != Source{} }

// IsSourced reports whether the log is one of the source, by its operator.
func (l *Log) IsSourced() bool { return l.Origin == "" }

// checkSource refuses a source that nothing comes from, and logs of a source that is not there.
func (c *Config) checkSource() error {
	seen, sourced := map[string]string{}, false
	for i := range c.Logs {
		l := &c.Logs[i]
		if !l.IsSourced() {
			if l.Operator != "" {
				return fmt.Errorf("logs[%d] (%s): operator is for logs of the source, which have no origin", i, l.ID)
			}
			continue
		}
		if other, twice := seen[l.Operator]; twice { // it would count as two of policy.logs.need, and be one
			return fmt.Errorf("logs[%d] (%s): the operator %q is that of %s: they are one log", i, l.ID, l.Operator, other)
		}
		seen[l.Operator], sourced = l.ID, true
	}
	if _, only := seen[""]; only && len(seen) > 1 {
		return errors.New("logs: each log of the source needs an operator where there are several")
	}
	if c.Source.IsSet() && !sourced {
		return errors.New("source: no log comes from it: leave out the origin and the URLs of one, or leave out source")
	}
	return nil
}

// checkSourced refuses what a log of the source does not say itself.
func (l *Log) checkSourced() error {
	if l.URL != "" || l.GRPCURL != "" || l.ReadURL != "" {
		return errors.New("the URLs of a log without an origin come from the source: give its origin, too, or leave them out")
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
)

// RekorAPI has Rekor's own routes served, for its clients.
type RekorAPI struct {
	// V1 is the ID of the log that is read by the routes of Rekor v1, and whose entries they answer with; "": there are none. Where it is one of Rekor v2,
	// they show Facade.
	V1     string `yaml:"v1,omitempty"`
	Facade Facade `yaml:"facade,omitempty"`
	// V2 is the ID of the log that is read by the routes of Rekor v2, and whose entries they answer with; "": there are none.
	V2 string `yaml:"v2,omitempty"`
	// ReadRate is how often a second the log V1, where it is one of Rekor v1, is read for clients, five times as often at once, or as often as one request may ask for.
	ReadRate float64 `yaml:"read_rate,omitempty"`
}

// DefaultReadRate is RekorAPI.ReadRate where it is not set: with what a public log is sent, it leaves room for others behind the same address.
const DefaultReadRate = 5

func (c *Config) checkReadRate() error {
	if r := c.RekorAPI.ReadRate; !(r >= 0.01 && r <= maxRate) { // NaN, too
		return fmt.Errorf("rekor_api.read_rate is not between 0.01 and %d reads a second", maxRate)
	}
	return nil
}

func (c *Config) checkRekorAPI() error {
	return errors.Join(c.checkLogOfRekor("rekor_api.v1", c.RekorAPI.V1, true), c.checkLogOfRekor("rekor_api.v2", c.RekorAPI.V2, false), c.checkFacade(), c.checkReadRate())
}

// checkLogOfRekor refuses an ID that is of no log, or of one of the other kind.
func (c *Config) checkLogOfRekor(key, id string, v1 bool) error {
	if id == "" {
		return nil
	}
	at := slices.IndexFunc(c.Logs, func(l Log) bool { return l.ID == id })
	switch {
	case at < 0:
		return fmt.Errorf("%s: there is no log %q in logs", key, id)
	case c.Logs[at].IsRekorV1() && !v1:
		return fmt.Errorf("%s: log %s is one of Rekor v1", key, id)
	}
	return nil
}

// checkRekorPolicies refuses policies of callers by which an entry may be logged and be in no log that the routes of Rekor could answer with: those of v2
// need any log of Rekor v2, those of v1 the one that they read. Where there are both, each caller has his own kind of client.
func (c *Config) checkRekorPolicies() error {
	if c.checkRekorAPI() != nil { // which says more
		return nil
	}
	names := []string{}
	for _, caller := range c.Callers {
		names = append(names, caller.Policy)
	}
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		set := c.ResolvedLogs(c.PolicyNamed(name).Logs)
		var refusals []error
		if c.RekorAPI.V1 != "" {
			refusals = append(refusals, c.checkForV1(set))
		}
		if c.RekorAPI.V2 != "" {
			refusals = append(refusals, c.checkForV2(set))
		}
		if len(refusals) > 0 && !slices.Contains(refusals, nil) {
			return fmt.Errorf("%s.%w", PolicyKey(name), refusals[0])
		}
	}
	return nil
}

// checkForV2 refuses logs as many of which as are needed may all be of Rekor v1. Errors begin with the key below the policy.
func (c *Config) checkForV2(set LogSet) error {
	if v1 := c.listRekorV1(set.List); len(v1) > 0 && set.Need <= len(v1) {
		return fmt.Errorf("logs.need: with rekor_api.v2 an entry has to be in a log of Rekor v2, and %d of the list may be of Rekor v1 alone, %v: set it to %d at least, or list a log of Rekor v2 in their place",
			set.Need, v1, len(v1)+1)
	}
	return nil
}

// checkForV1 refuses logs as many of which as are needed may be without the one that is read.
func (c *Config) checkForV1(set LogSet) error {
	switch id := c.RekorAPI.V1; {
	case !slices.Contains(set.List, id):
		return fmt.Errorf("logs.list: with rekor_api.v1 an entry has to be in the log %s: list it", id)
	case set.Need < len(set.List):
		return fmt.Errorf("logs.need: with rekor_api.v1 an entry has to be in the log %s, and %d of %v may be without it: set it to %d, or list fewer", id, set.Need, set.List, len(set.List))
	}
	return nil
}

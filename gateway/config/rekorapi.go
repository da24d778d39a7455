// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
)

// RekorAPI has Rekor's own routes served, for its clients.
type RekorAPI struct {
	// V2 is the ID of the log that is read by the routes of Rekor v2, and whose entries they answer with; "": there are none.
	V2 string `yaml:"v2,omitempty"`
}

func (c *Config) checkRekorAPI() error {
	id := c.RekorAPI.V2
	if id == "" {
		return nil
	}
	at := slices.IndexFunc(c.Logs, func(l Log) bool { return l.ID == id })
	switch {
	case at < 0:
		return fmt.Errorf("rekor_api.v2: there is no log %q in logs", id)
	case c.Logs[at].IsRekorV1():
		return fmt.Errorf("rekor_api.v2: log %s is one of Rekor v1", id)
	}
	return nil
}

// checkRekorPolicies refuses policies of callers by which an entry may be logged and be in no log of Rekor v2: Rekor v2's routes would have no answer.
func (c *Config) checkRekorPolicies() error {
	if c.RekorAPI.V2 == "" {
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
		if v1 := c.listRekorV1(set.List); len(v1) > 0 && set.Need <= len(v1) {
			return fmt.Errorf("%s.logs.need: with rekor_api.v2 an entry has to be in a log of Rekor v2, and %d of the list may be of Rekor v1 alone, %v: set it to %d at least, or list a log of Rekor v2 in their place",
				PolicyKey(name), set.Need, v1, len(v1)+1)
		}
	}
	return nil
}

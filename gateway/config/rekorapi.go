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

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// LogSet is in which logs submissions are recorded.
type LogSet struct {
	List []string `yaml:"list,omitempty"` // IDs of logs, the preferred ones first; none is all
	Need int      `yaml:"need,omitempty"` // how many must have a submission; 0 is all of List
	Mode string   `yaml:"mode,omitempty"` // ModeAll or ModeFailover; "" is ModeAll
	// FailoverAfter is for how long a log is unusable before what waits for it goes to others; 0 is DefaultFailoverAfter.
	FailoverAfter time.Duration `yaml:"failover_after,omitempty"`
}

// The values of LogSet.Mode.
const (
	ModeAll      = "all"      // a submission goes to every log of the list
	ModeFailover = "failover" // to as many as are needed, the first that can be used
)

// DefaultFailoverAfter is LogSet.FailoverAfter where it is not set.
const DefaultFailoverAfter = time.Minute

// ResolvedLogs returns Policy.Logs with its defaults, which depend on Logs.
func (c *Config) ResolvedLogs() LogSet {
	s := c.Policy.Logs
	if len(s.List) == 0 {
		s.List = nil
		for _, l := range c.Logs {
			s.List = append(s.List, l.ID)
		}
	}
	if s.Need == 0 {
		s.Need = len(s.List)
	}
	if s.Mode == "" {
		s.Mode = ModeAll
	}
	if s.FailoverAfter == 0 {
		s.FailoverAfter = DefaultFailoverAfter
	}
	return s
}

const (
	minFailoverAfter = time.Second
	maxFailoverAfter = 24 * time.Hour
)

func (c *Config) checkLogSet() error {
	var known []string
	for _, l := range c.Logs {
		known = append(known, l.ID)
	}
	for i, id := range c.Policy.Logs.List {
		if err := oneOf(fmt.Sprintf("policy.logs.list[%d]", i), id, known...); err != nil {
			return fmt.Errorf("%w: name logs by their id", err)
		}
		if slices.Contains(c.Policy.Logs.List[:i], id) {
			return fmt.Errorf("policy.logs.list[%d]: %q is there twice", i, id)
		}
	}
	s := c.ResolvedLogs()
	if s.Need < 1 || s.Need > len(s.List) {
		return fmt.Errorf("policy.logs.need is not between 1 and the %d logs of the list", len(s.List))
	}
	if err := oneOf("policy.logs.mode", s.Mode, ModeAll, ModeFailover); err != nil {
		return err
	}
	if s.Mode == ModeFailover && s.Need == len(s.List) {
		return fmt.Errorf("policy.logs.mode: with failover fewer logs are needed than the %d of the list: set need", len(s.List))
	}
	if s.Mode != ModeFailover && c.Policy.Logs.FailoverAfter != 0 {
		return errors.New("policy.logs.failover_after is for mode: failover; leave it out")
	}
	if s.FailoverAfter < minFailoverAfter || s.FailoverAfter > maxFailoverAfter {
		return errors.New(`policy.logs.failover_after is not between 1s and 24h; write it as "1m"`)
	}
	return nil
}

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

// ResolvedLogs returns s with its defaults, which depend on Logs.
func (c *Config) ResolvedLogs(s LogSet) LogSet {
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

// checkLogSet refuses logs that are not there, or that cannot do what they are to. Errors begin with the key below the policy.
func (c *Config) checkLogSet(set LogSet) error {
	var known []string
	for _, l := range c.Logs {
		known = append(known, l.ID)
	}
	for i, id := range set.List {
		if err := oneOf(fmt.Sprintf("logs.list[%d]", i), id, known...); err != nil {
			return fmt.Errorf("%w: name logs by their id", err)
		}
		if slices.Contains(set.List[:i], id) {
			return fmt.Errorf("logs.list[%d]: %q is there twice", i, id)
		}
	}
	s := c.ResolvedLogs(set)
	if s.Need < 1 || s.Need > len(s.List) {
		return fmt.Errorf("logs.need is not between 1 and the %d logs of the list", len(s.List))
	}
	if err := oneOf("logs.mode", s.Mode, ModeAll, ModeFailover); err != nil {
		return err
	}
	if s.Mode == ModeFailover && s.Need == len(s.List) {
		return fmt.Errorf("logs.mode: with failover fewer logs are needed than the %d of the list: set need", len(s.List))
	}
	if s.Mode != ModeFailover && set.FailoverAfter != 0 {
		return errors.New("logs.failover_after is for mode: failover; leave it out")
	}
	if s.FailoverAfter < minFailoverAfter || s.FailoverAfter > maxFailoverAfter {
		return errors.New(`logs.failover_after is not between 1s and 24h; write it as "1m"`)
	}
	return c.checkOneKind(s)
}

// RecordedLogs returns the IDs of the logs that submissions are recorded in, under one policy or another.
func (c *Config) RecordedLogs() (ids []string) {
	for _, name := range c.PolicyNames() {
		ids = append(ids, c.ResolvedLogs(c.PolicyNamed(name).Logs).List...)
	}
	return ids
}

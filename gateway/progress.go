// SPDX-License-Identifier: Apache-2.0

package gateway

import "slices"

// Progress is how far a submission is: all of it that changes and that callers are shown.
type Progress struct {
	ID      string // the submission's
	State   State
	Entries []EntryProgress // in the order of their roles
}

// EntryProgress is how far an entry is.
type EntryProgress struct {
	Log      string // its entry may be moved to another one
	State    State
	Problem  string
	Attempts int
	LogIndex *uint64 // set when Logged
	// Inclusion, where it is at hand, is that of an entry with LeafHash that the Log has at LogIndex now: another shard's, perhaps, so that
	// LeafHash says whether it is this entry's. No Store sets them.
	Inclusion *Inclusion
	LeafHash  LeafHash
}

// Progress returns how far s is.
func (s *Submission) Progress() Progress {
	p := Progress{ID: s.ID, State: s.State, Entries: make([]EntryProgress, len(s.Entries))}
	for i, e := range s.Entries {
		p.Entries[i] = EntryProgress{Log: e.Log, State: e.State, Problem: e.Problem, Attempts: e.Attempts, LogIndex: e.LogIndex}
	}
	return p
}

// Follow makes s as far as p says, which is of the same submission. What else changes of entries, leases and doubts, stays as it
// was. The entries are new ones: a copy of s keeps those that it has.
func (s *Submission) Follow(p Progress) {
	s.State, s.Entries = p.State, slices.Clone(s.Entries)
	for i, e := range p.Entries[:min(len(p.Entries), len(s.Entries))] {
		to := &s.Entries[i]
		to.Log, to.State, to.Problem, to.Attempts, to.LogIndex = e.Log, e.State, e.Problem, e.Attempts, e.LogIndex
	}
}

// IsNews reports whether p tells callers something that before does not: a state, a problem or another log.
func (p Progress) IsNews(before Progress) bool {
	return p.State != before.State || !slices.EqualFunc(p.Entries, before.Entries, func(a, b EntryProgress) bool {
		return a.Log == b.Log && a.State == b.State && a.Problem == b.Problem
	})
}

// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/planning"
)

// LogSet is in which logs submissions are recorded.
type LogSet struct {
	List []gateway.Recorder // at least one, the preferred ones first
	Need int                // how many must have a submission for it to be Logged
	// Failover: a submission goes to as many logs as are needed, and to others of the list only in their place. Else
	// it goes to all of the list.
	Failover bool
}

// AllOf is the set of logs all of which are needed.
func AllOf(logs ...gateway.Log) LogSet { return LogSet{List: ListRecorders(logs), Need: len(logs)} }

// ListRecorders returns logs by the side that intake needs.
func ListRecorders(logs []gateway.Log) []gateway.Recorder {
	list := make([]gateway.Recorder, len(logs))
	for i, l := range logs {
		list[i] = l
	}
	return list
}

// mayFailOver reports whether there is a log to spare.
func (s *LogSet) mayFailOver() bool { return s.Failover && s.Need < len(s.List) }

// target is a set of logs, with what plans for it.
type target struct {
	LogSet
	way     gateway.Way
	planner planning.Planner
	ids     []string // of the list, sorted

	takesWhole bool // one of them is a Rekor v1, or as that one, and has entries of Description.Whole
}

// Condition is what is known of a log when a submission comes in.
type Condition struct {
	Unusable bool // it cannot be used now
	Full     bool // so much waits for it that more would hold up the others
}

// chooseLogs returns the logs that a submission goes to now: with failover the first of the list that can be
// used, as many as are needed, and the first of the others where these are too few; else all, but for those that
// cannot be used and are full, as long as enough are left.
func (t *target) chooseLogs(conditionOf func(log string) Condition) []gateway.Recorder {
	var good, bad []gateway.Recorder
	for _, l := range t.List {
		c := Condition{}
		if conditionOf != nil {
			c = conditionOf(l.Describe().ID)
		}
		if c.Unusable && (t.mayFailOver() || c.Full) {
			bad = append(bad, l)
		} else {
			good = append(good, l)
		}
	}
	if missing := t.Need - len(good); missing > 0 {
		good = append(good, bad[:missing]...)
	}
	if t.mayFailOver() {
		good = good[:t.Need]
	}
	return good
}

// takeover returns the IDs of the logs that may take entries over from one another.
func (t *target) takeover() []string {
	if !t.mayFailOver() {
		return nil
	}
	return t.ids
}

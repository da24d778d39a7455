// SPDX-License-Identifier: Apache-2.0

package gateway

// State is how far an entry or a submission is. docs/architecture.md has the diagram.
type State string

const (
	// Pending: durable, not yet in the log.
	Pending State = "PENDING"
	// Partial: some of a submission's entries are logged. No entry is ever Partial.
	Partial State = "PARTIAL"
	// Logged: the entries needed are in their logs and their proofs are verified.
	Logged State = "LOGGED"
	// Failed: so many logs refused an entry for good that too few are left. Submitting again starts
	// it afresh.
	Failed State = "FAILED"
)

// Settled reports whether nothing more will happen to a submission in state s by itself.
func (s State) Settled() bool { return s == Logged || s == Failed }

// EntryState is what a submission's state depends on.
type EntryState struct {
	Log   string
	State State
}

// StateOf returns the state of a submission with these entries, of which all in any needed logs are
// needed. A log that refused one of its entries cannot be one of them.
func StateOf(entries []EntryState, needed int) State {
	type progress struct{ entries, logged, failed int }
	logs, anyLogged := map[string]progress{}, false
	for _, e := range entries {
		p := logs[e.Log]
		p.entries++
		switch e.State {
		case Logged:
			p.logged++
			anyLogged = true
		case Failed:
			p.failed++
		}
		logs[e.Log] = p
	}
	complete, possible := 0, 0
	for _, p := range logs {
		if p.failed == 0 {
			possible++
		}
		if p.logged == p.entries {
			complete++
		}
	}
	switch {
	case len(entries) > 0 && complete >= needed:
		return Logged
	case possible < needed:
		return Failed
	case anyLogged:
		return Partial
	}
	return Pending
}

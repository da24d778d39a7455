// SPDX-License-Identifier: Apache-2.0

package problem

import "github.com/rekor-gateway/rekor-gateway/gateway"

// entryMessages say in words why an entry is not logged yet, for each of the domain's problems.
var entryMessages = map[string]string{
	gateway.ProblemRefused:     "the log refused the entry",
	gateway.ProblemForbidden:   "the log does not let the gateway in; the entry waits until the gateway's operator has mended that",
	gateway.ProblemOverloaded:  "the log is overloaded; the entry will be sent again",
	gateway.ProblemUnavailable: "the log cannot be reached; the entry will be sent again",
	gateway.ProblemBadAnswer:   "the log's answer did not verify; the entry will be looked for in the log",
	gateway.ProblemFork:        "the log contradicts itself; nothing is submitted to it",
	gateway.ProblemUnknown:     "the log did not answer; the entry will be looked for in the log",
	gateway.ProblemStalled:     "the log includes nothing of what it is sent; the entry will be looked for in the log",
	gateway.ProblemRetired:     "the gateway's operator has retired the log; the entry was given up",
	gateway.ProblemUnreadable:  "the gateway cannot read the entry back from its store; its operator has to mend that",
}

// EntryMessage returns the words for an entry's problem.
func EntryMessage(problem string) string { return entryMessages[problem] }

// logMessages say in words why a log cannot be used now.
var logMessages = map[string]string{
	gateway.ProblemForbidden:   "the log does not let the gateway in",
	gateway.ProblemUnavailable: "the log cannot be reached",
	gateway.ProblemBadAnswer:   "what the log says does not verify by the key in the trusted root, or against what it said before",
	gateway.ProblemFork:        "the log contradicts itself; nothing is submitted to it",
	gateway.ProblemStalled:     "the log includes nothing of what it is sent",
	gateway.ProblemRetired:     "the log is retired: nothing is recorded in it",

	gateway.TroubleFormerShard:   "entries may have been logged in a former shard of the log, which cannot show it now; they wait for the gateway's operator",
	gateway.TroubleForgotten:     "the gateway's store is older than its own log: nothing more is recorded there until its operator has seen to it",
	gateway.TroubleContradicted:  "a witness of the own log says that it has cosigned what the gateway's store does not know: nothing is recorded there until its operator has seen to it",
	gateway.TroubleLate:          "the gateway's store was put back, or its database was restarted or taken over from: nothing is recorded in the own log until all that was sent before has to be in the logs with its anchors",
	gateway.TroubleOwnLog:        "the gateway's own log does not get on: the store, or a log with its anchors, cannot be used",
	gateway.TroubleClosing:       "the own log ends: what waits for it goes over to the one that takes over, once its last anchor is settled",
	gateway.TroubleClosed:        "another gateway on the store has closed this own log: this one needs the same configuration",
	gateway.TroubleNotConfigured: "entries are pending for a log that is not configured any more; they wait for the gateway's operator",
}

// LogMessage returns the words for a log's problem.
func LogMessage(problem string) string { return logMessages[problem] }

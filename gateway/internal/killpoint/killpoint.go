// SPDX-License-Identifier: Apache-2.0

// Package killpoint ends the process at named points, so that tests can show what a crash there
// leaves behind. Only a build with the tag "killpoints" has them; in a release build Reach does nothing.
package killpoint

// Point is a place in the way of a submission at which the process may end. A test kills the
// gateway at every one of them.
type Point string

// The kill points, in the order of a submission's way. To add one: declare it here with what a
// crash leaves and who repairs it, and call Reach(NAME) there.
const (
	// Accepted: the submission is committed and fsynced, and its caller has no answer. The caller
	// sends it again and gets the same submission; the worker of the next process logs it.
	Accepted Point = "accepted"
	// Claimed: entries are leased and marked in doubt with the log's size, and nothing is sent. The
	// leases run out; the next scanner looks for the entries in the log, and they are sent again once
	// their absence counts.
	Claimed Point = "claimed"
	// Answered: the log has included the entry, and its answer is lost with the process. The entry
	// is in doubt; the next scanner finds it in the log's entry bundles.
	Answered Point = "answered"
	// BeforeFinish: outcomes are known and not stored. Repaired as after Answered.
	BeforeFinish Point = "before-finish"
	// Finished: outcomes are stored and nobody was told. Waiters are gone with the process; whoever
	// asks next reads the stored state.
	Finished Point = "finished"
	// OwnSigned: a checkpoint of the gateway's own log is signed, by its key and the anchor key, and is nowhere but in this process. The
	// next one signs the checkpoint that there is then.
	OwnSigned Point = "own-signed"
	// OwnStored: the anchor is stored, and not sent. The next process sends that one, and signs no other before it has settled.
	OwnStored Point = "own-stored"
)

// Around is for the calls of a store and of a log, such as "store.Claim": it reaches the point "before store.Claim", and what it
// returns reaches "after store.Claim". Before a call nothing has happened yet. After it a store has durably
// changed, or a log has answered, and this process has died before it knew. Whatever the call is, the next
// process finds one of the states that the points above leave.
func Around(call string) (returned func()) {
	Reach(Point("before " + call))
	return func() { Reach(Point("after " + call)) }
}

// All returns every kill point that stands in the code by its name.
func All() []Point {
	return []Point{Accepted, Claimed, Answered, BeforeFinish, Finished, OwnSigned, OwnStored}
}

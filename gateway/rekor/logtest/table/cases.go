// SPDX-License-Identifier: Apache-2.0

package main

// The kinds of logs, in the order of a row's cells.
var kinds = [...]string{"Rekor v1", "Rekor v2", "tlog-proof", "own log"}

// cell says which tests show that a kind of log passes a case, or why there is no such case. A test is named by the end of its package's path, a space,
// and what its name begins with; each needs one that has passed.
type cell struct {
	tests []string
	why   string
}

// row is a case, with a cell for each kind.
type row struct {
	name  string
	cells [len(kinds)]cell
}

func by(tests ...string) cell { return cell{tests: tests} }
func never(why string) cell   { return cell{why: why} }

// Where the tests of a kind are.
const (
	v1    = "rekor/rekorv1 TestConformance/"
	v2    = "rekor/rekorv2 TestConformance/"
	stub  = "rekor/logtest TestProofLog/"
	own   = "ownlog TestConformance/"
	tiles = "rekor/tiles TestReadLimits/"
)

const (
	noServer  = "it is no server that is asked: what the log with its anchors answers is for that one's adapter to check"
	noPromise = "it signs no promise of an entry"
)

// rows are all cases. To add a kind of log, give each of them a cell.
var rows = []row{
	{"logged", [...]cell{by(v1 + "Logged"), by(v2 + "Logged"), by(stub + "Logged"), by(own + "logged")}},
	{"duplicate", [...]cell{by(v1 + "Duplicate"), by(v2 + "Duplicate"), by(stub + "Duplicate"), by("ownlog TestConformanceDuplicate")}},
	{"refused", [...]cell{by(v1 + "Fault/refused/"), by(v2 + "Fault/refused/"), by(stub + "Fault/refused/"), by(own+"refused", "ownlog TestConformanceDuplicate")}},
	{"timed out but logged", [...]cell{by(v1 + "Fault/doubtful/no_headers/applied=true"), by(v2 + "Fault/doubtful/hung/applied=true"), by(stub + "Fault/doubtful/hung/applied=true"), by(own + "timed_out_but_logged")}},
	{"false proof", [...]cell{by(v1 + "Fault/false_proof/"), by(v2 + "Fault/false_proof/"), by(stub + "Fault/false_proof/"), by(own + "false_answer")}},
	{"false checkpoint", [...]cell{by(v1 + "Fault/false_checkpoint/"), by(v2 + "Fault/false_checkpoint/"), by(stub + "Fault/false_checkpoint/"), by(own + "false_answer")}},
	{"false SET", [...]cell{by(v1 + "Fault/false_answer/false_promise/"), never(noPromise), never(noPromise), never(noPromise)}},
	{"someone else's entry", [...]cell{by(v1 + "Fault/other_entry/"), by(v2 + "Fault/other_entry/"), by(stub + "Fault/other_entry/"), by("ownlog TestForgottenAnchor/another_record", "ownlog TestForgottenAnchor/unknown")}},
	{"429", [...]cell{by(v1 + "Fault/overloaded/429"), by(v2+"Fault/overloaded/overloaded/", v2+"Fault/overloaded/status_ResourceExhausted/"), by(stub + "Fault/overloaded/"), by(own + "429")}},
	{"503", [...]cell{by(v1+"Fault/overloaded/503", v1+"Fault/doubtful/503"), by(v2+"Fault/overloaded/status_Unavailable/", v2+"Fault/doubtful/status_Unavailable/"), by(stub + "Fault/doubtful/503/"), by(own + "503")}},
	{"frozen", [...]cell{by(v1 + "Fault/not_taken/405"), by(v2+"Fault/not_taken/", "rekor/rekorv2 TestAddFrozen"), by(stub + "Fault/not_taken/"), by("ownlog TestConformanceFrozen")}},
	{"held", [...]cell{by("rekor/rekorv1 TestServerStalls"), by("rekor/rekorv2 TestAddDelayed"), never("it answers once it has included the entry: held is timed out"), by(own+"held", "ownlog TestLateAnchorComes")}},
	{"garbage", [...]cell{by(v1 + "Fault/false_answer/garbage/"), by(v2+"Fault/false_answer/no_proof/", v2+"Tiles/corrupted"), by(stub + "Fault/false_answer/garbage/"), never(noServer)}},
	{"slow headers", [...]cell{by(v1 + "Fault/doubtful/no_headers/"), by(v2+"Fault/doubtful/hung/", tiles+"no_answer"), by(stub + "Fault/doubtful/hung/"), never(noServer)}},
	{"slow body", [...]cell{by(v1 + "Fault/doubtful/slow_body/"), by(tiles + "slow_body"), by(stub + "Fault/doubtful/slow_body/"), never(noServer)}},
	{"endless body", [...]cell{by(v1 + "Fault/false_answer/endless_body/"), by(v2+"Fault/doubtful/huge/", tiles+"endless_body"), by(stub + "Fault/false_answer/endless_body/"), never(noServer)}},
	{"redirect", [...]cell{by(v1 + "Fault/doubtful/redirect/"), by(tiles + "redirect_to_another_host"), by(stub + "Fault/doubtful/redirect/"), never(noServer)}},
	{"key rotated", [...]cell{by("rekor/rekorv1 TestTreeChanged", "rekor/rekorv1 TestChange"), by("rekor/rekorv2 TestRekeyed", "rekor/rekorv2 TestNotTheSameTree"), never("another key is another shard: see there"), never("it has one key for ever; another key is another log: see there")}},
	{"shard ended", [...]cell{by(v1+"Former/", "rekor/rekorv1 TestRetired"), by(v2+"Former/", "rekor/rekorv2 TestCurrentShard"), by(stub + "Former/"), by("ownlog TestConformanceEnded")}},
}

// SPDX-License-Identifier: Apache-2.0

// Package logtest is the conformance run that every adapter behind gateway.Log passes, against a
// fake of the server it talks to.
package logtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// Suite is what an adapter brings to the run.
type Suite struct {
	// Start starts a fake server with an empty log of its own, which ends with the test.
	Start func(t testing.TB) Server
	// Faults are what the server can be made to do to a write. There is at least one of each
	// kind in Required; each is tried in both forms, "not logged" and "logged all the same", as far as both can be.
	Faults []Fault
	// Once: the log takes no entry twice, so that none can be in it twice.
	Once bool
}

// Server is a fake server. It is safe for concurrent use.
type Server interface {
	// Open returns the adapter's log over this server, as a process has it; closed when the
	// test ends. Patience bounds each of its requests; zero is the adapter's default. Former servers
	// are its former shards.
	Open(t testing.TB, store gateway.Checkpoints, patience time.Duration, former ...Former) gateway.Log
	// Verifier has the key of the log's checkpoints.
	Verifier() note.Verifier
	// CheckInclusion reports an inclusion that is not e's, or that does not verify with code
	// other than the adapter's.
	CheckInclusion(t testing.TB, got *gateway.Inclusion, e gateway.Prepared)

	// Append logs and publishes entries as if others had sent them.
	Append(entries ...[]byte)
	// Size is the published size.
	Size() uint64
	// Logged returns how often an entry is in the log.
	Logged(entry []byte) int
	// Requests returns how many writes were received, refused ones included.
	Requests() int

	// Fork changes the entry at index. From now on checkpoints and tiles are of the new history.
	Fork(index uint64)
	// BreakTiles makes all reads but those of checkpoints fail in one way.
	BreakTiles(Breakage)
}

// Former is a server that is a log's former shard.
type Former struct {
	Server
	Closed bool
}

// Breakage is how the server serves its tiles.
type Breakage string

// The ways in which tiles break.
const (
	Intact      Breakage = "intact"
	Unavailable Breakage = "unavailable"
	Corrupted   Breakage = "corrupted" // with one bit changed
	Truncated   Breakage = "truncated"
)

// Fault is something that the server does to one write.
type Fault struct {
	Name string
	Kind Kind
	// RetryAfter is what an Overloaded log asks for, as it is to come out of Add.
	RetryAfter time.Duration
	// OnlyApplied: the answer is wrong in just one way, which it would not be were the entry not in the log.
	OnlyApplied bool
	// Inject makes it happen to the server's next write; applied says whether the entry is
	// logged all the same.
	Inject func(s Server, applied bool)
}

// Kind says what a fault means, and so what Add answers.
type Kind string

// The kinds of faults.
const (
	Overloaded      Kind = "overloaded"       // busy: an *OverloadError
	Refused         Kind = "refused"          // never to be logged: ErrRefused
	Forbidden       Kind = "forbidden"        // by a log that does not let us in: ErrForbidden
	NotTaken        Kind = "not taken"        // by a log that takes no entries now: ErrNotSent
	Doubtful        Kind = "doubtful"         // no answer, or one that does not tell: none of the named errors
	FalseProof      Kind = "false proof"      // an inclusion that does not verify: ErrBadAnswer
	FalseCheckpoint Kind = "false checkpoint" // one that the log did not sign: ErrBadAnswer
	OtherEntry      Kind = "other entry"      // the inclusion of someone else's: ErrBadAnswer
	FalseAnswer     Kind = "false answer"     // any other that is not well-formed: ErrBadAnswer
	Unprovable      Kind = "unprovable"       // an answer whose checkpoint cannot be proven now: ErrUnavailable
)

// Required are the kinds that each server can do.
var Required = []Kind{Overloaded, Refused, Forbidden, Doubtful, FalseProof, FalseCheckpoint, OtherEntry}

// outcomes by kind, as OutcomeOf names them.
var outcomes = map[Kind]string{
	Refused: "refused", Forbidden: "forbidden", NotTaken: "not sent", Doubtful: "unknown", FalseProof: "bad answer",
	FalseCheckpoint: "bad answer", OtherEntry: "bad answer", FalseAnswer: "bad answer", Unprovable: "unavailable",
}

func (f Fault) wantOutcome() string {
	if f.Kind == Overloaded {
		return fmt.Sprint("overload ", f.RetryAfter)
	}
	return outcomes[f.Kind]
}

// OutcomeOf names which of the errors of gateway.Log err is, the one that decides where it is
// several: "ok", "overload DURATION", "fork", "refused", "forbidden", "not sent", "bad answer",
// "unavailable", or "unknown".
func OutcomeOf(err error) string {
	var overload *gateway.OverloadError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &overload):
		return fmt.Sprint("overload ", overload.RetryAfter)
	case errors.Is(err, gateway.ErrFork):
		return "fork"
	case errors.Is(err, gateway.ErrRefused):
		return "refused"
	case errors.Is(err, gateway.ErrForbidden):
		return "forbidden"
	case errors.Is(err, gateway.ErrNotSent):
		return "not sent"
	case errors.Is(err, gateway.ErrBadAnswer):
		return "bad answer"
	case errors.Is(err, gateway.ErrUnavailable):
		return "unavailable"
	default:
		return "unknown"
	}
}

// Run runs the conformance tests, each on a server of its own.
func Run(t *testing.T, s Suite) {
	for _, kind := range Required {
		if !slices.ContainsFunc(s.Faults, func(f Fault) bool { return f.Kind == kind }) {
			t.Errorf("the suite has no fault of kind %q", kind)
		}
	}
	for name, test := range map[string]func(*testing.T, Server){
		"Describe": testDescribe, "Logged": testLogged, "Duplicate": testDuplicate,
		"NotSent": testNotSent, "Damaged": testDamaged, "Find": func(t *testing.T, server Server) { testFind(t, server, s.Once) },
		"Fork/in a checkpoint": testForkInCheckpoint, "Fork/in an answer": testForkInAnswer, "Fork/of a whole tree": testForkOfWholeTree,
		"Fork/found meanwhile": testForkFoundMeanwhile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s.Start(t))
		})
	}
	for name, test := range map[string]func(t *testing.T, now, before Server){
		"Former/read": testFormerRead, "Former/not written": testFormerNotWritten, "Former/forked": testFormerForked, "Former/not configured": testNotConfigured,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, s.Start(t), s.Start(t))
		})
	}
	for how, want := range map[Breakage]string{Unavailable: "unavailable", Corrupted: "bad answer", Truncated: "bad answer"} {
		t.Run("Tiles/"+string(how), func(t *testing.T) {
			t.Parallel()
			testTiles(t, s.Start(t), how, want)
		})
	}
	for _, fault := range s.Faults {
		for _, applied := range []bool{false, true} {
			if fault.OnlyApplied && !applied {
				continue
			}
			name := fmt.Sprintf("Fault/%s/%s/applied=%t", fault.Kind, fault.Name, applied)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				CheckFault(t, s.Start(t), fault, applied)
			})
		}
	}
}

// Prepare makes an entry of a record, ready to be added.
func Prepare(t testing.TB, l gateway.Log, r hashedrekord.Record) gateway.Prepared {
	t.Helper()
	p, err := r.Projection()
	if err != nil {
		t.Fatal(err)
	}
	prepared, _, err := l.Prepare(gateway.Offer{Projection: &p, Certificate: len(r.Certificate) > 0})
	if err != nil {
		t.Fatalf("preparing: %v", err)
	}
	return prepared
}

// prepareSigned makes an entry that a new signer signed.
func prepareSigned(t testing.TB, l gateway.Log, message string) gateway.Prepared {
	t.Helper()
	return Prepare(t, l, rekortest.NewECDSASigner(t).Record(message))
}

// indexOf is where an inclusion says that the entry is.
func indexOf(i *gateway.Inclusion) uint64 { return i.Index }

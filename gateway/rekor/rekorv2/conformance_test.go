// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// server is a fake Rekor v2 log as the conformance run sees it.
type server struct{ *rekortest.Fake }

func (s server) Open(t testing.TB, store gateway.Checkpoints, patience time.Duration, former ...logtest.Former) gateway.Log {
	cfg := config(s)
	for _, f := range former {
		shard := shardOf(f.Server.(server))
		shard.GRPCURL, shard.Closed = "", f.Closed
		cfg.Shards = append(cfg.Shards, shard)
	}
	if patience != 0 {
		cfg.RequestTimeout, cfg.ReadTimeout = patience, patience
	}
	return open(t, cfg, store)
}

func (s server) CheckInclusion(t testing.TB, got *gateway.Inclusion, e gateway.Prepared) {
	t.Helper()
	checkInclusion(t, got, e, s.Verifier())
}

func (s server) BreakTiles(how logtest.Breakage) {
	switch how {
	case logtest.Unavailable:
		s.OnRead(rekortest.Unavailable("/tile/"))
	case logtest.Corrupted:
		s.OnRead(rekortest.Corrupted("/tile/"))
	case logtest.Truncated:
		s.OnRead(rekortest.Truncated("/tile/"))
	default:
		s.OnRead(nil)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	logtest.Run(t, logtest.Suite{
		Start:  func(t testing.TB) logtest.Server { return server{rekortest.StartFake(t)} },
		Faults: faults(t),
	})
}

// TestAddOtherHistory: an answer that is right in itself, under a checkpoint that the tiles do
// not lead to. Whether the log or the tiles' host lies cannot be told, so it is no fork.
func TestAddOtherHistory(t *testing.T) {
	other := rekortest.OtherHistory(0)
	logtest.CheckFault(t, server{rekortest.StartFake(t)}, fault(logtest.Unprovable, other), false) // no tile is that long
	logtest.CheckFault(t, server{rekortest.StartFake(t)}, fault(logtest.FalseAnswer, other), true)
}

func fault(kind logtest.Kind, f rekortest.Fault) logtest.Fault {
	return logtest.Fault{Name: f.Name, Kind: kind, Inject: func(s logtest.Server, applied bool) {
		this := f
		if applied {
			this = f.ButApplied()
		}
		s.(server).Inject(this)
	}}
}

// overloaded asks to come back after a time that Add shortens, where it is absurd.
func overloaded(f rekortest.Fault, want time.Duration) logtest.Fault {
	o := fault(logtest.Overloaded, f)
	o.RetryAfter = want
	return o
}

func faults(t *testing.T) []logtest.Fault {
	all := []logtest.Fault{
		overloaded(rekortest.Overloaded(1500*time.Millisecond), 1500*time.Millisecond),
		overloaded(rekortest.Overloaded(1e6*time.Hour), 10*time.Minute),
		overloaded(rekortest.PushedBack(), 0),
		overloaded(rekortest.Answered(codes.ResourceExhausted, "quota"), 0),
		fault(logtest.Refused, rekortest.Answered(codes.InvalidArgument, "invalid hashedrekord request")),
		fault(logtest.Forbidden, rekortest.Answered(codes.Unauthenticated, "no token")),
		fault(logtest.Forbidden, rekortest.Answered(codes.PermissionDenied, "not from there")),
		fault(logtest.NotTaken, rekortest.Answered(codes.Unimplemented, "log frozen")),
		fault(logtest.NotTaken, rekortest.Answered(codes.FailedPrecondition, "log frozen")),
		fault(logtest.FalseProof, rekortest.FalseProof()),
		fault(logtest.FalseCheckpoint, rekortest.FalseSignature()),
		fault(logtest.FalseCheckpoint, rekortest.OtherLog(t, "other.test")),
		fault(logtest.FalseCheckpoint, rekortest.OtherLog(t, rekortest.Origin)),
		fault(logtest.OtherEntry, rekortest.OtherEntry()),
		fault(logtest.OtherEntry, rekortest.DuplicateAt("0")),
		fault(logtest.FalseAnswer, rekortest.DuplicateAt("")),
		fault(logtest.FalseAnswer, rekortest.DuplicateAt("-1")),
		fault(logtest.Doubtful, rekortest.DuplicateAt("9223372036854775807")),
		fault(logtest.Doubtful, rekortest.Answered(codes.Unavailable, "connection reset")),
		fault(logtest.Doubtful, rekortest.Answered(codes.Internal, "internal server error")),
		fault(logtest.Doubtful, rekortest.Answered(codes.Unknown, "failed to integrate entry")),
		fault(logtest.Doubtful, rekortest.Answered(codes.DeadlineExceeded, "timeout")),
		fault(logtest.Doubtful, rekortest.Answered(codes.Canceled, "canceled")),
		fault(logtest.Doubtful, rekortest.Dropped()),
		fault(logtest.Doubtful, rekortest.Hung()),
		fault(logtest.Doubtful, rekortest.Tampered("huge", func(a *rekorpb.TransparencyLogEntry) {
			a.CanonicalizedBody = make([]byte, 2<<20)
		})),
	}
	for name, tamper := range map[string]func(*rekorpb.TransparencyLogEntry){
		"no proof":       func(a *rekorpb.TransparencyLogEntry) { a.InclusionProof = nil },
		"no checkpoint":  func(a *rekorpb.TransparencyLogEntry) { a.InclusionProof.Checkpoint = nil },
		"no body":        func(a *rekorpb.TransparencyLogEntry) { a.CanonicalizedBody = nil },
		"another id":     func(a *rekorpb.TransparencyLogEntry) { a.LogId.KeyId = make([]byte, 32) },
		"another kind":   func(a *rekorpb.TransparencyLogEntry) { a.KindVersion.Kind = "dsse" },
		"negative index": func(a *rekorpb.TransparencyLogEntry) { a.LogIndex, a.InclusionProof.LogIndex = -1, -1 },
		"two indexes":    func(a *rekorpb.TransparencyLogEntry) { a.LogIndex++ },
		"index past the end": func(a *rekorpb.TransparencyLogEntry) {
			a.LogIndex, a.InclusionProof.LogIndex = a.InclusionProof.TreeSize, a.InclusionProof.TreeSize
		},
		"another size": func(a *rekorpb.TransparencyLogEntry) { a.InclusionProof.TreeSize++ },
		"another root": func(a *rekorpb.TransparencyLogEntry) { a.InclusionProof.RootHash = make([]byte, 32) },
	} {
		all = append(all, fault(logtest.FalseAnswer, rekortest.Tampered(name, tamper)))
	}
	return all
}

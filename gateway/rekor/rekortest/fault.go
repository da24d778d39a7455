// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/transparency-dev/formats/log"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Fault is one failing write. By itself the entry is not logged; ButApplied makes a fault after
// which it is.
type Fault struct {
	Name    string
	applied bool
	// fail replaces the answer, when set.
	fail func(context.Context, *Fake) error
	// tamper makes another answer of the right one, when set.
	tamper func(*Fake, *rekorpb.TransparencyLogEntry) *rekorpb.TransparencyLogEntry
}

// Inject makes the next requests fail, one for each fault.
func (f *Fake) Inject(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, faults...)
}

// ButApplied returns the same failure of a request that was carried out.
func (fault Fault) ButApplied() Fault {
	fault.applied = true
	fault.Name += ", but applied"
	return fault
}

func (fault *Fault) runFault(ctx context.Context, f *Fake, body []byte) (*rekorpb.TransparencyLogEntry, error) {
	var answer *rekorpb.TransparencyLogEntry
	if fault.applied {
		var err error
		if answer, err = f.logEntry(ctx, body); err != nil {
			return nil, err
		}
	}
	if fault.fail != nil {
		if err := fault.fail(ctx, f); err != nil {
			return nil, err
		}
	}
	if answer == nil {
		answer = f.forgeAnswer(body)
	}
	if fault.tamper != nil {
		answer = fault.tamper(f, answer)
	}
	return answer, nil
}

// forgeAnswer returns an inclusion of a body that is not in the log, with the proof of another
// entry, so that no checkpoint contradicts it.
func (f *Fake) forgeAnswer(body []byte) *rekorpb.TransparencyLogEntry {
	size := f.Size()
	if size == 0 {
		f.t.Error("this fault needs an entry in the log")
		return nil
	}
	answer := f.buildAnswer(size-1, size)
	answer.CanonicalizedBody = body
	return answer
}

// Answered fails with a gRPC status.
func Answered(code codes.Code, message string) Fault {
	return Fault{Name: "status " + code.String(), fail: func(context.Context, *Fake) error {
		return status.Error(code, message)
	}}
}

// DuplicateAt says that the entry is at index already. An empty index is left out.
func DuplicateAt(index string) Fault {
	return Fault{Name: "duplicate at " + index, fail: func(ctx context.Context, _ *Fake) error {
		if index != "" {
			_ = grpc.SetHeader(ctx, metadata.Pairs("x-log-index", index))
		}
		return status.Error(codes.AlreadyExists, "an equivalent entry already exists")
	}}
}

// PushedBack is what the real server says when too many entries are under way.
func PushedBack() Fault { return Answered(codes.Unavailable, "reached max pushback; retry") }

// Overloaded asks to come back later.
func Overloaded(retryAfter time.Duration) Fault {
	s, err := status.New(codes.ResourceExhausted, "slow down").
		WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)})
	must(err)
	return Fault{Name: "overloaded", fail: func(context.Context, *Fake) error { return s.Err() }}
}

// Dropped cuts the connection in place of an answer.
func Dropped() Fault {
	return Fault{Name: "dropped", fail: func(_ context.Context, f *Fake) error {
		f.listener.cutConnections()
		return status.Error(codes.Unavailable, "connection lost")
	}}
}

// Hung gives no answer until the caller gives up.
func Hung() Fault {
	return Fault{Name: "hung", fail: func(ctx context.Context, _ *Fake) error {
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	}}
}

// Delayed gives the right answer, but late.
func Delayed(d time.Duration) Fault {
	return Fault{Name: "delayed", applied: true, fail: func(ctx context.Context, _ *Fake) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}}
}

// Tampered answers with whatever tamper makes of the answer.
func Tampered(name string, tamper func(*rekorpb.TransparencyLogEntry)) Fault {
	return Fault{Name: name, tamper: func(_ *Fake, answer *rekorpb.TransparencyLogEntry) *rekorpb.TransparencyLogEntry {
		tamper(answer)
		return answer
	}}
}

// FalseProof answers with an inclusion proof that leads nowhere.
func FalseProof() Fault {
	return Tampered("false proof", func(answer *rekorpb.TransparencyLogEntry) {
		p := answer.GetInclusionProof()
		if len(p.GetHashes()) == 0 {
			p.Hashes = append(p.GetHashes(), make([]byte, 32))
			return
		}
		p.Hashes[0] = bytes.Repeat([]byte{0xff}, 32)
	})
}

// FalseSignature answers with a checkpoint whose signature is broken.
func FalseSignature() Fault {
	return Tampered("false signature", func(answer *rekorpb.TransparencyLogEntry) {
		cp := answer.GetInclusionProof().GetCheckpoint()
		text := strings.TrimSuffix(cp.GetEnvelope(), "\n")
		end := len(text) - 8 // within the base64 of the signature
		flipped := byte('A')
		if text[end] == flipped {
			flipped = 'B'
		}
		cp.Envelope = text[:end] + string(flipped) + text[end+1:] + "\n"
	})
}

// OtherLog answers with a checkpoint of another log, right in itself.
func OtherLog(t testing.TB, origin string) Fault {
	t.Helper()
	signer, _, keyID := newLogKey(t, origin)
	return Tampered("another log", func(answer *rekorpb.TransparencyLogEntry) {
		p := answer.GetInclusionProof()
		p.Checkpoint.Envelope = string(signCheckpoint(signer, log.Checkpoint{
			Origin: origin, Size: uint64(p.GetTreeSize()), Hash: p.GetRootHash(),
		}))
		answer.LogId.KeyId = keyID
	})
}

// OtherEntry answers with the right inclusion of somebody else's entry, the first.
func OtherEntry() Fault {
	return Fault{Name: "another entry", tamper: func(f *Fake, _ *rekorpb.TransparencyLogEntry) *rekorpb.TransparencyLogEntry {
		return f.buildAnswer(0, f.Size())
	}}
}

// OtherHistory answers with an inclusion that is right in itself, under a signed checkpoint of
// a history in which the entry at index was another one. The tiles stay as they are.
func OtherHistory(index uint64) Fault {
	return Fault{Name: "another history", tamper: func(f *Fake, answer *rekorpb.TransparencyLogEntry) *rekorpb.TransparencyLogEntry {
		f.mu.Lock()
		defer f.mu.Unlock()
		twin := f.entries.cloneHistory()
		at := uint64(len(twin.bodies)) - 1
		if body := answer.GetCanonicalizedBody(); !bytes.Equal(twin.bodies[at], body) {
			at = twin.appendBody(body)
		}
		twin.replaceBody(index, forgeBody(twin.bodies[index]))
		return f.proveEntry(twin, at, at+1)
	}}
}

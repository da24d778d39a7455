// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"slices"
	"strings"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// promiseOf returns what Rekor v1 has signed of an entry.
func promiseOf(t *rekorpb.TransparencyLogEntry) trustroot.Promise {
	return trustroot.Promise{
		Body: t.GetCanonicalizedBody(), IntegratedTime: t.GetIntegratedTime(), LogIndex: t.GetLogIndex(),
		Signature: t.GetInclusionPromise().GetSignedEntryTimestamp(),
	}
}

// promiseTimes is the time by which trusted logs have promised, under their signatures, to have what is recorded. That the entries are records of
// this signature is checked by later steps, and so is that they are in the log, whose name the checkpoint has. A promise that does not verify is no
// time here, and is refused there; a time at which the log's key was not in use is none.
//
// A file of several signatures existed once the last of them did: it has the latest of the times of all that are recorded, and none where one of them
// was promised by nobody. A statement is over the whole file, so that the earliest promise of one counts.
type promiseTimes struct{ v *verification }

func (s promiseTimes) VerifiedTimes(r *receiptpb.Receipt) ([]VerifiedTime, error) {
	if !slices.ContainsFunc(r.GetEntries(), func(e *receiptpb.LogEntry) bool { return e.GetOwn() == nil }) {
		return nil, nil // own logs promise nothing
	}
	promised := map[string]*VerifiedTime{} // by the signature that is recorded; nil: nobody has promised it
	for _, e := range r.GetEntries() {
		record := recordKey(r, e)
		promised[record] = earlier(promised[record], s.findPromise(e))
	}
	return latest(promised), nil
}

// latest returns the latest time, and none where one of them is nil.
func latest(times map[string]*VerifiedTime) []VerifiedTime {
	var last *VerifiedTime
	for _, t := range times {
		if t == nil {
			return nil
		}
		if last == nil || t.T.After(last.T) {
			last = t
		}
	}
	if last == nil {
		return nil
	}
	return []VerifiedTime{*last}
}

// earlier returns the earlier one; nil is none.
func earlier(a, b *VerifiedTime) *VerifiedTime {
	if a == nil || b != nil && b.T.Before(a.T) {
		return b
	}
	return a
}

// findPromise returns the time at which a trusted log has promised an entry, or nil.
func (s promiseTimes) findPromise(e *receiptpb.LogEntry) *VerifiedTime {
	if e.GetOwn() != nil {
		return nil
	}
	t := logged(e)
	origin, _, _ := strings.Cut(t.GetInclusionProof().GetCheckpoint().GetEnvelope(), "\n")
	at := time.Unix(t.GetIntegratedTime(), 0).UTC()
	for _, l := range s.v.options.TrustedRoot.LogsOf(origin) {
		inUse := !at.Before(l.Start) && (l.End.IsZero() || !at.After(l.End))
		if inUse && l.IsRekorV1() && s.v.options.Memory.verifyPromise(l, promiseOf(t)) == nil {
			return &VerifiedTime{T: at, Word: "the promise of log " + l.Origin}
		}
	}
	return nil
}

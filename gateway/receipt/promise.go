// SPDX-License-Identifier: Apache-2.0

package receipt

import (
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

// promiseTimes are the times that trusted logs have promised under their signatures. That the entries are records of this signature is
// checked by later steps. A log of which the checkpoint or the promise does not verify says nothing here, and is refused there, and a time
// at which the log's key was not in use is none.
type promiseTimes struct{ v *verification }

func (s promiseTimes) VerifiedTimes(r *receiptpb.Receipt) ([]VerifiedTime, error) {
	var times []VerifiedTime
	for _, e := range r.GetEntries() {
		if e.GetOwn() != nil {
			continue
		}
		t := logged(e)
		l, _, err := openCheckpoint(s.v.options.TrustedRoot, s.v.options.Memory, t.GetInclusionProof().GetCheckpoint().GetEnvelope())
		if err != nil || !l.IsRekorV1() || l.VerifyPromise(promiseOf(t)) != nil {
			continue
		}
		at := time.Unix(t.GetIntegratedTime(), 0).UTC()
		if !at.Before(l.Start) && (l.End.IsZero() || !at.After(l.End)) {
			times = append(times, VerifiedTime{T: at, Word: "the promise of log " + l.Origin})
		}
	}
	return times, nil
}

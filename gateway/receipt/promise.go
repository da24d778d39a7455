// SPDX-License-Identifier: Apache-2.0

package receipt

import (
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

// promiseTimes are the times that trusted logs have promised under their signatures. That the entries are records of this signature is
// checked by later steps, and so is that they are in the log, whose name the checkpoint has. A promise that does not verify is no time here, and
// is refused there; a time at which the log's key was not in use is none.
type promiseTimes struct{ v *verification }

func (s promiseTimes) VerifiedTimes(r *receiptpb.Receipt) ([]VerifiedTime, error) {
	var times []VerifiedTime
	for _, e := range r.GetEntries() {
		if e.GetOwn() != nil {
			continue
		}
		t := logged(e)
		origin, _, _ := strings.Cut(t.GetInclusionProof().GetCheckpoint().GetEnvelope(), "\n")
		at := time.Unix(t.GetIntegratedTime(), 0).UTC()
		for _, l := range s.v.options.TrustedRoot.LogsOf(origin) {
			inUse := !at.Before(l.Start) && (l.End.IsZero() || !at.After(l.End))
			if inUse && l.IsRekorV1() && l.VerifyPromise(promiseOf(t)) == nil {
				times = append(times, VerifiedTime{T: at, Word: "the promise of log " + l.Origin})
			}
		}
	}
	return times, nil
}

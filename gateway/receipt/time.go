// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"errors"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// VerifiedTime says that a signature existed by T, on somebody's word that was verified. It is the only
// kind of time in a receipt that decides anything: an unsigned one says nothing.
type VerifiedTime struct {
	T    time.Time
	Word string // whose: "the gateway's statement"
}

// TimeSource finds verified times in a receipt: a timestamp's token, a log's promise. Whoever adds a
// source adds times that it has verified by keys of the reader's choice. A time that lies after the
// reader's own is dropped, since it says nothing.
type TimeSource interface {
	VerifiedTimes(r *receiptpb.Receipt) ([]VerifiedTime, error)
}

// findTimes collects the verified times that the sources find in the receipt, the earliest first. What a source cannot
// verify is no time; whether that refuses the receipt is for the later steps to say.
func (v *verification) findTimes(sources []TimeSource) error {
	for _, source := range sources {
		times, err := source.VerifiedTimes(v.receipt)
		if err != nil {
			return err
		}
		for _, t := range times {
			if !t.T.After(v.options.Now) {
				v.times = append(v.times, t)
			}
		}
	}
	slices.SortStableFunc(v.times, func(a, b VerifiedTime) int { return a.T.Compare(b.T) })
	return nil
}

// statementTimes are the times that trusted gateways have stated under their signatures. That each
// statement is about this receipt, logged, and by a key in use there, is checked by later steps.
type statementTimes struct{ v *verification }

func (s statementTimes) VerifiedTimes(r *receiptpb.Receipt) ([]VerifiedTime, error) {
	if r.GetRepresentation() != receiptpb.Receipt_ATTESTED || s.v.options.GatewayTrust == nil {
		return nil, nil
	}
	var times []VerifiedTime
	for _, e := range r.GetEntries() {
		payload, err := s.v.openStatement(e)
		if err != nil {
			return nil, err
		}
		stated, err := statement.Parse(payload)
		if err != nil {
			continue // a later step refuses it, and says why
		}
		if t, err := time.Parse(time.RFC3339Nano, stated.Predicate.VerifiedAt); err == nil {
			times = append(times, VerifiedTime{T: t, Word: "the gateway's statement"})
		}
	}
	return times, nil
}

// earliest returns the earliest verified time, or nil.
func (v *verification) earliest() *VerifiedTime {
	if len(v.times) == 0 {
		return nil
	}
	return &v.times[0]
}

// moment is a time at which a signature is judged, and who chose it.
type moment struct {
	at  time.Time
	why string // "now", "at the time you gave", "at TIME, by the gateway's statement"
}

// moments are the times at which a signature may be judged, in the order of trying: now, or the time
// of the reader's choice, and then every verified one. What is good at one of them is good.
func (v *verification) moments() []moment {
	all := []moment{{v.options.Now, "now"}}
	if !v.options.At.IsZero() {
		all[0] = moment{v.options.At, "at " + formatTime(v.options.At) + ", as you asked"}
	}
	for _, t := range v.times {
		all = append(all, moment{t.T, "at " + formatTime(t.T) + ", when it existed by " + t.Word})
	}
	return all
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// dependsOnTime reports whether err refuses a signature only for the time at which it was judged, so
// that another time may judge otherwise. A revocation is none of these: it counts whatever the time.
func dependsOnTime(err error) bool {
	var refusal *formats.Error
	if !errors.As(err, &refusal) {
		return false
	}
	return isOfTime(refusal.Reason)
}

// isOfTime reports whether r is about the time at which a signature was judged.
func isOfTime(r formats.Reason) bool {
	switch r {
	case formats.ReasonKeyExpired, formats.ReasonSignatureExpired, formats.ReasonMetadataExpired, formats.ReasonKeyNotValid:
		return true
	}
	return false
}

// hintOf returns what a reader can do about e: more than the format's own hint knows, where another time may
// judge otherwise. A key may be not valid for other reasons than time, so its own hint stays.
func hintOf(e *formats.Error) string {
	switch e.Reason {
	case formats.ReasonKeyExpired, formats.ReasonSignatureExpired, formats.ReasonMetadataExpired:
		return "no verified time says that it existed before; judge it at a time that you know it existed by with --at TIME"
	case formats.ReasonSignatureInFuture:
		return "it is judged at the time of --at, or else by this machine's clock: check that time, and the signer's clock"
	case formats.ReasonKeyRevoked:
		return "--at is no help here: a key that was replaced or retired is good only with a verified time before that, which an ATTESTED receipt has"
	}
	return e.Hint
}

// checkClaimedTime refuses a signature that claims to have been made after it is known to have existed.
func (v *verification) checkClaimedTime() error {
	claimed, known := v.description.ClaimedTime, v.earliest()
	if claimed == nil || known == nil || !claimed.After(known.T.Add(formats.ClockSkew)) {
		return nil
	}
	return refuse(ReasonSignatureInvalid, "the signature claims to be of "+formatTime(*claimed)+", and existed at "+
		formatTime(known.T)+" by "+known.Word+" ("+string(formats.ReasonSignatureInFuture)+")", "one of the two clocks was wrong; ask the signer")
}

// reportTime adds what is known of the time of signing.
func (v *verification) reportTime() {
	known := v.earliest()
	if known != nil {
		v.report.proven("time: existed by %s, by %s", formatTime(known.T), known.Word)
	}
	switch claimed := v.description.ClaimedTime; {
	case claimed == nil && known == nil:
		v.report.unproven("time: nobody says when it was signed")
	case claimed != nil:
		v.report.unproven("time: signer's claim only: signed at %s", formatTime(*claimed))
	}
	if v.judged.why != "now" {
		v.report.unproven("time: whether it was still good was judged %s", v.judged.why)
	}
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const hintHistorical = "accept known weaknesses with --allow-historical, if you must"

// refuseHistorical is for a signature that err refuses and that all exceptions, needed among them, would let pass.
func (v *verification) refuseHistorical(err error, needed formats.Exceptions) error {
	o := v.options.Historical
	if o.Allow == 0 {
		return wrap(err, ReasonHistoricalRefused, "the signature is good only under the historical policy", hintHistorical)
	}
	if missing := needed &^ o.Allow; missing != 0 {
		return wrap(err, ReasonHistoricalRefused, "the signature is good only under the historical policy, by "+missing.String()+" too", hintHistorical)
	}
	var e *formats.Error
	if o.SignedBefore.IsZero() || !errors.As(err, &e) {
		return signatureError(err)
	}
	return wrap(err, ReasonHistoricalRefused, e.Message, "ask for a later date with --signed-before, or leave it out, if you must")
}

// exceptionsOfTime are the exceptions behind the weaknesses that come and go with time.
var exceptionsOfTime = map[formats.Reason]formats.Exceptions{
	formats.ReasonKeyExpired:      formats.ExceptionExpiredKey,
	formats.ReasonMetadataExpired: formats.ExceptionExpiredMetadata,
}

// checkAllowed refuses a weakness that the gateway found and the reader does not let pass. Those that came out here
// have been judged with the signature; what had expired for the gateway need not have here.
func (v *verification) checkAllowed() error {
	findings := v.receipt.GetFindings()
	allow := v.options.Historical.Allow
	if len(findings) > 0 && allow == 0 {
		return refuse(ReasonHistoricalRefused, "the gateway let a weakness pass under its historical policy", hintHistorical)
	}
	for _, f := range findings {
		reason := formats.Reason(f.GetReason())
		if needed := exceptionsOfTime[reason]; isOfTime(reason) && !allow.Has(needed) {
			return refuse(ReasonHistoricalRefused, "the gateway let a weakness pass under its historical policy, by "+needed.String(), hintHistorical)
		}
	}
	return nil
}

// reportAge says who says that a signature which passed for its age is that old.
func (v *verification) reportAge() {
	before := v.options.Historical.SignedBefore
	if before.IsZero() || len(v.description.Findings) == 0 {
		return
	}
	when := before.UTC().Format(time.RFC3339)
	if known := v.earliest(); known != nil && known.T.Before(before) {
		v.report.proven("signed before %s: it existed by %s", when, known.T.UTC().Format(time.RFC3339))
		return
	}
	v.report.unproven("signed before %s: signer's claim only", when)
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"fmt"
	"strings"
	"time"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// WitnessPolicy says which witnesses the reader trusts to have seen a log grow, and only grow, and how many have to have cosigned. It is safe
// for concurrent use.
type WitnessPolicy interface {
	// CheckCosigned verifies the cosignatures of a checkpoint, a signed note, and returns the time by which, and the witnesses by whom, the policy was met: by their own
	// signed times, none of which lies after now, by more than clocks may differ. The time is zero where the policy asks for no witness. The error says why the
	// policy is not met.
	CheckCosigned(checkpoint []byte, now time.Time) (Cosigned, error)
}

// Cosigned is what a checkpoint that meets a WitnessPolicy shows.
type Cosigned struct {
	By        time.Time
	Witnesses []string // the names of those that were needed for it, in the order of their times
}

// witnessed is a checkpoint of the receipt that meets the policy.
type witnessed struct {
	Cosigned
	origin string
}

// findWitnessed returns the first of the checkpoints over an entry that meets the reader's policy: of the log, or of the gateway's own log and of those in
// which that is anchored. The error is that of the first that does not where none does. That they are over the entry is checked by later steps.
func (v *verification) findWitnessed(e *receiptpb.LogEntry) (found *witnessed, err error) {
	for _, c := range checkpointsOf(e, v.options.Memory) {
		cosigned, cerr := v.options.WitnessPolicy.CheckCosigned([]byte(c), v.options.Now)
		if cerr != nil {
			if err == nil {
				err = cerr
			}
			continue
		}
		origin, _, _ := strings.Cut(c, "\n")
		w := &witnessed{cosigned, origin}
		if found == nil || !w.By.IsZero() && (found.By.IsZero() || w.By.Before(found.By)) {
			found = w
		}
	}
	return found, err
}

// checkpointsOf returns the checkpoints over an entry: what each has signed is in what the one before it has, or covers it.
func checkpointsOf(e *receiptpb.LogEntry, known *Memory) (checkpoints []string) {
	own := e.GetOwn()
	if own == nil {
		return []string{logged(e).GetInclusionProof().GetCheckpoint().GetEnvelope()}
	}
	if p, _, err := openOwnProof(own, known); err == nil { // else a later step refuses it
		checkpoints = append(checkpoints, string(p.Checkpoint))
	}
	for _, a := range own.GetAnchors() {
		for _, t := range a.GetBundle().GetVerificationMaterial().GetTlogEntries() {
			checkpoints = append(checkpoints, t.GetInclusionProof().GetCheckpoint().GetEnvelope())
		}
	}
	return checkpoints
}

// recordKey tells apart what is recorded in the entries of a receipt: signatures, or one statement on all of the file.
func recordKey(r *receiptpb.Receipt, e *receiptpb.LogEntry) string {
	switch {
	case r.GetRepresentation() == receiptpb.Receipt_ATTESTED:
		return ""
	case e.GetOwn() != nil:
		return string(e.GetOwn().GetBody())
	}
	return string(e.GetBundle().GetMessageSignature().GetSignature())
}

// witnessTimes is the time by which as many witnesses had cosigned as the reader's policy asks for.
type witnessTimes struct{ v *verification }

// VerifiedTimes implements TimeSource: see promiseTimes for files of several signatures.
func (s witnessTimes) VerifiedTimes(r *receiptpb.Receipt) ([]VerifiedTime, error) {
	if s.v.options.WitnessPolicy == nil {
		return nil, nil
	}
	seen := map[string]*VerifiedTime{}
	for _, e := range r.GetEntries() {
		record := recordKey(r, e)
		var at *VerifiedTime
		if w, _ := s.v.findWitnessed(e); w != nil && !w.By.IsZero() {
			at = &VerifiedTime{T: w.By, Word: "the witnesses of your policy: " + strings.Join(w.Witnesses, ", ")}
		}
		seen[record] = earlier(seen[record], at)
	}
	return latest(seen), nil
}

// checkWitnessed refuses a receipt in which something is recorded in no log that meets the reader's policy.
func (v *verification) checkWitnessed() error {
	if v.options.WitnessPolicy == nil {
		return nil
	}
	met, why := map[string]bool{}, map[string]error{}
	for i, e := range v.receipt.GetEntries() {
		record := recordKey(v.receipt, e)
		w, err := v.findWitnessed(e)
		if w == nil {
			why[record] = err
			continue
		}
		met[record] = true
		v.reportWitnessed(i, w)
	}
	for record, err := range why {
		if !met[record] {
			return wrap(err, ReasonQuorumNotMet, "the checkpoint is not cosigned as your witness policy asks",
				"get the receipt again: witnesses may have cosigned since; nothing is known to be wrong with it otherwise")
		}
	}
	return nil
}

func (v *verification) reportWitnessed(i int, w *witnessed) {
	what := "entry"
	if len(v.receipt.GetEntries()) > 1 {
		what = fmt.Sprintf("entry %d", i+1)
	}
	by := "as your witness policy asks, which is of nobody"
	if len(w.Witnesses) > 0 {
		by = "as your witness policy asks, by " + strings.Join(w.Witnesses, ", ")
	}
	v.report.proven("witnesses: the checkpoint of log %s over the %s is cosigned %s", w.origin, what, by)
}

// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"fmt"
	"reflect"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// errRulesChanged is for a signature that now reads otherwise: by whom it may be, or how it is recorded.
var errRulesChanged = fmt.Errorf("the policy has changed since it began: %w", gateway.ErrNotStored)

// checkRulesAgain holds d to the policies of now, where they were set again since it began: the artifact may have taken hours to come, and
// whoever is a signer no more would have a way in for as long.
func (d *Draft) checkRulesAgain(ctx context.Context) error {
	rules, err := d.service.rulesFor(d.request)
	if err != nil || rules == d.rules {
		return err
	}
	target, err := rules.targetFor(d.request)
	if err != nil {
		return err
	}
	ctx = formats.WithWork(ctx, formats.NewWork(formats.MaxWork)) // what it took before does not count
	held := gateway.HeldFrom(ctx).Part()
	defer held.Close()
	_, plan, err := d.service.parseAndPlan(ctx, d.request, rules, target, d.service.signaturesFor(d.request, rules), held)
	if err != nil {
		return err
	}
	if !isSamePlan(plan, d.plan) {
		return errRulesChanged
	}
	return nil
}

// isSamePlan reports whether the same signers, by the same exceptions, are recorded in the same way. Which of several signers it is shows
// the artifact alone, so that all of them have to be the same.
func isSamePlan(a, b gateway.Plan) bool {
	if a.Way != b.Way {
		return false
	}
	plans, parts, others := a.Each(), a.Description.Each(), b.Description.Each()
	if len(plans) != len(b.Each()) || len(parts) != len(others) {
		return false
	}
	for i, other := range b.Each() {
		if plans[i].Chosen != other.Chosen {
			return false
		}
	}
	for i, other := range others {
		if !reflect.DeepEqual(parts[i].Signers, other.Signers) || parts[i].UsedExceptions() != other.UsedExceptions() {
			return false
		}
	}
	return true
}

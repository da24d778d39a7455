// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"errors"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// ExplainAttested returns why a signature is attested and not recorded itself, with the remedy: the refusal of
// the representation that its format would have. v is what was verified, or nil.
func ExplainAttested(d formats.Description, v *formats.Verified, way gateway.Way) *formats.Error {
	planner := PlannerOf(way)
	plan, err := planner.Plan(d, "")
	if err != nil && len(plan.Options) == 0 {
		return nil
	}
	own := gateway.Projected
	for _, c := range d.Candidates {
		if c.Native {
			own = gateway.Native
		}
	}
	if refusal := plan.Option(own).Refusal; refusal != nil {
		return refusal
	}
	if v == nil || plan.Chosen != own {
		return nil
	}
	var refusal *formats.Error // only verification showed what kind of signature it is
	if _, _, err := planner.Choose(plan, own, v); !errors.As(err, &refusal) {
		return nil
	}
	return refusal
}

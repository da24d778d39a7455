// SPDX-License-Identifier: Apache-2.0

// Package planning works out how a signature can be recorded in a set of logs. It is pure: it asks
// logs what they accept, and neither reads nor writes anything.
package planning

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Acceptor is the part of a gateway.Log that planning needs.
type Acceptor interface {
	// Accepts is gateway.Log's.
	Accepts(o gateway.Offer) error
}

// Planner works out representations from what every one of Logs accepts. It is immutable.
type Planner struct {
	Logs []Acceptor
	// Attests: there is a gateway key to sign statements with.
	Attests bool
	// Allowed are the representations that policy allows; none: all.
	Allowed []gateway.Representation
	// NoBytes: nobody will see the artifact's bytes, only a digest.
	NoBytes bool
}

// Plan returns the options for a file described by d. want is the representation the
// caller insists on, or "". When nothing (or not the wanted one) is possible, the plan
// comes with Chosen empty, beside a *formats.Error for the caller.
func (p Planner) Plan(d formats.Description, want gateway.Representation) (gateway.Plan, error) {
	if len(d.Parts) == 0 {
		return p.planOne(d, want)
	}
	parts := make([]gateway.Plan, len(d.Parts))
	var refusal error
	for i, part := range d.Parts {
		var err error
		if parts[i], err = p.planOne(part, want); err != nil && refusal == nil {
			refusal = formats.NameSignature(err, i, len(d.Parts))
		}
	}
	return combinePlans(d, parts), refusal
}

// combinePlans sums up the plans of a file's signatures.
func combinePlans(d formats.Description, parts []gateway.Plan) gateway.Plan {
	sum := gateway.Plan{Description: d, Parts: parts}
	chosen := make([]gateway.Representation, len(parts))
	for _, o := range parts[0].Options {
		total := gateway.Option{Representation: o.Representation}
		for i, part := range parts {
			chosen[i] = part.Chosen
			one := part.Option(o.Representation)
			total.Entries += one.Entries
			if one.Refusal != nil && total.Refusal == nil {
				_ = errors.As(formats.NameSignature(one.Refusal, i, len(parts)), &total.Refusal)
			}
		}
		if total.Refusal != nil {
			total.Entries = 0
		}
		sum.Options = append(sum.Options, total)
	}
	sum.Chosen = gateway.Weakest(chosen...)
	return sum
}

// planOne returns the options for one signature.
func (p Planner) planOne(d formats.Description, want gateway.Representation) (gateway.Plan, error) {
	plan := gateway.Plan{Description: d, Options: []gateway.Option{
		p.optionOf(d, gateway.Native), p.optionOf(d, gateway.Projected), p.attestedOption(),
	}}
	for i := range plan.Options {
		p.applyPolicy(&plan.Options[i])
	}
	if want != "" {
		o := plan.Option(want)
		if o.Refusal != nil && o.Refusal.Reason == formats.ReasonNotAllowedHere {
			return plan, o.Refusal
		}
		if o.Refusal != nil {
			return plan, formats.WrapError(o.Refusal, formats.ReasonRepresentationRefused,
				fmt.Sprintf("%s is not possible: %s", want, o.Refusal.Message), o.Refusal.Hint)
		}
		plan.Chosen = want
		return plan, nil
	}
	for _, o := range plan.Options {
		if o.Refusal == nil {
			plan.Chosen = o.Representation
			return plan, nil
		}
	}
	return plan, explainImpossible(plan)
}

// applyPolicy refuses what would be possible and is not allowed.
func (p Planner) applyPolicy(o *gateway.Option) {
	if o.Refusal != nil || len(p.Allowed) == 0 || slices.Contains(p.Allowed, o.Representation) {
		return
	}
	names := make([]string, len(p.Allowed))
	for i, r := range p.Allowed {
		names[i] = string(r)
	}
	*o = refuseOption(o.Representation, formats.NewError(formats.ReasonNotAllowedHere,
		fmt.Sprintf("nothing is recorded as %s here", o.Representation), "sign so that it can be recorded as "+strings.Join(names, " or ")+", or ask the gateway's operator"))
}

// explainImpossible explains why a signature cannot be recorded at all: by the reason of the
// representation that the format would have, and its remedy.
func explainImpossible(p gateway.Plan) error {
	why := p.Option(gateway.Projected).Refusal
	for _, o := range p.Options { // what would be possible says most
		if o.Refusal.Reason == formats.ReasonNotAllowedHere {
			return o.Refusal
		}
	}
	for _, c := range p.Description.Candidates {
		if c.Native {
			why = p.Option(gateway.Native).Refusal
		}
	}
	hint := why.Hint
	if p.Option(gateway.Attested).Refusal.Reason == formats.ReasonAttestationOff {
		hint = joinHints(hint, "or ask the gateway's operator to configure an attestation key")
	}
	return formats.WrapError(why, why.Reason, why.Message, hint)
}

func joinHints(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// optionOf is NATIVE or PROJECTED: enough candidates of that kind that all logs accept.
func (p Planner) optionOf(d formats.Description, r gateway.Representation) gateway.Option {
	if len(d.Findings) > 0 {
		return refuseOption(r, formats.NewError(d.Findings[0].Reason, "only an attestation may record this: "+d.Findings[0].Message, ""))
	}
	if d.NotProjectable != nil {
		return refuseOption(r, d.NotProjectable)
	}
	accepted, refusal := 0, formats.NewError(formats.ReasonNotProjectable, refuseOtherKind(r), "")
	for _, c := range d.Candidates {
		if c.Native != (r == gateway.Native) {
			continue
		}
		if err := p.acceptedByAll(offerOf(c)); err != nil {
			refusal = err
			continue
		}
		accepted++
	}
	if accepted == 0 && r == gateway.Native && (d.Whole != nil || d.NotWhole != nil) {
		return p.wholeOption(d)
	}
	if accepted == 0 || accepted < d.Threshold {
		return refuseOption(r, refusal)
	}
	if r == gateway.Native { // they are alternatives
		accepted = 1
	}
	return gateway.Option{Representation: r, Entries: accepted}
}

// wholeOption is NATIVE as an entry of the log's own for the format.
func (p Planner) wholeOption(d formats.Description) gateway.Option {
	whole := &gateway.Whole{Whole: formats.Whole{Format: d.Format}}
	if d.Whole != nil {
		whole.Whole = *d.Whole
	}
	if p.NoBytes {
		whole.Size = -1
	}
	refusal := p.acceptedByAll(gateway.Offer{Whole: whole})
	switch {
	case refusal != nil && (d.Whole != nil || refusal.Reason == formats.ReasonNotProjectable):
		return refuseOption(gateway.Native, refusal)
	case d.NotWhole != nil:
		return refuseOption(gateway.Native, d.NotWhole)
	}
	option := gateway.Option{Representation: gateway.Native, Entries: 1, Whole: true}
	if d.Whole.Embedded {
		return option
	}
	for _, l := range p.Logs {
		if n := inlineMax(l); n > 0 && (option.MaxBytes == 0 || n < option.MaxBytes) {
			option.MaxBytes = n
		}
	}
	if option.MaxBytes == 0 {
		return refuseOption(gateway.Native, formats.NewError(formats.ReasonNotProjectable, refuseOtherKind(gateway.Native), ""))
	}
	return option
}

// inlineMax returns gateway.LogInfo.InlineMax.
func inlineMax(l Acceptor) int64 {
	if described, ok := l.(interface{ Describe() gateway.LogInfo }); ok {
		return described.Describe().InlineMax
	}
	return 0
}

func refuseOtherKind(r gateway.Representation) string {
	if r == gateway.Native {
		return "the log has no entry kind of its own for this format"
	}
	return "the log takes this signature as it is, a projection would add nothing"
}

// offerOf returns the offer of a candidate that is not verified yet, for Accepts.
func offerOf(c formats.Candidate) gateway.Offer {
	return gateway.Offer{Projection: &formats.Projection{Candidate: c}}
}

// acceptedByAll returns nil when every log takes o, or the first refusal.
func (p Planner) acceptedByAll(o gateway.Offer) *formats.Error {
	for _, l := range p.Logs {
		err := l.Accepts(o)
		if err == nil {
			continue
		}
		var e *formats.Error
		if errors.As(err, &e) {
			return e
		}
		return formats.WrapError(err, formats.ReasonAlgorithmNotLoggable, "the log does not take this signature", "")
	}
	return nil
}

func (p Planner) attestedOption() gateway.Option {
	if !p.Attests {
		return refuseOption(gateway.Attested, formats.NewError(formats.ReasonAttestationOff,
			"this gateway has no attestation key", "ask the gateway's operator to configure one"))
	}
	if err := p.acceptedByAll(gateway.Offer{Statement: &gateway.SignedStatement{}}); err != nil {
		return refuseOption(gateway.Attested, err)
	}
	return gateway.Option{Representation: gateway.Attested, Entries: 1}
}

func refuseOption(r gateway.Representation, why *formats.Error) gateway.Option {
	return gateway.Option{Representation: r, Refusal: why}
}

// Choose returns how a verified signature is recorded, and by which projections: one of a Plan.Each, with what
// was verified of the same signature. It follows the plan,
// unless verification found another kind of signature than could be known before: an Ed25519
// signature turns out to be pure, or an ECDSA key to have signed a hash other than its curve's. Then
// the signature is attested, if the caller has no wish (want is "") and an attestation is possible. NATIVE without a projection is as an
// entry of the log's own: where the artifact that is sent with it is too large, the next option is taken, in the same way.
func (p Planner) Choose(plan gateway.Plan, want gateway.Representation, v *formats.Verified) (gateway.Representation, []formats.Projection, error) {
	chosen := plan.Chosen
	if chosen == gateway.Attested {
		return gateway.Attested, nil, nil
	}
	if plan.Option(chosen).Whole {
		return p.chooseWhole(plan, want, v)
	}
	var loggable []formats.Projection
	refusal := formats.NewError(formats.ReasonNotProjectable, "the log does not take this kind of signature", "")
	for i := range v.Projections {
		projection := &v.Projections[i]
		if projection.Native != (chosen == gateway.Native) {
			continue
		}
		if err := p.acceptedByAll(gateway.Offer{Projection: projection}); err != nil {
			refusal = err
			continue
		}
		loggable = append(loggable, *projection)
	}
	if len(loggable) > 0 && len(loggable) >= plan.Description.Threshold {
		return chosen, loggable, nil
	}
	if want == "" && plan.Option(gateway.Attested).Refusal == nil {
		return gateway.Attested, nil, nil
	}
	return "", nil, refusal
}

// chooseWhole is Choose for a plan that has chosen an entry of the log's own.
func (p Planner) chooseWhole(plan gateway.Plan, want gateway.Representation, v *formats.Verified) (gateway.Representation, []formats.Projection, error) {
	whole := &gateway.Whole{Whole: *plan.Description.Whole, Size: v.Size}
	refusal := p.acceptedByAll(gateway.Offer{Whole: whole})
	if v.Size == 0 && !whole.Embedded {
		refusal = formats.NewError(formats.ReasonNotProjectable, "an empty file cannot be sent to the log", "leave the representation to the gateway")
	}
	if refusal == nil {
		return plan.Chosen, nil, nil
	}
	if want != "" {
		return "", nil, refusal
	}
	for _, o := range plan.Options {
		if o.Representation != plan.Chosen && o.Refusal == nil {
			plan.Chosen = o.Representation
			return p.Choose(plan, want, v)
		}
	}
	return "", nil, refusal
}

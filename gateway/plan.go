// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Plan says how a signature could be recorded, before its artifact is seen.
type Plan struct {
	Description formats.Description
	Options     []Option       // every representation, best first
	Chosen      Representation // "" when none is possible
}

// Option is one representation, and whether it is possible.
type Option struct {
	Representation Representation
	Entries        int            // log entries it takes, per log; 0 when not possible
	Refusal        *formats.Error // why it is not possible, with the remedy; nil when it is
}

// Option returns p's option for r.
func (p Plan) Option(r Representation) Option {
	for _, o := range p.Options {
		if o.Representation == r {
			return o
		}
	}
	return Option{Representation: r, Refusal: formats.NewError(formats.ReasonRepresentationRefused,
		"there is no such representation", "use NATIVE, PROJECTED or ATTESTED")}
}

// Planner works out representations from what every one of Logs accepts. It is immutable
// and does no I/O.
type Planner struct {
	Logs []Log
	// Attests: there is a gateway key to sign statements with.
	Attests bool
}

// Plan returns the options for a signature described by d. want is the representation the
// caller insists on, or "". When nothing (or not the wanted one) is possible, the plan
// comes with Chosen empty, beside a *formats.Error for the caller.
func (p Planner) Plan(d formats.Description, want Representation) (Plan, error) {
	plan := Plan{Description: d, Options: []Option{
		p.direct(d, Native), p.direct(d, Projected), p.attested(),
	}}
	if want != "" {
		o := plan.Option(want)
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
	return plan, plan.impossible()
}

// impossible explains why a signature cannot be recorded at all: by the reason of the
// representation that the format would have, and its remedy.
func (p Plan) impossible() error {
	why := p.Option(Projected).Refusal
	for _, c := range p.Description.Candidates {
		if c.Native {
			why = p.Option(Native).Refusal
		}
	}
	hint := why.Hint
	if p.Option(Attested).Refusal.Reason == formats.ReasonAttestationOff {
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

// direct is NATIVE or PROJECTED: enough candidates of that kind that all logs accept.
func (p Planner) direct(d formats.Description, r Representation) Option {
	if len(d.Findings) > 0 {
		return refused(r, formats.NewError(d.Findings[0].Reason, "only an attestation may record this: "+d.Findings[0].Message, ""))
	}
	if d.NotProjectable != nil {
		return refused(r, d.NotProjectable)
	}
	accepted, refusal := 0, formats.NewError(formats.ReasonNotProjectable, otherKind(r), "")
	for _, c := range d.Candidates {
		if c.Native != (r == Native) {
			continue
		}
		if err := p.accepts(c); err != nil {
			refusal = err
			continue
		}
		accepted++
	}
	if accepted == 0 || accepted < d.Threshold {
		return refused(r, refusal)
	}
	return Option{Representation: r, Entries: accepted}
}

func otherKind(r Representation) string {
	if r == Native {
		return "the log has no entry kind of its own for this format"
	}
	return "the log takes this signature as it is, a projection would add nothing"
}

func (p Planner) accepts(c formats.Candidate) *formats.Error {
	for _, l := range p.Logs {
		if err := l.Accepts(c); err != nil {
			var e *formats.Error
			if errors.As(err, &e) {
				return e
			}
			return formats.WrapError(err, formats.ReasonAlgorithmNotLoggable, "the log does not take this signature", c.Remedy)
		}
	}
	return nil
}

func (p Planner) attested() Option {
	if !p.Attests {
		return refused(Attested, formats.NewError(formats.ReasonAttestationOff,
			"this gateway has no attestation key", "ask the gateway's operator to configure one"))
	}
	return Option{Representation: Attested, Entries: 1}
}

func refused(r Representation, why *formats.Error) Option {
	return Option{Representation: r, Refusal: why}
}

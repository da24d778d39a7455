// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Plan says how a signature could be recorded, before its artifact is seen.
type Plan struct {
	Description formats.Description
	Options     []Option       // every representation, best first
	Chosen      Representation // "" when none is possible
	Way         Way            // where it would be recorded: the options are for it
	Logs        []string       // IDs of the logs, of all or some of which it would be in, in order
	// Parts has the plan of each signature when the file holds more than one, in the order of Description.Parts.
	// This plan then sums them up: an option is possible when it is for all, and Chosen is the weakest.
	Parts []Plan
}

// Each returns the plans of the file's signatures, in the order of Description.Each.
func (p Plan) Each() []Plan {
	if len(p.Parts) == 0 {
		return []Plan{p}
	}
	return p.Parts
}

// SetWay has p, and the plans of its parts, be for that way.
func (p *Plan) SetWay(w Way) {
	p.Way = w
	for i := range p.Parts {
		p.Parts[i].Way = w
	}
}

// Option is one representation, and whether it is possible.
type Option struct {
	Representation Representation
	Entries        int // log entries it takes, per log; 0 when not possible
	// MaxBytes is how many bytes the artifact may have, where it is sent to the log with the entry; 0: it is not. One that has more is recorded as
	// the next option that is possible.
	MaxBytes int64
	// Whole: the entry is the log's own for the format, made of Description.Whole.
	Whole   bool
	Refusal *formats.Error // why it is not possible, with the remedy; nil when it is
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

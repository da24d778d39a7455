// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/planning"
)

// Policy is what a submission is held to, and where it is recorded.
type Policy struct {
	// Signatures says what passes; its Now is set for each submission.
	Signatures formats.Policy
	// Representations are those that are recorded; none: all.
	Representations []gateway.Representation
	// NoPublication: no certificate is made public.
	NoPublication bool
	Logs          LogSet
	// Own is the gateway's own log, for what is recorded Batched; nil: nothing is.
	Own gateway.Recorder
	// Ways are those that may be asked for, the first of which is that of all who do not ask; none: Direct alone.
	Ways []gateway.Way
}

// Policies are what all callers are held to.
type Policies struct {
	// Everybody is for every request, where there is no access control.
	Everybody *Policy
	// Callers are for those of one caller each, by their names, and others are refused; nil: there is no access control.
	Callers map[string]*Policy
}

// ForEverybody is the one policy of all requests.
func ForEverybody(p Policy) Policies { return Policies{Everybody: &p} }

// rules are a policy with what plans by it.
type rules struct {
	policy  *Policy
	targets map[gateway.Way]*target
	way     gateway.Way // where nobody asks
}

// ruleBook are Policies, ready for use. It does not change.
type ruleBook struct {
	everybody *rules
	callers   map[string]*rules
}

// SetPolicies has p apply to what is submitted from now on. What was accepted before goes on as it was accepted.
func (s *Service) SetPolicies(p Policies) {
	made := map[*Policy]*rules{}
	makeRules := func(p *Policy) *rules {
		if made[p] == nil {
			made[p] = s.newRules(p)
		}
		return made[p]
	}
	book := &ruleBook{everybody: makeRules(p.Everybody)}
	if p.Callers != nil {
		book.callers = map[string]*rules{}
	}
	for name, policy := range p.Callers {
		book.callers[name] = makeRules(policy)
	}
	s.book.Store(book)
}

func (s *Service) newRules(p *Policy) *rules {
	r := &rules{policy: p, targets: map[gateway.Way]*target{}, way: gateway.Direct}
	ways := p.Ways
	if len(ways) == 0 {
		ways = []gateway.Way{gateway.Direct}
	}
	for i, way := range ways {
		set := p.Logs
		if way == gateway.Batched {
			if p.Own == nil {
				continue
			}
			set = LogSet{List: []gateway.Recorder{p.Own}, Need: 1}
		}
		if i == 0 {
			r.way = way
		}
		r.targets[way] = s.newTarget(p, way, set)
	}
	return r
}

func (s *Service) newTarget(p *Policy, way gateway.Way, set LogSet) *target {
	t := &target{LogSet: set, way: way, planner: planning.Planner{Attests: s.cfg.Attester != nil, Allowed: p.Representations}}
	for _, l := range set.List {
		t.planner.Logs = append(t.planner.Logs, l)
		info := l.Describe()
		t.ids = append(t.ids, info.ID)
		t.takesWhole = t.takesWhole || info.APIVersion == 1 || info.InlineMax > 0
	}
	slices.Sort(t.ids)
	return t
}

// targetFor returns where a request is recorded. The error is gateway.ReasonWayNotAllowed.
func (r *rules) targetFor(request gateway.Request) (*target, error) {
	way := request.Way
	if way == "" {
		way = r.way
	}
	if t := r.targets[way]; t != nil {
		return t, nil
	}
	hint := "do not ask for a way, or ask the gateway's operator"
	return nil, formats.NewError(gateway.ReasonWayNotAllowed, fmt.Sprintf("nothing is recorded %s here", way), hint)
}

// rulesFor returns what a request is held to. It goes by who calls, not by the policy that he had when he was identified: another one may
// have that name by now.
func (s *Service) rulesFor(r gateway.Request) (*rules, error) {
	book := s.book.Load()
	if book.callers == nil {
		return book.everybody, nil
	}
	if found := book.callers[r.Caller]; found != nil {
		return found, nil
	}
	return nil, gateway.ErrNoPolicy
}

// signaturesFor is what r's signatures are held to now.
func (s *Service) signaturesFor(r gateway.Request, rules *rules) formats.Policy {
	p := rules.policy.Signatures
	p.Now, p.KnownOnly = s.now(), r.KnownOnly
	return p
}

var errNoPublication = formats.NewError(gateway.ReasonPublicationNotAllowed, "the policy lets no certificate be made public",
	"do not ask to publish it, or ask the gateway's operator")

// checkPublication refuses to publish a certificate where policy does.
func (r *rules) checkPublication(request gateway.Request) error {
	if request.PublishCertificate && r.policy.NoPublication {
		return errNoPublication
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer"
)

// Rule says which tokens of an OpenID Connect issuer are a caller's.
type Rule struct {
	Issuer   issuer.Config
	Audience string  // the only one that his tokens have
	Claims   []Claim // all of them have to hold
}

// Claim is what a token has to say.
type Claim struct {
	Path  []string // names, from the outermost
	AnyOf []string // the value is one of them, as it is
}

// holds is false for what is not a text.
func (c Claim) holds(claims map[string]any) bool {
	var value any = claims
	for _, name := range c.Path {
		inside, ok := value.(map[string]any)
		if !ok {
			return false
		}
		value = inside[name]
	}
	text, ok := value.(string)
	return ok && slices.Contains(c.AnyOf, text)
}

// name is the same for rules that are the same, and for no others.
func (r Rule) name() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q", r.Issuer, r.Audience)
	for _, c := range r.Claims {
		fmt.Fprintf(&b, " %q %q", c.Path, c.AnyOf)
	}
	return b.String()
}

// audience is all rules for the tokens that one issuer makes for one audience.
type audience struct {
	config issuer.Config
	issuer *issuer.Issuer // nil until Table.startIssuers
	rules  []*ruleGrant
}

type ruleGrant struct {
	rule Rule
	*grant
}

// audienceKey is what a token says itself of where it belongs.
type audienceKey struct{ issuer, audience string }

func (t *Table) addRules(members []Member) error {
	for _, m := range members {
		if m.Rule == nil {
			continue
		}
		if err := issuer.CheckCA(m.Rule.Issuer.CA); err != nil {
			return fmt.Errorf("%s: the authorities of its issuer: %w", m.Caller.Name, err)
		}
		key := audienceKey{m.Rule.Issuer.URL, m.Rule.Audience}
		of := t.audiences[key]
		if of == nil {
			of = &audience{config: m.Rule.Issuer}
			t.audiences[key] = of
		}
		if of.config != m.Rule.Issuer {
			return fmt.Errorf("%s: its issuer is asked in two ways", m.Caller.Name)
		}
		g := newNamedGrant(m.Caller, m.Rule.name())
		for _, other := range of.rules {
			if other.name == g.name {
				return fmt.Errorf("one rule is of both %s and %s", other.caller.Name, m.Caller.Name)
			}
		}
		of.rules = append(of.rules, &ruleGrant{*m.Rule, g})
	}
	return nil
}

// takeOverRules is takeOver for rules.
func (t *Table) takeOverRules(former *Table) (ended []*grant) {
	for key, of := range former.audiences {
		for _, g := range of.rules {
			if now := t.audiences[key].find(g.grant); now != nil {
				now.grant = g.grant
			} else {
				ended = append(ended, g.grant)
			}
		}
	}
	return ended
}

func (a *audience) find(g *grant) *ruleGrant {
	if a == nil {
		return nil
	}
	i := slices.IndexFunc(a.rules, func(r *ruleGrant) bool { return r.isSame(g) })
	if i < 0 {
		return nil
	}
	return a.rules[i]
}

// startIssuers gives t's audiences their issuers: former's, with the keys that they know, where it has the same. It returns those that t
// has no use for.
func (t *Table) startIssuers(former *Table, o issuer.Options) (unused []*issuer.Issuer) {
	t.issuers = map[issuer.Config]*issuer.Issuer{}
	for _, of := range t.audiences {
		if t.issuers[of.config] == nil {
			t.issuers[of.config] = former.issuers[of.config]
		}
		if t.issuers[of.config] == nil {
			started, err := issuer.New(of.config, o)
			if err != nil { // NewTable has checked it
				panic(err)
			}
			started.Start()
			t.issuers[of.config] = started
		}
		of.issuer = t.issuers[of.config]
	}
	for config, one := range former.issuers {
		if t.issuers[config] != one {
			unused = append(unused, one)
		}
	}
	return unused
}

// grantForJWT is for what may be an issuer's token. The hash is the text's.
func (t *Table) grantForJWT(text string, hash [sha256.Size]byte, now time.Time) (*grant, error) {
	if known := t.verdicts.Load().find(hash, now); known != nil {
		return known, nil
	}
	token, err := issuer.Parse(text)
	if err != nil {
		return nil, errBad
	}
	of := t.audiences[audienceKey{token.Issuer, token.Audience}]
	if of == nil {
		return nil, errBad
	}
	keys, err := of.issuer.Verify(token)
	switch {
	case errors.Is(err, issuer.ErrUnavailable):
		return nil, errNoIssuer
	case err != nil:
		return nil, errBad
	}
	g := of.match(token.Claims)
	if g == nil {
		return nil, errBad
	}
	t.remember(hash, verdict{g, of.issuer, keys, token.Until()})
	return g, nil
}

// match returns the grant of the rule that holds. A token for which rules of two callers hold is neither's.
func (a *audience) match(claims map[string]any) (found *grant) {
	for _, r := range a.rules {
		if slices.ContainsFunc(r.rule.Claims, func(c Claim) bool { return !c.holds(claims) }) {
			continue
		}
		if found != nil && found.caller != r.caller {
			return nil
		}
		found = r.grant
	}
	return found
}

// verdict is what was found of a token that is good.
type verdict struct {
	grant  *grant
	issuer *issuer.Issuer
	keys   *issuer.KeySet // that it was checked by
	until  time.Time
}

// maxVerdicts bounds the tokens whose verdicts are kept. They are forgotten all together: who has one sends it often.
const maxVerdicts = 4096

// verdicts are by the tokens' hashes. They are those of one table.
type verdicts struct {
	known sync.Map // [32]byte to verdict; its reads take no lock
	count atomic.Int64
}

// find returns nil where nothing is known, or not any more: the token has ended, or its issuer has other keys.
func (v *verdicts) find(hash [sha256.Size]byte, now time.Time) *grant {
	found, ok := v.known.Load(hash)
	if !ok {
		return nil
	}
	known := found.(verdict)
	if !now.Before(known.until) || !known.issuer.Trusts(known.keys, now) {
		return nil
	}
	return known.grant
}

func (t *Table) remember(hash [sha256.Size]byte, one verdict) {
	all := t.verdicts.Load()
	if all.count.Add(1) > maxVerdicts {
		t.verdicts.CompareAndSwap(all, new(verdicts))
		return
	}
	all.known.Store(hash, one)
}

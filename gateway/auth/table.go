// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer"
)

// Member is a caller with what shows that it is him.
type Member struct {
	Caller gateway.Caller
	Tokens []Token
	// PathTokens are tokens that stand in the path of a URL; they are no bearer tokens.
	PathTokens []Token
	Names      []string // of his client certificates, each with its kind: "dns:ci.example.com"
	Rule       *Rule    // for an issuer's tokens; nil: none are his
	// Listeners are those at which everybody is him, by the addresses of the configuration.
	Listeners []string
	// Anonymous: he is the caller of requests without a credential.
	Anonymous bool
}

// Token is a bearer token, as far as a gateway knows it.
type Token struct {
	Hash  [sha256.Size]byte // SHA-256 of the token
	Until time.Time         // from when on it is not good any more; zero: it stays good
}

// HashToken returns the hash that stands for a token.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Table is who may call. It does not change once it is in use.
type Table struct {
	open       bool // everybody may do everything
	seed       maphash.Seed
	tokens     tokenGrants
	pathTokens tokenGrants
	names      map[string]*grant // of certificates
	listeners  map[string]*grant // by their addresses
	anonymous  *grant

	audiences map[audienceKey]*audience
	issuers   map[issuer.Config]*issuer.Issuer // nil until Authenticator.Use
	verdicts  atomic.Pointer[verdicts]         // of issuers' tokens
}

// tokenGrants are by keyOf their hashes.
type tokenGrants map[uint64][]*grant

// grant is one credential's way in.
type grant struct {
	caller gateway.Caller
	token  Token  // unless name is set
	name   string // of a certificate, a listener's address, or a rule's
	// lifetime ends when the grant is taken back, with ErrTakenBack as its cause; end ends it.
	lifetime context.Context
	end      func()
}

func newGrant(c gateway.Caller, t Token) *grant {
	g := &grant{caller: c, token: t}
	lifetime, cancel := context.WithCancelCause(context.Background())
	g.lifetime, g.end = lifetime, func() { cancel(ErrTakenBack) }
	return g
}

func newNamedGrant(c gateway.Caller, name string) *grant {
	g := newGrant(c, Token{})
	g.name = name
	return g
}

// isSame reports whether other is the same way in.
func (g *grant) isSame(other *grant) bool {
	return g.caller == other.caller && g.name == other.name && g.token.Hash == other.token.Hash && g.token.Until.Equal(other.token.Until)
}

// NewTable returns the table of members; without any, everybody may do everything. It refuses a token of two callers,
// two anonymous callers, and issuers that cannot be asked.
func NewTable(members []Member) (*Table, error) {
	t := &Table{
		open: len(members) == 0, seed: maphash.MakeSeed(), tokens: tokenGrants{}, pathTokens: tokenGrants{},
		names: map[string]*grant{}, listeners: map[string]*grant{}, audiences: map[audienceKey]*audience{},
	}
	t.verdicts.Store(new(verdicts))
	for _, m := range members {
		if m.Anonymous {
			if t.anonymous != nil {
				return nil, errors.New("there are two anonymous callers")
			}
			t.anonymous = newGrant(m.Caller, Token{})
		}
		if err := errors.Join(t.addTokens(t.tokens, m.Caller, m.Tokens), t.addTokens(t.pathTokens, m.Caller.WithinPath(), m.PathTokens), t.addListeners(m)); err != nil {
			return nil, err
		}
	}
	if err := t.addRules(members); err != nil {
		return nil, err
	}
	return t, t.addNames(members)
}

// addTokens refuses tokens that are there already, as bearer tokens or in paths: one that a URL has leaked is good for nothing else.
func (t *Table) addTokens(to tokenGrants, c gateway.Caller, tokens []Token) error {
	for _, token := range tokens {
		for _, known := range []tokenGrants{t.tokens, t.pathTokens} {
			if other := t.find(known, token.Hash); other != nil {
				return fmt.Errorf("a token is of both %s and %s", other.caller.Name, c.Name)
			}
		}
		key := t.keyOf(token.Hash)
		to[key] = append(to[key], newGrant(c, token))
	}
	return nil
}

func (t *Table) addListeners(m Member) error {
	for _, address := range m.Listeners {
		if other := t.listeners[address]; other != nil {
			return fmt.Errorf("the listener %s is of both %s and %s", address, other.caller.Name, m.Caller.Name)
		}
		t.listeners[address] = newNamedGrant(m.Caller, address)
	}
	return nil
}

func (t *Table) addNames(members []Member) error {
	for _, m := range members {
		for _, name := range m.Names {
			if other := t.names[name]; other != nil {
				return fmt.Errorf("%s is of both %s and %s", name, other.caller.Name, m.Caller.Name)
			}
			t.names[name] = newNamedGrant(m.Caller, name)
		}
	}
	return nil
}

// keyOf is a keyed hash, so that how long a look-up takes says nothing of the hashes that are there.
func (t *Table) keyOf(hash [sha256.Size]byte) uint64 { return maphash.Bytes(t.seed, hash[:]) }

// find returns the grant of the token with this hash, or nil. The time it takes does not depend on which tokens there
// are, nor on how many.
func (t *Table) find(among tokenGrants, hash [sha256.Size]byte) (found *grant) {
	for _, g := range among[t.keyOf(hash)] { // one, but for collisions of 64 bits
		if subtle.ConstantTimeCompare(g.token.Hash[:], hash[:]) == 1 {
			found = g
		}
	}
	return found
}

// takeOver has the grants of former that t has as well live on in t, and returns the others.
func (t *Table) takeOver(former *Table) (ended []*grant) {
	ended = slices.Concat(
		t.takeOverTokens(t.tokens, former.tokens), t.takeOverTokens(t.pathTokens, former.pathTokens),
		takeOverNamed(t.names, former.names), takeOverNamed(t.listeners, former.listeners))
	switch {
	case former.anonymous == nil:
	case t.anonymous != nil && t.anonymous.isSame(former.anonymous):
		t.anonymous = former.anonymous
	default:
		ended = append(ended, former.anonymous)
	}
	return append(ended, t.takeOverRules(former)...)
}

// takeOverTokens puts former grants in the places of those that are the same, and returns the others.
func (t *Table) takeOverTokens(now, former tokenGrants) (ended []*grant) {
	for _, grants := range former {
		for _, g := range grants {
			same := now[t.keyOf(g.token.Hash)]
			if i := slices.IndexFunc(same, g.isSame); i >= 0 {
				same[i] = g
			} else {
				ended = append(ended, g)
			}
		}
	}
	return ended
}

// takeOverNamed is takeOverTokens for what is known by a name.
func takeOverNamed(now, former map[string]*grant) (ended []*grant) {
	for name, g := range former {
		if same := now[name]; same != nil && same.isSame(g) {
			now[name] = g
		} else {
			ended = append(ended, g)
		}
	}
	return ended
}

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
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Member is a caller with what shows that it is him.
type Member struct {
	Caller gateway.Caller
	Tokens []Token
	Names  []string // of his client certificates, each with its kind: "dns:ci.example.com"
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
	open      bool // everybody may do everything
	seed      maphash.Seed
	tokens    map[uint64][]*grant // by keyOf their hashes
	names     map[string]*grant   // of certificates
	anonymous *grant
}

// grant is one credential's way in.
type grant struct {
	caller gateway.Caller
	token  Token  // unless name is set
	name   string // of a certificate
	// lifetime ends when the grant is taken back; end ends it.
	lifetime context.Context
	end      context.CancelFunc
}

func newGrant(c gateway.Caller, t Token) *grant {
	g := &grant{caller: c, token: t}
	g.lifetime, g.end = context.WithCancel(context.Background())
	return g
}

// isSame reports whether other is the same way in.
func (g *grant) isSame(other *grant) bool {
	return g.caller == other.caller && g.name == other.name && g.token.Hash == other.token.Hash && g.token.Until.Equal(other.token.Until)
}

// NewTable returns the table of members; without any, everybody may do everything. It refuses a token of two callers, and
// two anonymous callers.
func NewTable(members []Member) (*Table, error) {
	t := &Table{open: len(members) == 0, seed: maphash.MakeSeed(), tokens: map[uint64][]*grant{}, names: map[string]*grant{}}
	for _, m := range members {
		if m.Anonymous {
			if t.anonymous != nil {
				return nil, errors.New("there are two anonymous callers")
			}
			t.anonymous = newGrant(m.Caller, Token{})
		}
		for _, token := range m.Tokens {
			if other := t.find(token.Hash); other != nil {
				return nil, fmt.Errorf("a token is of both %s and %s", other.caller.Name, m.Caller.Name)
			}
			key := t.keyOf(token.Hash)
			t.tokens[key] = append(t.tokens[key], newGrant(m.Caller, token))
		}
	}
	return t, t.addNames(members)
}

func (t *Table) addNames(members []Member) error {
	for _, m := range members {
		for _, name := range m.Names {
			if other := t.names[name]; other != nil {
				return fmt.Errorf("%s is of both %s and %s", name, other.caller.Name, m.Caller.Name)
			}
			g := newGrant(m.Caller, Token{})
			g.name = name
			t.names[name] = g
		}
	}
	return nil
}

// keyOf is a keyed hash, so that how long a look-up takes says nothing of the hashes that are there.
func (t *Table) keyOf(hash [sha256.Size]byte) uint64 { return maphash.Bytes(t.seed, hash[:]) }

// find returns the grant of the token with this hash, or nil. The time it takes does not depend on which tokens there
// are, nor on how many.
func (t *Table) find(hash [sha256.Size]byte) (found *grant) {
	for _, g := range t.tokens[t.keyOf(hash)] { // one, but for collisions of 64 bits
		if subtle.ConstantTimeCompare(g.token.Hash[:], hash[:]) == 1 {
			found = g
		}
	}
	return found
}

// takeOver has the grants of former that t has as well live on in t, and returns the others.
func (t *Table) takeOver(former *Table) (ended []*grant) {
	for _, grants := range former.tokens {
		for _, g := range grants {
			if !t.keep(g) {
				ended = append(ended, g)
			}
		}
	}
	for name, g := range former.names {
		if now := t.names[name]; now != nil && now.isSame(g) {
			t.names[name] = g
		} else {
			ended = append(ended, g)
		}
	}
	switch {
	case former.anonymous == nil:
	case t.anonymous != nil && t.anonymous.isSame(former.anonymous):
		t.anonymous = former.anonymous
	default:
		ended = append(ended, former.anonymous)
	}
	return ended
}

// keep puts g in the place of t's own grant that is the same, and reports whether there is one.
func (t *Table) keep(g *grant) bool {
	grants := t.tokens[t.keyOf(g.token.Hash)]
	i := slices.IndexFunc(grants, g.isSame)
	if i >= 0 {
		grants[i] = g
	}
	return i >= 0
}

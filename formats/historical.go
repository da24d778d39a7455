// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"fmt"
	"strings"
	"time"
)

// Exceptions is a set of weaknesses that a policy lets pass as Findings. The zero value is the strict policy's.
type Exceptions uint8

// What can be let pass. Everything else that is refused stays refused under any policy.
const (
	// ExceptionSHA1: signatures over SHA-1, in which no collision is found (PGP, PKCS#7, X.509 with RSA).
	ExceptionSHA1 Exceptions = 1 << iota
	// ExceptionDSA: DSA keys (PGP).
	ExceptionDSA
	// ExceptionExpiredKey: keys and certificates that had expired when they signed or, where the signature states no time, that
	// have by now (PGP, PKCS#7, X.509, SSH).
	ExceptionExpiredKey
	// ExceptionExpiredMetadata: metadata that has expired (TUF).
	ExceptionExpiredMetadata
	// ExceptionV3: PGP signatures of version 3. The strict policy takes them, too, so it lets nothing more pass.
	ExceptionV3

	// AllExceptions is each of them.
	AllExceptions = ExceptionSHA1 | ExceptionDSA | ExceptionExpiredKey | ExceptionExpiredMetadata | ExceptionV3
)

// exceptionNames are as people write them, in the order of the bits.
var exceptionNames = []string{"SHA1", "DSA", "EXPIRED_KEY", "EXPIRED_METADATA", "V3"}

// ExceptionNames returns what ParseExceptions takes.
func ExceptionNames() []string { return AllExceptions.Names() }

// ParseExceptions returns the set of the named exceptions: SHA1, DSA, EXPIRED_KEY, EXPIRED_METADATA, V3.
func ParseExceptions(names []string) (e Exceptions, err error) {
	for _, name := range names {
		one, ok := lookupException(name)
		if !ok {
			return 0, fmt.Errorf("there is no exception %.40q; there are %s", name, strings.Join(exceptionNames, ", "))
		}
		e |= one
	}
	return e, nil
}

func lookupException(name string) (Exceptions, bool) {
	for i, n := range exceptionNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// Names returns the set's names, always in the same order.
func (e Exceptions) Names() (names []string) {
	for i, n := range exceptionNames {
		if e&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// String returns the names separated by commas, or "none".
func (e Exceptions) String() string {
	if e == 0 {
		return "none"
	}
	return strings.Join(e.Names(), ",")
}

// Has reports whether all of other are in the set.
func (e Exceptions) Has(other Exceptions) bool { return e&other == other }

// Historical is what a policy lets pass of old signatures. The zero value lets nothing pass.
type Historical struct {
	Allow Exceptions
	// SignedBefore, when it is set, limits the exceptions to signatures that say they were made before, or are
	// proven to have existed by then (Policy.KnownBy). What a signature says is the signer's claim:
	// it can keep a signature out and proves nothing about one that passes.
	SignedBefore time.Time
	// LoggedBefore, when it is set, ends the exceptions: nothing that is judged then or later passes by them.
	LoggedBefore time.Time
}

// Allows reports whether e may pass now. Whether the signature is old enough CheckAge says.
func (p Policy) Allows(e Exceptions) bool {
	h := p.Historical
	return h.Allow.Has(e) && (h.LoggedBefore.IsZero() || p.Now.Before(h.LoggedBefore))
}

// AllowsUndated is Allows for what leaves no Finding and has no time of its own.
func (p Policy) AllowsUndated(e Exceptions) bool { return p.Allows(e) && p.isOldEnough(nil) }

// isOldEnough reports whether a signature that states the claimed time, nil for none, is of before SignedBefore.
func (p Policy) isOldEnough(claimed *time.Time) bool {
	before := p.Historical.SignedBefore
	switch {
	case before.IsZero():
		return true
	case !p.KnownBy.IsZero() && p.KnownBy.Before(before):
		return true
	}
	return claimed != nil && claimed.Before(before)
}

// checkParsed is checkFindings of a signature that has been read.
func (p Policy) checkParsed(parsed Parsed) error {
	if p.Historical.Allow == 0 {
		return nil // the formats let nothing pass, and describing it takes time
	}
	return p.checkFindings(parsed.Describe())
}

// checkFindings refuses a signature with a finding that p does not let pass, or not one of its age. Formats look at
// the exceptions themselves; this holds for all of them, and is the only one to look at the age.
func (p Policy) checkFindings(d Description) error {
	for _, part := range d.Each() {
		for _, f := range part.Findings {
			switch {
			case f.Exception == 0 || !p.Allows(f.Exception):
				return NewError(f.Reason, f.Message, strings.TrimPrefix(HintHistorical, "; "))
			case !p.isOldEnough(part.ClaimedTime):
				return NewError(f.Reason, f.Message+", which the policy lets pass in signatures made before "+
					p.Historical.SignedBefore.UTC().Format(time.RFC3339)+" alone, and this one does not say that it was",
					"sign again with a current key and algorithm; for an old signature that states no time, or a later one, ask the gateway's operator for a policy without signed_before")
			}
		}
	}
	return nil
}

// UsedExceptions returns what of a policy's exceptions the signatures need.
func (d Description) UsedExceptions() (used Exceptions) {
	for _, part := range d.Each() {
		for _, f := range part.Findings {
			used |= f.Exception
		}
	}
	return used
}

// AllowAll lets all exceptions pass without limit, or none.
func AllowAll(yes bool) Historical {
	if yes {
		return Historical{Allow: AllExceptions}
	}
	return Historical{}
}

// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"context"
	"crypto"
	"crypto/dsa" //nolint:staticcheck // only to know what a check costs
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math"
	"sync/atomic"
)

// MaxWork is what reading and checking the signature and the keys of one request may cost, in
// units: about two seconds of one core. The dearest honest request that was measured, TUF metadata of 4 MiB with
// its delegator, takes less than half of it. A PGP key of 2 MB with thousands of certifications by other people
// takes a fiftieth, and so does a keyring of 4 MiB, which is as large as Debian's. TestHonestWork in each
// plugin holds these.
const MaxWork = 2_000_000_000

// Costs in units. A unit is about a nanosecond on one core of a server of 2020. They are rounded up,
// so that the time an input takes is below its units, and fixed, so that the verdict on an input is
// the same on every machine.
const (
	costElement = 100
	costParse   = 10_000
	costMatch   = 1_000
	costCheck   = 200_000   // P-256, Ed25519
	costDear    = 3_000_000 // P-384, P-521, DSA and what else there may be
	costLimbs   = 2         // one step of long multiplication (RSA)
)

// contextEvery is how many units may pass before a Meter looks at its context again.
const contextEvery = 1_000_000

// Work is the account of one request, shared by all that is done for it: one Parse, and each Verify
// of what it returned. Its zero value allows nothing. It is safe for concurrent use.
type Work struct {
	limit int64
	spent atomic.Int64
}

// NewWork returns an account with limit units, MaxWork as a rule.
func NewWork(limit int64) *Work { return &Work{limit: limit} }

// Spent returns the units that were charged so far.
func (w *Work) Spent() int64 { return w.spent.Load() }

type workKey struct{}

// WithWork returns a context under which everything is charged to w. It travels in the context so that a caller
// who opens no account need not know of it: each Parse and each Verify is then held to MaxWork by itself.
func WithWork(ctx context.Context, w *Work) context.Context {
	return context.WithValue(ctx, workKey{}, w)
}

// EnsureWork returns a context that has an account: that of ctx, or a new one of MaxWork. Whoever calls Parse and
// then Verify for one request calls it before.
func EnsureWork(ctx context.Context) context.Context {
	if _, ok := ctx.Value(workKey{}).(*Work); ok {
		return ctx
	}
	return WithWork(ctx, NewWork(MaxWork))
}

// Meter charges what one Parse or Verify does to the account in its context. A charge comes before the
// work that it is for. Its error is that of the context, as it is, once that has ended, or an *Error
// with ReasonTooMuchWork: the caller returns it and does nothing more.
type Meter struct {
	ctx  context.Context // lives as long as the call that the Meter is for
	work *Work
	hint string
	part *atomic.Int64 // what was charged to it alone; nil unless Part has made it
}

// StartWork returns the Meter for one call under ctx; hint tells a submitter how to ask for less work.
// The error is that of a context that has ended already.
func StartWork(ctx context.Context, hint string) (*Meter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx = EnsureWork(ctx)
	return &Meter{ctx: ctx, work: ctx.Value(workKey{}).(*Work), hint: hint}, nil
}

// Unlimited returns a Meter that ends with its context but charges nothing: for reading the operator's
// own keys, which cost submitters nothing, however many there are.
func (m *Meter) Unlimited() *Meter {
	return &Meter{ctx: m.ctx, work: NewWork(math.MaxInt64), hint: m.hint}
}

// ForKeys returns the Meter to read p.CandidateKeys(format, …) with.
func (m *Meter) ForKeys(p Policy, format string) *Meter {
	if len(p.Keys[format]) > 0 {
		return m.Unlimited()
	}
	return m
}

// Part returns a Meter for work whose cost is wanted. What is charged to it is charged to m's account at once, and EndPart says how much that was.
func (m *Meter) Part() *Meter {
	return &Meter{ctx: m.ctx, work: m.work, hint: m.hint, part: new(atomic.Int64)}
}

// EndPart returns what part has spent, in units, for ChargePart. m is whose Part it is.
func (m *Meter) EndPart(part *Meter) (units int64) {
	units = part.part.Load()
	if m.part != nil {
		m.part.Add(units)
	}
	return units
}

// ChargePart charges for work that was done before and is remembered, so that the same input costs the same.
func (m *Meter) ChargePart(units int64) error { return m.chargeUnits(units, "what is remembered") }

// ChargeBytes charges for n bytes that are hashed, decoded, searched or copied.
func (m *Meter) ChargeBytes(n int) error { return m.chargeUnits(int64(n), "bytes") }

// ChargeElements charges for n small parts that are walked over: packets, lines, values, ASN.1 elements.
func (m *Meter) ChargeElements(n int) error {
	return m.chargeUnits(int64(n)*costElement, "packets, lines and values")
}

// ChargeParses charges for n keys, certificates or signatures that a library parses.
func (m *Meter) ChargeParses(n int) error {
	return m.chargeUnits(int64(n)*costParse, "reading keys and signatures")
}

// ChargeMatch charges for matching one pattern against one name, given their lengths: at worst every
// position of the name is tried with the whole pattern.
func (m *Meter) ChargeMatch(name, pattern int) error {
	return m.chargeUnits(costMatch+int64(name)*int64(pattern), "pattern matches")
}

// ChargeChecks charges for n signature checks with pub.
func (m *Meter) ChargeChecks(n int, pub crypto.PublicKey) error {
	return m.chargeUnits(int64(n)*CheckCost(pub), "signature checks")
}

// CheckCost returns the units that one signature check with pub costs. For RSA that is the square of
// the modulus in words, twice for each bit of the exponent.
func CheckCost(pub crypto.PublicKey) int64 {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		words := int64(k.N.BitLen()/64 + 1)
		exponent := int64(math.Ilogb(float64(max(k.E, 1))) + 1)
		return max(costCheck, costLimbs*words*words*2*exponent)
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return costCheck
		}
	case ed25519.PublicKey:
		return costCheck
	case *dsa.PublicKey:
	}
	return costDear
}

func (m *Meter) chargeUnits(units int64, what string) error {
	spent := m.work.spent.Add(units)
	if m.part != nil {
		m.part.Add(units)
	}
	if spent/contextEvery != (spent-units)/contextEvery {
		if err := m.ctx.Err(); err != nil {
			return err
		}
	}
	if spent > m.work.limit {
		return NewError(ReasonTooMuchWork, "the signature and its keys take more work than a request may cost, the last of it in "+what, m.hint)
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/toy"
)

// suite is f with the toy format's vectors, by two signers.
func suite(f formats.Format) Suite {
	s := Suite{Format: f}
	for i := range 2 {
		secret := ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%032d", i)))
		artifact := []byte(strings.Repeat("an artifact of the toy format\n", 1000))
		signature, key := toy.Sign(secret, artifact)
		v := Vector{
			Name: fmt.Sprint("signer ", i), Signature: signature, Keys: [][]byte{key}, Artifact: artifact, Projects: true,
			Policy: formats.Policy{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		}
		wrong := v
		wrong.Name, wrong.Artifact, wrong.Want = fmt.Sprint("another artifact ", i), []byte("x"), formats.ReasonSignatureInvalid
		s.Vectors = append(s.Vectors, v, wrong)
	}
	return s
}

func TestToyConforms(t *testing.T) { Run(t, suite(toy.New())) }

func TestSuiteNeedsVectors(t *testing.T) {
	s := suite(toy.New())
	for name, vectors := range map[string][]Vector{"none": nil, "refused only": s.Vectors[1:2], "one signer": s.Vectors[:1]} {
		if r := record(t, func(t testing.TB) { checkSuite(t, Suite{s.Format, vectors}) }); len(r.failures) == 0 {
			t.Errorf("%s: nothing was reported", name)
		}
	}
}

// recorder takes down what a check reports.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Error(args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprint(args...))
}

func (r *recorder) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); panic(r) }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); panic(r) }

// record runs a check as Run would, and returns what it reported.
func record(t *testing.T, run func(testing.TB)) (r *recorder) {
	r = &recorder{TB: t}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
	}()
	run(r)
	return r
}

// fails reports whether f does not pass the named check on some vector; any check when the
// name is empty. Each run has vectors of its own, as a mutant may change them.
func fails(t *testing.T, f formats.Format, name string) bool {
	for i := range suite(f).Vectors {
		for j := range suite(f).Vectors[i].selectChecks() {
			s := suite(f)
			c := s.Vectors[i].selectChecks()[j]
			if name != "" && c.name != name {
				continue
			}
			if r := record(t, func(t testing.TB) { c.run(t, s, s.Vectors[i]) }); len(r.failures) > 0 {
				return true
			}
		}
	}
	return false
}

// TestMutants: each broken promise is noticed, by the check that is there for it.
func TestMutants(t *testing.T) {
	if fails(t, mutant{Format: toy.New()}, "") {
		t.Fatal("the format fails without a change")
	}
	covered := map[string]bool{}
	for name, m := range mutants {
		covered[m.check] = true
		t.Run(name, func(t *testing.T) {
			m.change.Format = toy.New()
			if !fails(t, m.change, m.check) {
				t.Errorf("the check %q noticed nothing", m.check)
			}
		})
	}
	for _, c := range slices.Concat(refusedChecks, acceptedChecks) {
		if !covered[c.name] {
			t.Errorf("no mutant is for the check %q", c.name)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package formatstest is the conformance run that every format plugin passes.
package formatstest

import (
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Vector is one submission and what must become of it.
type Vector struct {
	Name      string
	Signature []byte
	Keys      [][]byte
	Artifact  []byte          // nil where the format carries its own
	Digest    *formats.Digest // when set, verified by this digest too
	Policy    formats.Policy
	// Want is the refusal's reason; "" means that the vector verifies.
	Want formats.Reason
	// Projects: a valid vector must yield at least one projection (or none when false).
	Projects bool
	// Unframed marks signatures whose format has no end of its own, so that appended
	// bytes cannot be told from signature bytes at parse time (they still must not verify).
	Unframed bool
	// ExactLines marks signatures whose line ends and last octets are signed.
	ExactLines bool
	// CutStands marks signatures of which a part stands for itself, as another submission: the first two lines of a
	// legacy .minisig file are a signify signature.
	CutStands bool
}

// Suite is one plugin with its vectors. At least one must be valid, and two must be by
// different signers, so that each one's keys can stand in for a stranger's.
type Suite struct {
	Format  formats.Format
	Vectors []Vector
}

// check is one promise of a plugin (see formats.Format and formats.Parsed), tried on one vector.
type check struct {
	name string
	run  func(testing.TB, Suite, Vector)
}

var refusedChecks = []check{
	{"refused", checkRefused},
	{"input untouched", checkInput},
	{"context ended", checkEnded},
}

var acceptedChecks = []check{
	{"accepted", checkAccepted},
	{"projections", checkProjections},
	{"description", checkDescription},
	{"input untouched", checkInput},
	{"input not kept", checkNotKept},
	{"same result again", checkRepeated},
	{"one byte at a time", checkSlow},
	{"several at once", checkConcurrent},
	{"minimal keys verify again", checkMinimalKeys},
	{"digest", checkDigests},
	{"signed digest", checkSignedDigest},
	{"artifact missing", checkMissing},
	{"artifact altered", checkAltered},
	{"constant memory", checkMemory},
	{"reader fails", checkReader},
	{"cancelled", checkCancelled},
	{"context ended", checkEnded},
	{"work limited", checkWorkLimited},
	{"work linear", checkWorkLinear},
	{"signature cut", checkCut},
	{"bytes appended", checkAppended},
	{"bits flipped", checkFlipped},
	{"wrapped", checkWrapped},
	{"forbidden signer", checkForbidden},
	{"allowed signers", checkAllowed},
	{"policy's keys", checkPolicyKeys},
	{"historical exceptions", checkExceptions},
	{"without whole", checkWithoutWhole},
}

func (v Vector) selectChecks() []check {
	if v.Want != "" {
		return refusedChecks
	}
	return acceptedChecks
}

// Run checks the plugin's promises on each vector.
func Run(t *testing.T, s Suite) {
	checkSuite(t, s)
	for _, v := range s.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			for _, c := range v.selectChecks() {
				t.Run(c.name, func(t *testing.T) { c.run(t, s, v) })
			}
		})
	}
}

func checkSuite(t testing.TB, s Suite) {
	valid, strangers := 0, 0
	for _, v := range s.Vectors {
		if v.Want != "" {
			continue
		}
		valid++
		if strangersKeys(t, s, v) != nil {
			strangers++
		}
	}
	if valid == 0 {
		t.Error("the suite has no valid vector")
	}
	if strangers == 0 {
		t.Error("the suite has no two valid vectors of which one's keys are strangers to the other")
	}
}

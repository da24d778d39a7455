// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// checkForbidden: no signer may be a forbidden one, whatever else the policy says.
func checkForbidden(t testing.TB, s Suite, v Vector) {
	signers := signerIDs(mustSubmit(t, s, v))
	for i, id := range signers {
		v.Policy.ForbiddenSigners = [][sha256.Size]byte{{1}, id}
		for _, allowed := range [][][sha256.Size]byte{nil, signers} {
			v.Policy.AllowedSigners = allowed
			_, err := submitVector(t, s, v, bytes.NewReader(v.Artifact))
			if formats.ReasonOf(err) != formats.ReasonForbiddenSigner {
				t.Errorf("signer %d is forbidden: %v", i, err)
			}
		}
	}
}

// checkAllowed: with a list of signers, each must be on it.
func checkAllowed(t testing.TB, s Suite, v Vector) {
	v.Policy.AllowedSigners = signerIDs(mustSubmit(t, s, v))
	mustSubmit(t, s, v)
	v.Policy.AllowedSigners = [][sha256.Size]byte{{1}}
	if _, err := submitVector(t, s, v, bytes.NewReader(v.Artifact)); formats.ReasonOf(err) != formats.ReasonKeyNotTrusted {
		t.Errorf("the signer is not among those allowed: %v", err)
	}
	v.Policy.AllowedIdentities, v.Policy.AllowedSigners = []formats.Identity{{SAN: "email:nobody@example.com"}}, nil
	if _, err := submitVector(t, s, v, bytes.NewReader(v.Artifact)); formats.ReasonOf(err) != formats.ReasonKeyNotTrusted {
		t.Errorf("somebody else's certificate is allowed alone: %v", err)
	}
}

// checkExceptions: what is let pass needs the exceptions that its findings name, each of them and no other, and
// a date before the policy's where that has one.
func checkExceptions(t testing.TB, s Suite, v Vector) {
	parse := func() (formats.Parsed, error) {
		return formats.NewRegistry(s.Format).Parse(t.Context(), s.Format.Name(), v.Signature, v.Keys, v.Policy)
	}
	parsed, err := parse()
	if err != nil {
		t.Fatal(err)
	}
	d := parsed.Describe()
	needed := d.UsedExceptions()
	for _, f := range d.Findings {
		if f.Exception == 0 {
			t.Errorf("the finding %q names no exception", f.Message)
		}
	}
	v.Policy.Historical = formats.Historical{Allow: needed}
	if _, err := parse(); err != nil {
		t.Errorf("with what it needs, %v: %v", needed, err)
	}
	for _, name := range needed.Names() {
		one, _ := formats.ParseExceptions([]string{name})
		v.Policy.Historical = formats.Historical{Allow: formats.AllExceptions &^ one}
		if _, err := parse(); err == nil {
			t.Errorf("passed without %v", one)
		}
	}
	if needed != 0 && len(d.Parts) == 0 {
		checkAges(t, s, v, d.ClaimedTime)
	}
}

// checkAges: the policy's date keeps out what does not say that it is older, unless it is proven to be.
func checkAges(t testing.TB, s Suite, v Vector, claimed *time.Time) {
	t.Helper()
	isTaken := func(before, known time.Time) bool {
		v.Policy.Historical = formats.Historical{Allow: formats.AllExceptions, SignedBefore: before}
		v.Policy.KnownBy = known
		_, err := formats.NewRegistry(s.Format).Parse(t.Context(), s.Format.Name(), v.Signature, v.Keys, v.Policy)
		return err == nil
	}
	date := v.Policy.Now
	if claimed != nil {
		date = *claimed
	}
	if isTaken(date, time.Time{}) || isTaken(date, date) {
		t.Errorf("taken as of before %v", date)
	}
	if got := isTaken(date.Add(time.Second), time.Time{}); got != (claimed != nil) {
		t.Errorf("of before a second later, with the claim %v: %v", claimed, got)
	}
	if !isTaken(date.Add(time.Second), date) {
		t.Errorf("proven to be of before %v and refused", date)
	}
	v.Policy.Historical.LoggedBefore = v.Policy.Now
	if _, err := formats.NewRegistry(s.Format).Parse(t.Context(), s.Format.Name(), v.Signature, v.Keys, v.Policy); err == nil {
		t.Error("taken after the end of the exceptions")
	}
}

func signerIDs(v *formats.Verified) [][sha256.Size]byte {
	var ids [][sha256.Size]byte
	for _, s := range v.Signers {
		ids = append(ids, sha256.Sum256(s.SPKI))
	}
	return ids
}

// notTrusted are the ways to say that the policy's keys did not sign. Where a key is a list of
// keys (TUF's root), too few of them may have.
var notTrusted = []formats.Reason{formats.ReasonKeyNotTrusted, formats.ReasonKeyMismatch, formats.ReasonThresholdNotMet}

// checkPolicyKeys: the policy's keys win over those that are sent, and do without any.
func checkPolicyKeys(t testing.TB, s Suite, v Vector) {
	own := mustSubmit(t, s, v).Keys
	if stranger := strangersKeys(t, s, v); stranger != nil {
		trusting := withKeys(s, v, stranger)
		_, err := submitVector(t, s, trusting, bytes.NewReader(v.Artifact))
		if !slices.Contains(notTrusted, formats.ReasonOf(err)) {
			t.Errorf("the policy's keys are a stranger's: %v", err)
		}
	}
	if len(own) > 0 {
		trusting := withKeys(s, v, own)
		mustSubmit(t, s, trusting)
		trusting.Keys = nil
		mustSubmit(t, s, trusting)
	}
}

func withKeys(s Suite, v Vector, keys [][]byte) Vector {
	v.Policy.Keys = maps.Clone(v.Policy.Keys)
	if v.Policy.Keys == nil {
		v.Policy.Keys = map[string][][]byte{}
	}
	v.Policy.Keys[s.Format.Name()] = keys
	return v
}

// strangersKeys returns the keys of another vector that do not do for v, or nil.
func strangersKeys(t testing.TB, s Suite, v Vector) [][]byte {
	t.Helper()
	if len(v.Policy.Keys[s.Format.Name()]) > 0 {
		return nil
	}
	for _, other := range s.Vectors {
		if other.Want != "" || len(other.Keys) == 0 || slices.EqualFunc(other.Keys, v.Keys, bytes.Equal) {
			continue
		}
		try := v
		try.Keys = mustSubmit(t, s, other).Keys
		if len(try.Keys) == 0 {
			continue
		}
		if _, err := submitVector(t, s, try, bytes.NewReader(v.Artifact)); err != nil {
			return try.Keys
		}
	}
	return nil
}

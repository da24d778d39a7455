// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"testing"
)

func checkAltered(t testing.TB, s Suite, v Vector) {
	if v.Artifact == nil {
		return
	}
	changed := bytes.Clone(v.Artifact)
	changed[len(changed)/2] ^= 1
	cut := v.Artifact[:len(v.Artifact)/2]
	for _, other := range [][]byte{append(bytes.Clone(v.Artifact), 'x'), cut, changed, []byte("another artifact"), {}} {
		if _, err := submitVector(t, s, v, bytes.NewReader(other)); err == nil {
			t.Errorf("accepted for %.20q", other)
		}
	}
}

func checkCut(t testing.TB, s Suite, v Vector) {
	first := mustSubmit(t, s, v)
	step := len(v.Signature)/64 + 1
	for n := 0; n < len(bytes.TrimSpace(v.Signature)); n += step {
		cut := v
		cut.Signature = v.Signature[:n:n]
		got, err := submitVector(t, s, cut, bytes.NewReader(v.Artifact))
		if err == nil && (!v.CutStands || bytes.Equal(got.Canonical, first.Canonical)) {
			t.Errorf("accepted when cut to %d of %d bytes", n, len(v.Signature))
		}
	}
}

func checkAppended(t testing.TB, s Suite, v Vector) {
	for _, tail := range []string{"\x00", "garbage", string(v.Signature)} {
		long := v
		long.Signature = append(bytes.Clone(v.Signature), tail...)
		if _, err := parseVector(t, s, long); err == nil && !v.Unframed {
			t.Errorf("parsed with %.10q appended", tail)
		}
		if _, err := submitVector(t, s, long, bytes.NewReader(v.Artifact)); err == nil {
			t.Errorf("accepted with %.10q appended", tail)
		}
	}
}

// checkFlipped: a signature with one bit changed is refused, or it says the same as before (armor
// headers, unhashed parts): then its canonical form is the same.
func checkFlipped(t testing.TB, s Suite, v Vector) {
	first := mustSubmit(t, s, v)
	step := len(v.Signature)/200 + 1
	for i := 0; i < len(v.Signature); i += step {
		flipped := v
		flipped.Signature = bytes.Clone(v.Signature)
		flipped.Signature[i] ^= 1 << (i % 8)
		got, err := submitVector(t, s, flipped, bytes.NewReader(v.Artifact))
		if err == nil && !bytes.Equal(got.Canonical, first.Canonical) {
			t.Errorf("accepted as another submission with byte %d changed", i)
		}
	}
}

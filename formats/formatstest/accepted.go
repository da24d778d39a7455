// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"io"
	"reflect"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func checkRefused(t testing.TB, s Suite, v Vector) {
	s.Format = registered{s.Format}
	_, err := submitVector(t, s, v, bytes.NewReader(v.Artifact))
	if err == nil {
		t.Fatalf("accepted, want %s", v.Want)
	}
	if r := formats.ReasonOf(err); r != v.Want {
		t.Errorf("reason %s, want %s (%v)", r, v.Want, err)
	}
}

// checkAccepted: the result says who signed what, and how that was found.
func checkAccepted(t testing.TB, s Suite, v Vector) {
	got := mustSubmit(t, s, v)
	if len(got.Signers) == 0 || len(got.Canonical) == 0 || len(got.Checks) == 0 {
		t.Error("signers, canonical signature or checks are missing")
	}
	for _, s := range got.Signers {
		if len(s.SPKI) == 0 || s.Fingerprint == "" || s.Algorithm == "" {
			t.Errorf("signer incomplete: %+v", s)
		}
	}
	for _, d := range got.Digests {
		if d.Algorithm.Hash() == 0 || len(d.Value) != d.Algorithm.Hash().Size() || d.Evidence == "" {
			t.Errorf("digest incomplete: %+v", d)
		}
	}
	if v.Artifact != nil {
		checkBytes(t, got, v.Artifact)
	}
}

// checkBytes: with bytes, each digest is theirs, and SHA-256 is there.
func checkBytes(t testing.TB, got *formats.Verified, artifact []byte) {
	t.Helper()
	sha256 := false
	for _, d := range got.Digests {
		if !d.Equal(computeDigest(d.Algorithm, artifact)) {
			t.Errorf("%s is not the artifact's", d)
		}
		sha256 = sha256 || d.Algorithm == formats.SHA256 && d.Evidence == formats.EvidenceBytes
	}
	if !sha256 {
		t.Error("SHA-256 computed from the bytes is missing")
	}
	if got.Size != int64(len(artifact)) {
		t.Errorf("size %d, want %d", got.Size, len(artifact))
	}
}

func computeDigest(a formats.DigestAlgorithm, b []byte) formats.Digest {
	h := a.New()
	h.Write(b)
	return formats.Digest{Algorithm: a, Value: h.Sum(nil)}
}

// checkProjections: of each signature there are as many as described; they verify by the standard library, which they are
// noted to do, and their recipes rebuild what was signed.
func checkProjections(t testing.TB, s Suite, v Vector) {
	descriptions, verified := mustParse(t, s, v).Describe().Each(), mustSubmit(t, s, v).Each()
	if len(descriptions) != len(verified) {
		t.Fatalf("%d signatures described, %d verified", len(descriptions), len(verified))
	}
	some := false
	for i, got := range verified {
		some = some || len(got.Projections) > 0
		checkProjectionsOf(t, v, descriptions[i], got)
	}
	if some != v.Projects {
		t.Errorf("there are projections: %v, want %v", some, v.Projects)
	}
}

func checkProjectionsOf(t testing.TB, v Vector, d formats.Description, got *formats.Verified) {
	t.Helper()
	if n := len(got.Projections); n > len(d.Candidates) || n > 0 && n < d.Threshold {
		t.Fatalf("%d projections of %d candidates, threshold %d", n, len(d.Candidates), d.Threshold)
	}
	for i, p := range got.Projections {
		if !slices.ContainsFunc(d.Candidates, func(c formats.Candidate) bool { return reflect.DeepEqual(c, p.Candidate) }) {
			t.Errorf("projection %d is no candidate", i)
		}
		if !slices.ContainsFunc(got.Signers, func(s formats.Signer) bool { return bytes.Equal(s.SPKI, p.SPKI) }) {
			t.Errorf("projection %d is no signer's", i)
		}
		checkProjection(t, i, p, v.Artifact)
	}
}

func checkProjection(t testing.TB, i int, p formats.Projection, artifact []byte) {
	t.Helper()
	signed, err := io.ReadAll(p.Recipe.Reader(bytes.NewReader(artifact)))
	if err != nil {
		t.Fatal(err)
	}
	if !computeDigest(p.Hash, signed).Equal(p.Digest) || p.Message != nil && !bytes.Equal(p.Message, signed) {
		t.Errorf("projection %d: the recipe rebuilds other bytes", i)
	}
	again := p.WithCheckOf(formats.Projection{})
	if p.Scheme == formats.Ed25519 {
		again.Message = signed
	}
	if err := again.VerifyDigest(); err != nil {
		t.Errorf("projection %d: %v", i, err)
		return
	}
	if !p.IsChecked() && p.Scheme != formats.RSAPSS { // of which a format may check more than a log does
		t.Errorf("projection %d would be verified once more", i)
	}
}

// checkDescription: it is complete, in one-line texts, and agrees with itself and the result.
func checkDescription(t testing.TB, s Suite, v Vector) {
	d, got := mustParse(t, s, v).Describe(), mustSubmit(t, s, v)
	for i, part := range d.Parts {
		checkDescribed(t, s, part, got.Parts[i])
		if part.Need != d.Need {
			t.Errorf("signature %d needs %s, the file %s", i, part.Need, d.Need)
		}
	}
	checkDescribed(t, s, d, got)
}

func checkDescribed(t testing.TB, s Suite, d formats.Description, got *formats.Verified) {
	t.Helper()
	if d.Format != s.Format.Name() || d.Variant == "" || d.Algorithm == "" || d.Threshold < 1 {
		t.Errorf("description incomplete: %+v", d)
	}
	if !reflect.DeepEqual(d.Signers, got.Signers) {
		t.Errorf("described signers %+v, verified %+v", d.Signers, got.Signers)
	}
	if (len(d.Candidates) == 0) != (d.NotProjectable != nil) || len(d.Findings) > 0 && len(d.Candidates) > 0 {
		t.Error("Candidates, NotProjectable and Findings contradict each other")
	}
	if (len(d.Digests) > 0) != (d.Need == formats.NeedDigest) {
		t.Errorf("needs %s, takes the digests %v", d.Need, d.Digests)
	}
	if d.NotProjectable != nil {
		checkTyped(t, d.NotProjectable)
	}
	checkLines(t, append(slices.Clone(d.Notes), d.Variant, d.Algorithm)...)
	for _, f := range d.Findings {
		checkLines(t, f.Message)
	}
	for _, c := range d.Candidates {
		checkLines(t, c.Remedy)
	}
}

// checkMinimalKeys: the key material kept for the receipt is enough, and a fixed point.
func checkMinimalKeys(t testing.TB, s Suite, v Vector) {
	first := mustSubmit(t, s, v)
	v.Keys = first.Keys
	again := mustSubmit(t, s, v)
	if !bytes.Equal(first.Canonical, again.Canonical) || !slices.EqualFunc(first.Keys, again.Keys, bytes.Equal) ||
		!reflect.DeepEqual(first.Signers, again.Signers) || len(first.Projections) != len(again.Projections) {
		t.Error("the minimal keys gave another result")
	}
}

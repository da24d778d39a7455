// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// checkDigests: a digest does where the description says so, and nowhere else. Of several
// digests that are listed one is the signature's, and it may be that of the artifact as text.
func checkDigests(t testing.TB, s Suite, v Vector) {
	p := mustParse(t, s, v)
	d := p.Describe()
	if v.Digest != nil {
		checkDigest(t, s, v, p, *v.Digest)
	}
	if v.Artifact == nil || d.Need == formats.NeedNone {
		return
	}
	for _, a := range []formats.DigestAlgorithm{formats.SHA256, formats.SHA384, formats.SHA512, formats.BLAKE2b512} {
		digest := computeDigest(a, v.Artifact)
		_, err := verifyArtifact(t, p, formats.FromDigest(digest))
		if err != nil {
			checkTyped(t, err)
		}
		r := formats.ReasonOf(err)
		switch refused := r == formats.ReasonNeedsBytes || r == formats.ReasonWrongDigestAlgorithm; {
		case refused == slices.Contains(d.Digests, a):
			t.Errorf("%s of the artifact, of %v: %v", a, d.Digests, err)
		case err == nil:
			checkDigest(t, s, v, p, digest)
		}
	}
}

// checkDigest: the digest gives the bytes' result but for their size, nothing is said of other
// digests, and another digest is refused.
func checkDigest(t testing.TB, s Suite, v Vector, p formats.Parsed, digest formats.Digest) {
	t.Helper()
	got, err := verifyArtifact(t, p, formats.FromDigest(digest))
	if err != nil {
		t.Fatalf("%s: %v", digest.Algorithm, err)
	}
	if !bytes.Equal(got.Canonical, mustSubmit(t, s, v).Canonical) || got.Size != -1 {
		t.Error("the digest gave another result than the bytes")
	}
	for _, d := range got.Digests {
		if d.Evidence != formats.EvidenceDigest || !d.Equal(digest) {
			t.Errorf("a digest that was not seen: %v", d)
		}
	}
	wrong := formats.Digest{Algorithm: digest.Algorithm, Value: bytes.Clone(digest.Value)}
	wrong.Value[0] ^= 1
	short := formats.Digest{Algorithm: digest.Algorithm, Value: digest.Value[:len(digest.Value)-1]}
	for _, other := range []formats.Digest{wrong, short, {Algorithm: digest.Algorithm}, {}} {
		if _, err := verifyArtifact(t, p, formats.FromDigest(other)); err == nil {
			t.Errorf("another digest was accepted: %q", other)
		} else {
			checkTyped(t, err)
		}
	}
}

// checkSignedDigest: what the description offers to take verifies, says nothing of the artifact's
// own digest, and another one is refused.
func checkSignedDigest(t testing.TB, s Suite, v Vector) {
	p, first := mustParse(t, s, v), mustSubmit(t, s, v)
	offered := p.Describe().SignedDigests
	for _, projection := range first.Projections {
		digest := projection.SignedDigest()
		if !slices.Contains(offered, digest.Algorithm) {
			continue
		}
		got, err := verifyArtifact(t, p, formats.FromSignedDigest(digest))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Canonical, first.Canonical) || v.Artifact != nil && (len(got.Digests) > 0 || got.Size != -1) {
			t.Errorf("a signed digest says %v of the artifact, size %d", got.Digests, got.Size)
		}
		wrong := formats.Digest{Algorithm: digest.Algorithm, Value: bytes.Clone(digest.Value)}
		wrong.Value[len(wrong.Value)-1] ^= 1
		if _, err := verifyArtifact(t, p, formats.FromSignedDigest(wrong)); err == nil {
			t.Error("another signed digest was accepted")
		} else {
			checkTyped(t, err)
		}
	}
}

// checkMissing: no artifact is no signature over one, unless the format carries it.
func checkMissing(t testing.TB, s Suite, v Vector) {
	p := mustParse(t, s, v)
	_, err := verifyArtifact(t, p, formats.Artifact{})
	if none := p.Describe().Need == formats.NeedNone; none && err != nil {
		t.Errorf("refused without an artifact, which it says it does not need: %v", err)
	} else if !none && formats.ReasonOf(err) != formats.ReasonMissingArtifact {
		t.Errorf("without an artifact: %v", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package formatstest is the conformance run that every format plugin passes.
package formatstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"

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
}

// Suite is one plugin with its vectors; at least one must be valid.
type Suite struct {
	Format  formats.Format
	Vectors []Vector
}

// Run checks the plugin's promises (see formats.Format and formats.Parsed) on each vector.
func Run(t *testing.T, s Suite) {
	valid := 0
	for _, v := range s.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			if v.Want != "" {
				checkRefused(t, s.Format, v)
				return
			}
			checkAccepted(t, s.Format, v)
		})
		if v.Want == "" {
			valid++
		}
	}
	if valid == 0 {
		t.Error("the suite has no valid vector")
	}
}

// verify runs Parse and Verify over a reader.
func verify(f formats.Format, v Vector, r io.Reader) (*formats.Verified, error) {
	p, err := f.Parse(v.Signature, v.Keys, v.Policy)
	if err != nil {
		return nil, err
	}
	return p.Verify(context.Background(), artifact(v, r))
}

func artifact(v Vector, r io.Reader) formats.Artifact {
	if v.Artifact == nil {
		return formats.Artifact{}
	}
	return formats.FromReader(r)
}

func checkRefused(t *testing.T, f formats.Format, v Vector) {
	got, err := verify(f, v, bytes.NewReader(v.Artifact))
	if got != nil || err == nil {
		t.Fatalf("accepted, want %s", v.Want)
	}
	checkTyped(t, err)
	if r := formats.ReasonOf(err); r != v.Want {
		t.Errorf("reason %s, want %s (%v)", r, v.Want, err)
	}
}

// checkTyped: a refusal is an *Error with one-line texts.
func checkTyped(t *testing.T, err error) {
	t.Helper()
	var e *formats.Error
	if !errors.As(err, &e) {
		t.Fatalf("refusal is no *formats.Error: %v", err)
	}
	if e.Message == "" || bytes.ContainsAny([]byte(e.Message+e.Hint), "\n\r\x00") {
		t.Errorf("message %q or hint %q is not one line", e.Message, e.Hint)
	}
}

func checkAccepted(t *testing.T, f formats.Format, v Vector) {
	sig, keys := bytes.Clone(v.Signature), cloneAll(v.Keys)
	first, err := verify(f, v, bytes.NewReader(v.Artifact))
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	if !bytes.Equal(sig, v.Signature) || !slices.EqualFunc(keys, v.Keys, bytes.Equal) {
		t.Error("the plugin changed its input")
	}
	checkVerified(t, f, v, first)
	t.Run("one byte at a time", func(t *testing.T) {
		again, err := verify(f, v, iotest.OneByteReader(bytes.NewReader(v.Artifact)))
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, first, again)
	})
	t.Run("minimal keys verify again", func(t *testing.T) { checkMinimalKeys(t, f, v, first) })
	t.Run("digest", func(t *testing.T) { checkDigest(t, f, v, first) })
	t.Run("artifact altered", func(t *testing.T) { checkAltered(t, f, v) })
	t.Run("reader fails", func(t *testing.T) { checkReader(t, f, v) })
	t.Run("cancelled", func(t *testing.T) { checkCancelled(t, f, v) })
	t.Run("signature cut", func(t *testing.T) { checkCut(t, f, v) })
	t.Run("bytes appended", func(t *testing.T) { checkAppended(t, f, v) })
	t.Run("bits flipped", func(t *testing.T) { checkFlipped(t, f, v, first) })
}

func cloneAll(in [][]byte) [][]byte {
	out := make([][]byte, len(in))
	for i := range in {
		out[i] = bytes.Clone(in[i])
	}
	return out
}

func checkVerified(t *testing.T, f formats.Format, v Vector, got *formats.Verified) {
	t.Helper()
	if len(got.Signers) == 0 || len(got.Canonical) == 0 || len(got.Checks) == 0 {
		t.Error("signers, canonical signature or checks are missing")
	}
	for _, s := range got.Signers {
		if len(s.SPKI) == 0 || s.Fingerprint == "" || s.Algorithm == "" {
			t.Errorf("signer incomplete: %+v", s)
		}
	}
	if v.Artifact != nil {
		want := formats.SHA256.New()
		want.Write(v.Artifact)
		d := find(got.Digests, formats.SHA256)
		if d == nil || !bytes.Equal(d.Value, want.Sum(nil)) || d.Evidence != formats.EvidenceBytes {
			t.Error("SHA-256 of the artifact is missing or wrong")
		}
		if got.Size != int64(len(v.Artifact)) {
			t.Errorf("size %d, want %d", got.Size, len(v.Artifact))
		}
	}
	if (len(got.Projections) > 0) != v.Projects {
		t.Errorf("%d projections, want some: %v", len(got.Projections), v.Projects)
	}
	for i, p := range got.Projections {
		checkProjection(t, i, p, v.Artifact)
	}
	if d := describe(t, f, v); (len(d.Candidates) == 0) != (d.NotProjectable != nil) {
		t.Error("Candidates and NotProjectable contradict each other")
	}
}

func describe(t *testing.T, f formats.Format, v Vector) formats.Description {
	t.Helper()
	p, err := f.Parse(v.Signature, v.Keys, v.Policy)
	if err != nil {
		t.Fatal(err)
	}
	d := p.Describe()
	if d.Format != f.Name() || d.Variant == "" || d.Algorithm == "" || d.Threshold < 1 || len(d.Signers) == 0 {
		t.Errorf("description incomplete: %+v", d)
	}
	return d
}

func find(ds []formats.ArtifactDigest, a formats.DigestAlgorithm) *formats.ArtifactDigest {
	for i := range ds {
		if ds[i].Algorithm == a {
			return &ds[i]
		}
	}
	return nil
}

// checkProjection: it verifies by the standard library, and its recipe rebuilds what was signed.
func checkProjection(t *testing.T, i int, p formats.Projection, artifact []byte) {
	t.Helper()
	if err := p.VerifyDigest(); err != nil {
		t.Errorf("projection %d: %v", i, err)
	}
	h := p.Hash.New()
	if _, err := io.Copy(h, p.Recipe.Reader(bytes.NewReader(artifact))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(h.Sum(nil), p.Digest.Value) {
		t.Errorf("projection %d: the recipe rebuilds other bytes", i)
	}
}

func checkSame(t *testing.T, a, b *formats.Verified) {
	t.Helper()
	if !bytes.Equal(a.Canonical, b.Canonical) || !slices.EqualFunc(a.Keys, b.Keys, bytes.Equal) ||
		len(a.Projections) != len(b.Projections) || len(a.Digests) != len(b.Digests) {
		t.Error("the same input gave another result")
	}
}

// checkMinimalKeys: the key material kept for the receipt is enough, and a fixed point.
func checkMinimalKeys(t *testing.T, f formats.Format, v Vector, first *formats.Verified) {
	v.Keys = first.Keys
	again, err := verify(f, v, bytes.NewReader(v.Artifact))
	if err != nil {
		t.Fatal(err)
	}
	checkSame(t, first, again)
}

func checkDigest(t *testing.T, f formats.Format, v Vector, first *formats.Verified) {
	if v.Digest == nil {
		return
	}
	p, err := f.Parse(v.Signature, v.Keys, v.Policy)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Verify(context.Background(), formats.FromDigest(*v.Digest))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Canonical, first.Canonical) || got.Size != -1 {
		t.Error("the digest gave another result than the bytes")
	}
	for _, d := range got.Digests {
		if d.Evidence != formats.EvidenceDigest || !d.Equal(*v.Digest) {
			t.Errorf("a digest that was not seen: %v", d)
		}
	}
	wrong := formats.Digest{Algorithm: v.Digest.Algorithm, Value: bytes.Clone(v.Digest.Value)}
	wrong.Value[0] ^= 1
	if got, err := p.Verify(context.Background(), formats.FromDigest(wrong)); err == nil || got != nil {
		t.Error("another digest was accepted")
	}
}

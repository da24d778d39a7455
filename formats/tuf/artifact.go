// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"context"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// subject is what a submission is about: the document, or one target that it lists.
type subject struct {
	digests []formats.ArtifactDigest
	size    int64
	target  *target // nil for the document
}

// Verify checks the artifact, if one is given: it is the document itself or a target.
func (s *submission) Verify(ctx context.Context, a formats.Artifact) (*formats.Verified, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, fmt.Errorf("verifying metadata: %w", err)
	}
	if err := m.ChargeBytes((2 + len(s.recorded)) * len(s.doc.payload)); err != nil { // hashed for each projection
		return nil, err
	}
	sub, err := s.findSubject(ctx, m, a)
	if err != nil {
		return nil, err
	}
	v := &formats.Verified{Digests: sub.digests, Size: sub.size, Signers: s.desc.Signers, Keys: s.trust.listFiles(),
		Canonical: s.canonical, Checks: slices.Clone(s.checks)}
	if sub.target != nil && sub.size >= 0 {
		v.Checks = append(v.Checks, "target-length", "target-hashes")
	} else if sub.target != nil {
		v.Checks = append(v.Checks, "target-digest")
	}
	for _, r := range s.recorded {
		v.Projections = append(v.Projections, r.key.buildProjection(s.doc.payload, r.sig).WithCheckOf(r.checked))
	}
	return v, nil
}

func (s *submission) findSubject(ctx context.Context, m *formats.Meter, a formats.Artifact) (*subject, error) {
	switch {
	case a.Reader() != nil:
		return s.fromBytes(ctx, m, a.Reader())
	case a.Digest() != nil:
		return s.fromDigest(m, *a.Digest())
	case a.SignedDigest() != nil:
		return nil, formats.NewError(formats.ReasonArtifactNotExpected, "the metadata carries the bytes that are signed",
			"send the metadata file without a digest of the signed bytes")
	}
	return s.describeDocument(), nil
}

func (s *submission) describeDocument() *subject {
	digest := formats.Digest{Algorithm: formats.SHA256, Value: s.doc.digest[:]}
	return &subject{size: int64(len(s.doc.raw)),
		digests: []formats.ArtifactDigest{{Digest: digest, Evidence: formats.EvidenceBytes}}}
}

func (s *submission) fromBytes(ctx context.Context, m *formats.Meter, r io.Reader) (*subject, error) {
	size, digests, err := s.hashArtifact(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("reading artifact: %w", err)
	}
	if bytes.Equal(digests[0].Value, s.doc.digest[:]) {
		return s.describeDocument(), nil
	}
	t, err := s.findTarget(m, func(t target) bool { return t.matchesFile(size, digests) })
	if err != nil {
		return nil, err
	}
	sub := &subject{size: size, target: t}
	for _, d := range digests {
		sub.digests = append(sub.digests, formats.ArtifactDigest{Digest: d, Evidence: formats.EvidenceBytes})
	}
	return sub, nil
}

func (s *submission) findTarget(m *formats.Meter, match func(target) bool) (*target, error) {
	return s.doc.targets.findTarget(m, s.quorums[0].role, match)
}

// hashArtifact computes every digest that the document lists targets with, SHA-256 first.
func (s *submission) hashArtifact(ctx context.Context, r io.Reader) (int64, []formats.Digest, error) {
	algorithms := []formats.DigestAlgorithm{formats.SHA256}
	if s.doc.targets != nil {
		algorithms = s.doc.targets.listAlgorithms()
	}
	var hashes []hash.Hash
	var writers []io.Writer
	for _, a := range algorithms {
		h := a.New()
		hashes, writers = append(hashes, h), append(writers, h)
	}
	size, err := formats.Copy(ctx, io.MultiWriter(writers...), r)
	if err != nil {
		return 0, nil, err
	}
	digests := make([]formats.Digest, len(hashes))
	for i, h := range hashes {
		digests[i] = formats.Digest{Algorithm: algorithms[i], Value: h.Sum(nil)}
	}
	return size, digests, nil
}

// fromDigest takes a digest of the document, or one that it lists a target with.
func (s *submission) fromDigest(m *formats.Meter, d formats.Digest) (*subject, error) {
	if d.Algorithm.Hash() == 0 {
		return nil, formats.NewError(formats.ReasonMalformedDigest, "the digest's algorithm is not known", "give a SHA-256")
	}
	h := d.Algorithm.New()
	h.Write(s.doc.raw)
	if bytes.Equal(h.Sum(nil), d.Value) {
		return s.describeDocument(), nil
	}
	t, err := s.findTarget(m, func(t target) bool { return slices.ContainsFunc(t.hashes, d.Equal) })
	if err != nil {
		return nil, err
	}
	return &subject{size: -1, target: t,
		digests: []formats.ArtifactDigest{{Digest: d, Evidence: formats.EvidenceDigest}}}, nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// buildSubmission returns what will be sent: a digest in place of the artifact where the format
// allows it and no flag says otherwise.
func (a *attempt) buildSubmission(ctx context.Context) (client.Submission, error) {
	signature, keys, err := a.readInputs(ctx)
	if err != nil {
		return client.Submission{}, err
	}
	if err := refuseSecrets(ctx, signature, keys); err != nil {
		return client.Submission{}, err
	}
	h, err := a.buildHeader(signature, keys)
	if err != nil {
		return client.Submission{}, err
	}
	s := client.Submission{Header: h}
	switch {
	case a.digest != "":
		h.Digest = a.digest
	case a.sendBytes || a.decompress != "":
		if a.path != "" { // formats that carry their artifact need none
			s.Artifact = a.sendArtifact
		}
	default:
		defer a.notes.sayWaiting("verifying the signature over " + a.artifact)()
		err = a.chooseDigest(ctx, &s)
	}
	return s, err
}

// refuseSecrets keeps private keys on this machine, also where the gateway alone judges.
func refuseSecrets(ctx context.Context, signature []byte, keys [][]byte) error {
	m, err := formats.StartWork(ctx, "")
	if err != nil {
		return err
	}
	if err := formats.CheckSecret(m.Unlimited(), "as the signature", signature); err != nil {
		return err
	}
	for _, k := range keys {
		if err := formats.CheckSecret(m.Unlimited(), "as a key", k); err != nil {
			return err
		}
	}
	return nil
}

// chooseDigest verifies the signature over the artifact on this machine, and puts a digest into the
// header in place of the artifact. Where no digest is enough, the artifact itself is sent.
func (a *attempt) chooseDigest(ctx context.Context, s *client.Submission) error {
	h := s.Header
	parsed, err := a.parseHere(ctx, h)
	if err != nil {
		return err
	}
	verified, err := a.verifyHere(ctx, parsed)
	if err != nil {
		return err
	}
	a.parsed, a.verified = parsed, verified
	way := func() gateway.Way { return gateway.Way(nameWay(h.GetWay())) }
	if chooseEvidence(ctx, h, parsed, verified, a.path != "", way) {
		a.notes.say("note: the artifact itself is sent: no digest of it is enough for this signature")
		s.Artifact = a.sendArtifact
	}
	return nil
}

// chooseEvidence puts what verified the signature into the header, as little of it as will do: the signer's keys, without other
// people's keys, user IDs and principals, and a digest in place of the artifact. It reports whether no digest is enough, so that
// the artifact itself has to be sent. hasArtifact says whether there is one that is not inside the signature; way, which is asked where that
// makes a difference, where it will be recorded, as far as that is known.
func chooseEvidence(
	ctx context.Context, h *pb.SubmissionHeader, parsed formats.Parsed, verified *formats.Verified, hasArtifact bool, way func() gateway.Way,
) (needsBytes bool) {
	if len(verified.Keys) > 0 {
		h.Keys = verified.Keys
	}
	d := parsed.Describe()
	switch {
	case d.Need == formats.NeedNone && !hasArtifact:
		return false
	case d.Need != formats.NeedBytes:
		if digest := findSufficientDigest(ctx, parsed, verified); digest != nil {
			h.Digest = digest.String()
			return false
		}
	case isProjected(d, h, gateway.Direct), isProjected(d, h, gateway.Batched) && way() == gateway.Batched:
		h.SignedDigest = verified.Projections[0].SignedDigest().String()
		return false
	}
	return true
}

// parseHere reads the signature on this machine, as leniently as any gateway may.
func (a *attempt) parseHere(ctx context.Context, h *pb.SubmissionHeader) (formats.Parsed, error) {
	return all.Formats().Parse(ctx, h.GetFormat(), h.GetSignature(), h.GetKeys(), formats.Policy{
		Now: time.Now(), Historical: formats.AllowAll(true), SSHNamespaces: a.namespaces, KnownOnly: a.which == "known",
	})
}

// verifyHere verifies the signature over the artifact on this machine.
func (a *attempt) verifyHere(ctx context.Context, parsed formats.Parsed) (*formats.Verified, error) {
	var artifact formats.Artifact
	if a.path != "" {
		file, err := a.openArtifact()
		if err != nil {
			return nil, err
		}
		defer file.Close() //nolint:errcheck // only read
		artifact = formats.FromReader(file)
	} else if parsed.Describe().Need != formats.NeedNone {
		return nil, withHint(fmt.Errorf("the artifact is missing"), "name the signed file with --artifact, or its digest with --digest")
	}
	return parsed.Verify(ctx, artifact)
}

// findSufficientDigest returns the artifact's digest that the signature verifies with, or nil.
func findSufficientDigest(ctx context.Context, parsed formats.Parsed, v *formats.Verified) *formats.Digest {
	candidates := make([]formats.Digest, 0, len(v.Digests)+len(v.Projections))
	for _, d := range v.Digests {
		candidates = append(candidates, d.Digest)
	}
	for _, p := range v.Projections {
		if p.Native {
			candidates = append(candidates, p.Digest)
		}
	}
	for _, d := range candidates {
		if _, err := parsed.Verify(ctx, formats.FromDigest(d)); err == nil {
			return &d
		}
	}
	return nil
}

// isProjected reports whether the digest of the signed bytes is enough: the signature is one
// that will be projected where it is recorded that way.
func isProjected(d formats.Description, h *pb.SubmissionHeader, way gateway.Way) bool {
	if len(d.SignedDigests) == 0 || len(d.Candidates) != 1 {
		return false
	}
	want := h.GetRepresentation()
	if want != receiptpb.Receipt_REPRESENTATION_UNSPECIFIED && want != receiptpb.Receipt_PROJECTED {
		return false
	}
	plan, err := plannerOf(way).Plan(d, gateway.Projected)
	return err == nil && plan.Chosen == gateway.Projected
}

// SPDX-License-Identifier: Apache-2.0

package evidence

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Choose puts what verified the signature into the header, as little of it as will do: the signer's keys, without other
// people's keys, user IDs and principals, and a digest in place of the artifact. It reports whether no digest is enough, so that
// the artifact itself has to be sent. hasArtifact says whether there is one that is not inside the signature; way, which is asked where that
// makes a difference, where it will be recorded, as far as that is known.
func Choose(
	ctx context.Context, h *pb.SubmissionHeader, parsed formats.Parsed, verified *formats.Verified, hasArtifact bool, way func() gateway.Way,
) (needsBytes bool) {
	if len(verified.Keys) > 0 {
		h.Keys = verified.Keys
	}
	d := parsed.Describe()
	switch {
	case d.Need == formats.NeedNone && !hasArtifact:
		return false
	case h.GetRepresentation() == receiptpb.Receipt_NATIVE && d.Whole != nil && !d.Whole.Embedded: // which a log of Rekor v1 alone has, with the file
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
	plan, err := PlannerOf(way).Plan(d, gateway.Projected)
	return err == nil && plan.Chosen == gateway.Projected
}

// MaxUnpacked bounds what comes out of a container that is read to verify a signature or receipt, in bytes.
const MaxUnpacked = 64 << 30

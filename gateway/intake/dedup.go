// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// dedupKey recognises the same submission: every part is preceded by its length.
func (d *Draft) dedupKey(v *formats.Verified, r gateway.Representation) gateway.SubmissionKey {
	h := sha256.New()
	part := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(b)))
		h.Write(b)
	}
	for _, s := range []string{
		d.request.Tenant, d.plan.Description.Format, string(r), fmt.Sprint(d.policy.Historical, d.request.PublishCertificate),
	} {
		part([]byte(s))
	}
	part(v.Canonical)
	for _, c := range v.Checks { // what policy made us check more is another submission
		part([]byte(c))
	}
	for _, s := range signerIDs(v) {
		part(s[:])
	}
	for _, g := range v.Digests {
		part([]byte(g.String() + " " + string(g.Evidence)))
	}
	if len(v.Digests) == 0 {
		for _, p := range v.Projections {
			part(p.Digest.Value)
		}
	}
	return gateway.SubmissionKey(h.Sum(nil))
}

func digestsOf(v *formats.Verified) []formats.Digest {
	out := make([]formats.Digest, len(v.Digests))
	for i, d := range v.Digests {
		out[i] = d.Digest
	}
	return out
}

// signerIDs returns the SHA-256 of each signer's SPKI, sorted.
func signerIDs(v *formats.Verified) [][32]byte {
	out := make([][32]byte, len(v.Signers))
	for i, s := range v.Signers {
		out[i] = sha256.Sum256(s.SPKI)
	}
	slices.SortFunc(out, func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
	return out
}

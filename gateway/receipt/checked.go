// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Checked is a signature that the caller has parsed and verified himself, by keys and a policy of his choice, over the artifact that a receipt of it is to be
// for. A receipt that it Fits says nothing of the signature that parsing and verifying would not find again: all else of it is verified as ever.
type Checked struct {
	Content     []byte // the signature file
	Description formats.Description
	Verified    *formats.Verified
	At          time.Time // at which it was judged
}

// MayFit reports whether there are receipts that c Fits: the file holds one signature and no other that was let pass, and nothing is wrong with it.
func (c *Checked) MayFit() bool {
	d := c.Description
	return len(d.Parts) == 0 && len(d.Unchecked) == 0 && len(d.Findings) == 0
}

// Fits reports whether c may stand in Options for the signature and the artifact of a receipt: the receipt is for that file, with the keys that verify it alone,
// names no other digests of the artifact than were computed, and was made by no exception to what is good. trust may be nil.
func (c *Checked) Fits(r *receiptpb.Receipt, trust *trustroot.Gateway) bool {
	s, d := r.GetSignature(), c.Description
	switch {
	case r.GetFormatVersion() > versionOne && !isAlone(r) || !c.MayFit() || r.GetPolicy().GetHistorical():
		return false
	case s.GetFormat() != d.Format || !bytes.Equal(s.GetContent(), c.Content) || !slices.EqualFunc(s.GetKeys(), c.Verified.Keys, bytes.Equal):
		return false
	case trust != nil && slices.ContainsFunc(identities(d.Signers), func(id [sha256.Size]byte) bool { return slices.Contains(trust.IDs(), id) }):
		return false
	}
	return c.hasDigests(r.GetArtifact())
}

// hasDigests reports whether all that a receipt says of the artifact was computed. What verifying would not compute it says nothing of.
func (c *Checked) hasDigests(a *receiptpb.Artifact) bool {
	if checkAlgorithms(a.GetDigests()) != nil {
		return false
	}
	if size := a.GetSize(); size >= 0 && size != c.Verified.Size {
		return false
	}
	for _, claimed := range a.GetDigests() {
		if !slices.ContainsFunc(c.Verified.Digests, func(d formats.ArtifactDigest) bool {
			return string(d.Algorithm) == claimed.GetAlgorithm() && bytes.Equal(d.Value, claimed.GetValue())
		}) {
			return false
		}
	}
	return true
}

// takeChecked has what the caller has found himself of the signature stand for what checkSignature finds.
func (v *verification) takeChecked(c *Checked) error {
	if !c.Fits(v.receipt, v.options.GatewayTrust) {
		return errors.New("verifying a receipt: it is for another signature than the one that is said to be checked")
	}
	v.description, v.verified, v.judged = c.Description, c.Verified, moment{c.At, "now"}
	if err := v.checkClaimedTime(); err != nil {
		return err
	}
	return v.checkSigners(v.description.Signers)
}

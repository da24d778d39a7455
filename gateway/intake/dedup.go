// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/foreign"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// dedupKeys returns the key by which the same submission is recognised, and those under which an
// earlier release may have stored it. One kept copies of a signature that differ in their form as one
// submission, so did one with other keys of the same signer, and one with other numbers of needed logs, so its row is found for each of them: fitsStored tells
// whose it is. One had the historical policy in its keys even where no signature needed it.
func (d *Draft) dedupKeys(v *formats.Verified, rs []gateway.Representation, packed *formats.Digest) (gateway.SubmissionKey, []gateway.SubmissionKey) {
	form := d.dedupForm(v, packed)
	core := d.dedupCore(v, rs, len(form.Findings) > 0)
	var former []gateway.SubmissionKey
	plain := form
	if plain.Need = 0; form.Need > 0 {
		former = append(former, gateway.DedupKey(core, plain))
	}
	if plain.Keys = nil; form.Keys != nil {
		former = append(former, gateway.DedupKey(core, plain))
	}
	former = append(former, gateway.FormerDedupKey(core, form))
	if len(form.Findings) == 0 {
		former = append(former, gateway.FormerDedupKey(d.dedupCore(v, rs, true), form))
	}
	return gateway.DedupKey(core, form), former
}

func (d *Draft) dedupForm(v *formats.Verified, packed *formats.Digest) gateway.DedupForm {
	f := gateway.DedupForm{Way: d.target.way, Embedded: d.plan.Description.Need == formats.NeedNone, Form: v.Form}
	if d.target.way != gateway.Batched { // own logs take over from one another, and what one has stays good
		f.Logs = d.target.ids
	}
	if d.target.mayFailOver() {
		f.AnyOf = d.target.Need
	} else if d.target.Need < len(d.target.List) {
		f.Need = d.target.Need
	}
	if packed != nil {
		f.Container = packed.String()
	}
	for _, finding := range d.plan.Description.Findings {
		f.Findings = append(f.Findings, string(finding.Reason))
	}
	slices.Sort(f.Findings)
	f.Keys = d.digestKeys(v)
	return f
}

// digestKeys returns what of v makes DedupForm.Keys. The same signer's key may come with another expiry, or
// in another certificate, and a receipt that shows those of somebody else is refused when his are.
func (d *Draft) digestKeys(v *formats.Verified) []byte {
	var certificates [][]byte
	if d.request.PublishCertificate {
		for _, p := range listProjections(v) {
			certificates = append(certificates, p.Certificate)
		}
	}
	if len(v.Keys)+len(certificates) == 0 {
		return nil
	}
	h := sha256.New()
	for _, list := range [][][]byte{v.Keys, certificates} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(list))))
		for _, b := range list {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
			h.Write(b)
		}
	}
	return h.Sum(nil)
}

// dedupCore is SHA-256 over who signed what, by which signature, recorded as what, checked how; every
// part is preceded by its length. It is that of the first release, so that what it stored is found.
func (d *Draft) dedupCore(v *formats.Verified, rs []gateway.Representation, historical bool) [sha256.Size]byte {
	h := sha256.New()
	var size [8]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
	for _, s := range []string{
		d.request.Tenant, d.plan.Description.Format, joinRepresentations(rs), fmt.Sprint(historical, d.request.PublishCertificate),
	} {
		part([]byte(s))
	}
	part(v.Canonical)
	for _, c := range foldExcluded(v.Checks) { // what policy made us check more is another submission
		part([]byte(c))
	}
	for _, s := range signerIDs(v) {
		part(s[:])
	}
	for _, g := range v.Digests { // stores rely on these being in every key: gateway.NewSubmission
		part([]byte(g.String() + " " + string(g.Evidence)))
	}
	if len(v.Digests) == 0 {
		for _, p := range listProjections(v) {
			part(p.Digest.Value)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// joinRepresentations is the representation of a file with one signature.
func joinRepresentations(rs []gateway.Representation) string {
	names := make([]string, len(rs))
	for i, r := range rs {
		names[i] = string(r)
	}
	return strings.Join(names, " ")
}

func listProjections(v *formats.Verified) (all []formats.Projection) {
	for _, part := range v.Each() {
		all = append(all, part.Projections...)
	}
	return all
}

// foldExcluded has the first release's one name for all checks that exclude other protocols. What they exclude
// depends on the artifact and on the release, and makes no other submission.
func foldExcluded(checks []string) []string {
	const folded = "no-foreign-protocol"
	var out []string
	for _, c := range checks {
		if strings.HasPrefix(c, foreign.CheckPrefix) {
			c = folded
		}
		if c != folded || !slices.Contains(out, folded) {
			out = append(out, c)
		}
	}
	return out
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

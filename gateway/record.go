// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Attester signs statements that this gateway verified something. It is safe for concurrent use.
type Attester interface {
	// Attest states what receipt says of signature, signers and artifact, signs that, and
	// returns the receipt's log entry (with the DSSE envelope) and what is to be logged.
	Attest(ctx context.Context, receipt *receiptpb.Receipt) (*receiptpb.LogEntry, hashedrekord.Record, error)
}

// recorded is a verified signature in the form in which it will be logged.
type recorded struct {
	representation Representation
	receipt        *receiptpb.Receipt
	entries        []NewEntry
}

// record chooses the representation by what was really verified, and encodes it for every log.
func (d *Draft) record(ctx context.Context, id string, v *formats.Verified, packed *formats.Digest) (recorded, error) {
	chosen, projections, err := d.choose(v)
	if err != nil {
		return recorded{}, err
	}
	skeleton := d.skeleton(id, v, chosen, packed)
	r := recorded{representation: chosen, receipt: skeleton}
	if chosen == Attested {
		if d.request.PublishCertificate {
			return recorded{}, errNoCertificate
		}
		entry, record, err := d.service.cfg.Attester.Attest(ctx, skeleton)
		if err != nil {
			return recorded{}, fmt.Errorf("attesting: %w", err)
		}
		if err := r.add(d.service.cfg.Logs, entry, record); err != nil {
			return recorded{}, err
		}
		return r, nil
	}
	for _, p := range projections {
		if err := d.publish(p, skeleton); err != nil {
			return recorded{}, err
		}
		entry, record, err := receipt.Project(p, d.request.PublishCertificate)
		if err != nil {
			return recorded{}, err
		}
		if err := r.add(d.service.cfg.Logs, entry, record); err != nil {
			return recorded{}, err
		}
	}
	return r, nil
}

// add encodes one record for every log; the receipt gets a log entry for each.
func (r *recorded) add(logs []Log, entry *receiptpb.LogEntry, record hashedrekord.Record) error {
	for _, l := range logs {
		prepared, err := l.Prepare(record)
		if err != nil {
			return err
		}
		r.entries = append(r.entries, prepared)
		r.receipt.Entries = append(r.receipt.Entries, proto.CloneOf(entry))
	}
	return nil
}

// choose follows the plan unless verification showed that the signature is of another kind
// than could be known before (an Ed25519 signature turns out to be pure, an ECDSA key to
// have signed a hash other than its curve's): then an attestation takes its place.
func (d *Draft) choose(v *formats.Verified) (Representation, []formats.Projection, error) {
	chosen := d.plan.Chosen
	if chosen == Attested {
		return Attested, nil, nil
	}
	var loggable []formats.Projection
	refusal := formats.NewError(formats.ReasonNotProjectable, "the log does not take this kind of signature", "")
	for _, p := range v.Projections {
		if p.Native != (chosen == Native) {
			continue
		}
		if err := d.service.planner.accepts(p.Candidate); err != nil {
			refusal = err
			continue
		}
		loggable = append(loggable, p)
	}
	if len(loggable) > 0 && len(loggable) >= d.plan.Description.Threshold {
		return chosen, loggable, nil
	}
	if d.request.Representation == "" && d.plan.Option(Attested).Refusal == nil {
		return Attested, nil, nil
	}
	return "", nil, refusal
}

// key recognises the same submission: every part is preceded by its length.
func (d *Draft) key(v *formats.Verified, r Representation) SubmissionKey {
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
	return SubmissionKey(h.Sum(nil))
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

// completeReceipt puts the log's proofs into a Logged submission's receipt.
func completeReceipt(sub Submission) (*receiptpb.Receipt, error) {
	entries := make([]*rekorpb.TransparencyLogEntry, len(sub.Entries))
	for i, e := range sub.Entries {
		if e.Inclusion == nil {
			return nil, fmt.Errorf("entry %d of submission %s is not logged yet", i, sub.ID)
		}
		entries[i] = e.Inclusion.Entry
	}
	return receipt.Complete(sub.Receipt, entries)
}

// skeleton is the submission's receipt, still without log entries.
func (d *Draft) skeleton(id string, v *formats.Verified, r Representation, packed *formats.Digest) *receiptpb.Receipt {
	return receipt.New(receipt.Facts{
		ID: id, Signature: d.request.Signature, Description: d.plan.Description, Verified: v, Policy: d.policy, Container: packed,
		Representation: receiptpb.Receipt_Representation(receiptpb.Receipt_Representation_value[string(r)]),
	})
}

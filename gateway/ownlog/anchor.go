// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/google/uuid"
	checkpoint "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/killpoint"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// AnchorFormat is what the submissions have as format that anchor checkpoints.
const AnchorFormat = "own-checkpoint"

// keptAnchor is what the store has of an anchor.
type keptAnchor struct {
	tree       tiletree.Tree
	checkpoint []byte // the signed note
	anchors    []*receiptpb.Anchor
}

// findLastAnchor returns the newest anchor, nil where there is none yet.
func findLastAnchor(ctx context.Context, store Store, log string) (*gateway.Submission, error) {
	page, _, err := store.List(ctx, gateway.AnchorTenant(log), gateway.ListParams{PageSize: 1})
	if err != nil || len(page) == 0 {
		return nil, err
	}
	return &page[0], nil
}

// storeAnchor signs the checkpoint of a tree, and has it recorded, as the one that follows last. Where another process was first, or it was
// made before, that one is returned: what was signed here is forgotten then.
func (l *Log) storeAnchor(ctx context.Context, tree tiletree.Tree, last *gateway.Submission) (gateway.Submission, error) {
	signed, err := signCheckpoint(l.origin(), l.cfg.Signer, tree)
	if err != nil {
		return gateway.Submission{}, err
	}
	sub, err := l.newAnchor(ctx, signed, last)
	if err != nil {
		return gateway.Submission{}, fmt.Errorf("anchoring own log %s: %w", l.cfg.ID, err)
	}
	killpoint.Reach(killpoint.OwnSigned)
	stored, err := l.cfg.Store.Enqueue(ctx, []gateway.NewSubmission{sub})
	if err == nil {
		err = stored[0].Err
	}
	if err != nil {
		return gateway.Submission{}, fmt.Errorf("anchoring own log %s: %w", l.cfg.ID, err)
	}
	killpoint.Reach(killpoint.OwnStored)
	l.noteWaiting(stored[0].Submission)
	return stored[0].Submission, nil
}

// signCheckpoint returns the checkpoint of a tree (C2SP tlog-checkpoint).
func signCheckpoint(origin string, signer note.Signer, tree tiletree.Tree) ([]byte, error) {
	c := checkpoint.Checkpoint{Origin: origin, Size: tree.Size, Hash: tree.Root[:]}
	signed, err := note.Sign(&note.Note{Text: string(c.Marshal())}, signer)
	if err != nil {
		return nil, fmt.Errorf("signing checkpoint of own log %s: %w", origin, err)
	}
	return signed, nil
}

// newAnchor returns the submission that records a checkpoint.
func (l *Log) newAnchor(ctx context.Context, signed []byte, last *gateway.Submission) (gateway.NewSubmission, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return gateway.NewSubmission{}, err
	}
	projection, err := l.signAnchor(ctx, signed)
	if err != nil {
		return gateway.NewSubmission{}, err
	}
	logs := l.cfg.Anchors()
	sub := gateway.NewSubmission{
		SubmissionFields: gateway.SubmissionFields{
			ID: id.String(), Tenant: gateway.AnchorTenant(l.cfg.ID), Key: l.keyAfter(last), Format: AnchorFormat,
			Signatures: []gateway.RecordedSignature{{
				Signers: [][32]byte{sha256.Sum256(projection.SPKI)}, Representation: gateway.Native, Way: gateway.Direct, Evidence: formats.EvidenceBytes,
			}},
			Needed: logs.Need,
		},
		Receipt: &receiptpb.Receipt{SubmissionId: id.String(), Signature: &receiptpb.Signature{
			Format: AnchorFormat, Content: signed, Keys: [][]byte{[]byte(l.cfg.VerifierKey)}, // with which a lost trust file is made again
		}},
	}
	list := logs.List
	if logs.Failover && logs.Need < len(list) {
		for _, r := range list {
			sub.Takeover = append(sub.Takeover, r.Describe().ID)
		}
		list = list[:logs.Need]
	} else if list, err = l.chooseLogs(ctx, logs); err != nil {
		return gateway.NewSubmission{}, err
	}
	for _, r := range list {
		prepared, entry, err := r.Prepare(gateway.Offer{Projection: &projection})
		if err != nil {
			return gateway.NewSubmission{}, err
		}
		sub.Entries = append(sub.Entries, gateway.NewEntry{Prepared: prepared})
		sub.Receipt.Entries = append(sub.Receipt.Entries, entry)
	}
	return sub, nil
}

// signAnchor returns the anchor key's signature over a signed checkpoint.
func (l *Log) signAnchor(ctx context.Context, signed []byte) (formats.Projection, error) {
	anchored := signed
	if l.cfg.Origin == "" {
		var err error
		if anchored, err = receipt.AnchoredBytes(signed); err != nil {
			return formats.Projection{}, err
		}
	}
	digest := sha256.Sum256(anchored)
	signature, err := l.cfg.Anchorer.SignDigest(ctx, digest)
	if err != nil {
		return formats.Projection{}, err
	}
	return formats.Projection{
		Candidate: formats.Candidate{Native: true, SPKI: l.cfg.Anchorer.SPKI(), Scheme: formats.ECDSA, Hash: formats.SHA256},
		Digest:    formats.Digest{Algorithm: formats.SHA256, Value: digest[:]}, Signature: signature,
		Recipe: formats.Recipe{Artifact: true},
	}, nil
}

// keyAfter is the key of the anchor that follows last: there is one, whoever makes it.
func (l *Log) keyAfter(last *gateway.Submission) gateway.SubmissionKey {
	switch {
	case last == nil:
		return l.keyAfterID("")
	case last.State == gateway.Failed && l.isForUsed(last):
		return last.Key // the same one is tried again
	}
	return l.keyAfterID(last.ID)
}

// keyAfterID is keyAfter of an anchor that has not failed, by its ID: "" is none.
func (l *Log) keyAfterID(before string) gateway.SubmissionKey {
	if before == "" {
		before = "none"
	}
	return sha256.Sum256(fmt.Appendf(nil, "rekor-gateway anchor\n%q\n%q\n%s\n", l.cfg.ID, l.origin(), before))
}

// isForUsed reports whether anchors are recorded in all of an anchor's logs still. One that was given up with its log stays so.
func (l *Log) isForUsed(anchor *gateway.Submission) bool {
	used := l.cfg.Anchors().List
	return !slices.ContainsFunc(anchor.Entries, func(e gateway.Entry) bool {
		return !slices.ContainsFunc(used, func(r gateway.Recorder) bool { return r.Describe().ID == e.Log })
	})
}

// openAnchor reads an anchor, and reports whether all logs have it.
func openAnchor(a gateway.Archived) (kept keptAnchor, complete bool, err error) {
	kept.checkpoint = a.Receipt.GetSignature().GetContent()
	var c checkpoint.Checkpoint
	if _, err := c.Unmarshal(kept.checkpoint); err != nil {
		return keptAnchor{}, false, err
	}
	if len(c.Hash) != tiletree.HashSize || len(a.Entries) != len(a.Receipt.GetEntries()) {
		return keptAnchor{}, false, fmt.Errorf("it has a malformed checkpoint, or other entries than it was stored with")
	}
	kept.tree = tiletree.Tree{Size: c.Size, Root: [tiletree.HashSize]byte(c.Hash)}
	for i, e := range a.Entries {
		if e.Inclusion == nil {
			continue
		}
		one := &receiptpb.Receipt{Entries: a.Receipt.GetEntries()[i : i+1]}
		done, err := receipt.Complete(one, []receipt.Proof{{Kind: e.Inclusion.Kind, Bytes: e.Inclusion.Proof, Body: e.Body, Tokens: e.Tokens}})
		if err != nil {
			return keptAnchor{}, false, err
		}
		kept.anchors = append(kept.anchors, receipt.AnchorOf(done.GetEntries()[0]))
	}
	return kept, len(kept.anchors) == len(a.Entries), nil
}

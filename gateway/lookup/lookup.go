// SPDX-License-Identifier: Apache-2.0

// Package lookup answers for submissions that are stored: one, a list, a receipt, a statement.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Lookup answers from the store. Methods are safe for concurrent use.
type Lookup struct {
	store gateway.Reader
	own   OwnProver
	logs  atomic.Pointer[[]string] // IDs of the logs whose statements are served
}

// OwnProver proves records of the gateway's own logs.
type OwnProver interface {
	// ProveRecord returns what proves the record at an index of the log with that ID, which is Logged. Nobody changes it.
	ProveRecord(ctx context.Context, log string, index uint64) (*receiptpb.OwnRecord, error)
}

// New returns a lookup that serves the statements in the logs with these IDs. own is nil where the gateway never has logs of its own.
func New(store gateway.Reader, logs []string, own OwnProver) *Lookup {
	l := &Lookup{store: store, own: own}
	l.logs.Store(&logs)
	return l
}

// AddLogs has the statements in the logs with these IDs served, too. Those of logs that are not configured any more stay.
func (l *Lookup) AddLogs(logs []string) {
	all := slices.Concat(*l.logs.Load(), logs)
	slices.Sort(all)
	all = slices.Compact(all)
	l.logs.Store(&all)
}

// Get returns the tenant's submission, or gateway.ErrNotFound. What is cold of it is not read with it: who answers counts first what that takes.
func (l *Lookup) Get(ctx context.Context, tenant, id string) (gateway.Submission, error) {
	return l.store.Get(ctx, tenant, id)
}

// GetAll returns those of the submissions with these IDs that are the tenant's, by their IDs as they are given.
func (l *Lookup) GetAll(ctx context.Context, tenant string, ids []string) (map[string]gateway.Submission, error) {
	return l.store.GetAll(ctx, tenant, ids)
}

// List returns a page of the tenant's submissions and the next page's token.
func (l *Lookup) List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error) {
	return l.store.List(ctx, tenant, p)
}

// ListAudit returns a page of the tenant's audit trail and the next page's token.
func (l *Lookup) ListAudit(ctx context.Context, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
	return l.store.ListAudit(ctx, tenant, p)
}

// Statement returns the statement that was logged under leaf for a submission of the tenant's, in its DSSE envelope, or
// gateway.ErrNotFound. The log holds only its hash.
func (l *Lookup) Statement(ctx context.Context, tenant string, leaf gateway.LeafHash) (*dssepb.Envelope, error) {
	for _, log := range *l.logs.Load() {
		sub, err := l.store.ByLeaf(ctx, tenant, log, leaf)
		if errors.Is(err, gateway.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		archived, err := l.store.Archived(ctx, sub.Tenant, sub.ID)
		if err != nil {
			return nil, err
		}
		kept := archived.Receipt.GetEntries()
		for i, e := range sub.Entries {
			if i >= len(kept) { // the first release stored some without a receipt
				break
			}
			envelope := kept[i].GetBundle().GetDsseEnvelope()
			if e.LeafHash == leaf && e.State == gateway.Logged && envelope != nil {
				return envelope, nil
			}
		}
	}
	return nil, gateway.ErrNotFound
}

// Receipt returns the receipt of a Logged submission: its stored receipt with the proofs of the logs that
// have all of its entries. Logs that are not needed and not done yet are left out. It is the caller's, but for the anchors in its own records: receipts share
// these messages, and nobody changes them.
func (l *Lookup) Receipt(ctx context.Context, sub gateway.Submission) (*receiptpb.Receipt, error) {
	archived, err := l.readArchived(ctx, sub)
	if err != nil {
		return nil, err
	}
	all := archived.Receipt.GetEntries()
	if len(all) != len(archived.Entries) || len(sub.Entries) != len(archived.Entries) {
		return nil, fmt.Errorf("submission %s has %d entries and %d in its receipt", sub.ID, len(archived.Entries), len(all))
	}
	var entries []*receiptpb.LogEntry
	var proofs []receipt.Proof
	for i, e := range archived.Entries {
		if !isComplete(sub, archived, sub.Entries[i].Log) {
			continue
		}
		proof, err := l.proofOf(ctx, sub.Entries[i].Log, e)
		if err != nil {
			return nil, err
		}
		entries, proofs = append(entries, all[i]), append(proofs, proof)
	}
	if len(proofs) == 0 {
		return nil, fmt.Errorf("submission %s is not logged yet", sub.ID)
	}
	skeleton := archived.Receipt
	if len(entries) < len(all) {
		skeleton = proto.CloneOf(skeleton)
		skeleton.Entries = entries
	}
	return receipt.Complete(skeleton, proofs)
}

// proofOf returns the proof of a Logged entry. That of a record in a log of the gateway's own is made now.
func (l *Lookup) proofOf(ctx context.Context, log string, e gateway.ArchivedEntry) (receipt.Proof, error) {
	p := receipt.Proof{Kind: e.Inclusion.Kind, Bytes: e.Inclusion.Proof, Body: e.Body, Tokens: e.Tokens}
	if p.Kind != gateway.KindOwnRecord {
		return p, nil
	}
	if l.own == nil {
		return p, errors.New("the entry is in a log of the gateway's own, and there is none")
	}
	var err error
	p.Own, err = l.own.ProveRecord(ctx, log, e.Inclusion.Index)
	return p, err
}

// readArchived returns what is cold of sub.
func (l *Lookup) readArchived(ctx context.Context, sub gateway.Submission) (gateway.Archived, error) {
	atHand := sub.Archived
	if atHand == nil || slices.ContainsFunc(atHand.Entries, func(e gateway.ArchivedEntry) bool { return e.Inclusion == nil }) {
		return l.store.Archived(ctx, sub.Tenant, sub.ID)
	}
	return *atHand, nil
}

// isComplete reports whether log has all of the submission's entries for it.
func isComplete(sub gateway.Submission, archived gateway.Archived, log string) bool {
	for i, e := range sub.Entries {
		if e.Log == log && archived.Entries[i].Inclusion == nil {
			return false
		}
	}
	return true
}

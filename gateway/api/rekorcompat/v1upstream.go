// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/time/rate"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// V1Upstream is a log of Rekor v1, as its own clients see it.
type V1Upstream interface {
	V1Reader
	Describe() gateway.LogInfo
	Former() []gateway.FormerShard
}

// NewV1Upstream returns a V1Log whose answers are a log's own. reads bounds how often the log is asked for them. receipt returns that of a Logged submission,
// for which the log is not asked.
func NewV1Upstream(log V1Upstream, reads *rate.Limiter, receipt func(context.Context, gateway.Submission) (*receiptpb.Receipt, error)) V1Log {
	return upstreamLog{V1Upstream: log, reads: reads, receipt: receipt}
}

type upstreamLog struct {
	V1Upstream
	reads   *rate.Limiter
	receipt func(context.Context, gateway.Submission) (*receiptpb.Receipt, error)
}

// takeReads takes so many reads of the log, all or none, or says when there are as many. Nothing is reserved in vain: of reservations that are made at once, only the
// last one is given back whole.
func (l upstreamLog) takeReads(n int) error {
	if l.reads.AllowN(time.Now(), n) {
		return nil
	}
	lacks := max(0, float64(n)-l.reads.Tokens())
	return problem.LogReadsError(time.Duration(lacks / float64(l.reads.Limit()) * float64(time.Second)))
}

func (l upstreamLog) takeRead() error { return l.takeReads(1) }

// readTogether implements togetherLog.
func (l upstreamLog) readTogether(n int) (V1Reader, error) { return l.V1Upstream, l.takeReads(n) }

// Info implements V1Reader.
func (l upstreamLog) Info(ctx context.Context) (rekorjson.LogInfo, error) {
	if err := l.takeRead(); err != nil {
		return rekorjson.LogInfo{}, err
	}
	return l.V1Upstream.Info(ctx)
}

// Proof implements V1Reader.
func (l upstreamLog) Proof(ctx context.Context, tree int64, first, last uint64) (rekorjson.ConsistencyProof, error) {
	if err := l.takeRead(); err != nil {
		return rekorjson.ConsistencyProof{}, err
	}
	return l.V1Upstream.Proof(ctx, tree, first, last)
}

// EntryByIndex implements V1Reader.
func (l upstreamLog) EntryByIndex(ctx context.Context, index int64) (rekorjson.ID, rekorjson.Entry, error) {
	if err := l.takeRead(); err != nil {
		return rekorjson.ID{}, rekorjson.Entry{}, err
	}
	return l.V1Upstream.EntryByIndex(ctx, index)
}

// EntryByID implements V1Reader.
func (l upstreamLog) EntryByID(ctx context.Context, id rekorjson.ID) (rekorjson.ID, rekorjson.Entry, error) {
	if err := l.takeRead(); err != nil {
		return rekorjson.ID{}, rekorjson.Entry{}, err
	}
	return l.V1Upstream.EntryByID(ctx, id)
}

// Search implements V1Reader.
func (l upstreamLog) Search(ctx context.Context, s rekorjson.Search) ([]rekorjson.ID, error) {
	if err := l.takeRead(); err != nil {
		return nil, err
	}
	return l.V1Upstream.Search(ctx, s)
}

// Source implements V1Log.
func (l upstreamLog) Source() string { return l.Describe().ID }

// Recorded implements V1Log: the entry is what the log answered when it was sent, and what was verified then.
func (l upstreamLog) Recorded(ctx context.Context, logged gateway.Submission, _ []byte) (rekorjson.ID, rekorjson.Entry, error) {
	receipt, err := l.receipt(ctx, logged)
	if err != nil {
		return rekorjson.ID{}, rekorjson.Entry{}, err
	}
	for _, e := range receipt.GetEntries() {
		for _, logged := range e.GetBundle().GetVerificationMaterial().GetTlogEntries() {
			if id, ok := l.idOf(logged); ok {
				return id, convertEntry(logged), nil
			}
		}
	}
	return rekorjson.ID{}, rekorjson.Entry{}, gateway.ErrNotFound
}

// idOf returns what an entry is called, and false where it is in no tree of this log.
func (l upstreamLog) idOf(e *rekorpb.TransparencyLogEntry) (rekorjson.ID, bool) {
	origin, _, _ := strings.Cut(e.GetInclusionProof().GetCheckpoint().GetEnvelope(), "\n")
	_, tree, ok := trustroot.SplitRekorV1(origin)
	if !ok || e.GetInclusionPromise() == nil {
		return rekorjson.ID{}, false
	}
	is := func(s gateway.Shard) bool {
		return s.Origin == origin && string(s.KeyID[:]) == string(e.GetLogId().GetKeyId())
	}
	if !is(l.Describe().Shard) && !slices.ContainsFunc(l.Former(), func(f gateway.FormerShard) bool { return is(f.Shard) }) {
		return rekorjson.ID{}, false
	}
	return rekorjson.ID{Tree: tree, Leaf: [32]byte(rfc6962.DefaultHasher.HashLeaf(e.GetCanonicalizedBody()))}, true
}

// convertEntry returns an entry of a bundle as the API has it.
func convertEntry(e *rekorpb.TransparencyLogEntry) rekorjson.Entry {
	p := e.GetInclusionProof()
	hashes := make([]string, len(p.GetHashes()))
	for i, h := range p.GetHashes() {
		hashes[i] = hex.EncodeToString(h)
	}
	return rekorjson.Entry{
		Body: e.GetCanonicalizedBody(), IntegratedTime: e.GetIntegratedTime(), LogID: hex.EncodeToString(e.GetLogId().GetKeyId()), LogIndex: e.GetLogIndex(),
		Verification: rekorjson.Verification{
			SignedEntryTimestamp: e.GetInclusionPromise().GetSignedEntryTimestamp(),
			InclusionProof: &rekorjson.InclusionProof{
				Checkpoint: p.GetCheckpoint().GetEnvelope(), Hashes: hashes, LogIndex: p.GetLogIndex(), RootHash: hex.EncodeToString(p.GetRootHash()), TreeSize: p.GetTreeSize(),
			},
		},
	}
}

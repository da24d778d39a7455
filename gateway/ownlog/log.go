// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/time/rate"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// What is kept of what was read: whole tiles have 8 KiB each.
const (
	maxKeptTiles   = 1024
	maxKeptAnchors = 64
)

// Store is what an own log needs of a gateway.Store.
type Store interface {
	gateway.OwnLogs
	Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error)
	Get(ctx context.Context, tenant, id string) (gateway.Submission, error)
	Archived(ctx context.Context, tenant, id string) (gateway.Archived, error)
	List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error)
	ByLeaf(ctx context.Context, tenant, log string, leaf gateway.LeafHash) (gateway.Submission, error)
	ListLogs(ctx context.Context) ([]gateway.LogStatus, error)
	DoubtPending(ctx context.Context, log string, shard gateway.Shard) (int, error)
}

// Anchorer signs anchors. Its key is for nothing else.
type Anchorer interface {
	// SPKI returns the key's SubjectPublicKeyInfo, DER: ECDSA P-256.
	SPKI() []byte
	// SignDigest signs a SHA-256 digest: ASN.1 DER.
	SignDigest(ctx context.Context, digest [32]byte) ([]byte, error)
}

// LogSet is where anchors are recorded: in all of List, of which Need have to have one; with Failover in Need of them, and in others
// only in their place.
type LogSet struct {
	List     []gateway.Recorder
	Need     int
	Failover bool
}

// Codec makes records of what is offered to the log.
type Codec interface {
	// Accepts is as gateway.Recorder's.
	Accepts(o gateway.Offer) error
	// Prepare is as gateway.Recorder's, for the log of that ID.
	Prepare(log string, o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error)
}

// Config is what a Log is made of. Every field is needed, Witnesses aside.
type Config struct {
	ID    string // as other logs have one
	Store Store
	Codec Codec
	// Signer signs checkpoints, with a key of any type, the same one always the same way; its name is the log's origin, unless Origin says otherwise.
	Signer note.Signer
	// Origin is the log's, where its signature lines have another name, as Rekor v1's do. Such a log has no witnesses: what it signs is anchored as it
	// is, and stays so.
	Origin string
	// VerifierKey is the signer's key as verifiers have it, a signed note's. Anchors keep it.
	VerifierKey string
	Anchorer    Anchorer
	// Anchors returns where an anchor is recorded now: at least one log.
	Anchors func() LogSet
	// AnchorShards returns where anchors may be, to be looked for there.
	AnchorShards func() ([]AnchorShard, error)
	// AnchorEvery is how long after an anchor the next one is made, when there are records for it. One comes earlier when no more records come, if there was
	// none in another interval before: at most one an interval, and one more.
	AnchorEvery time.Duration
	// Stored is called for each anchor that was stored, so that it is sent. It must not block.
	Stored func(gateway.Submission)
	// Changed is called with what has become Logged. It must not block.
	Changed func([]gateway.Progress)
	Logger  *slog.Logger
	// Now is the clock by which what may be late is awaited. It never goes back.
	Now func() time.Time
	// Witnesses cosign what is anchored. Without any, nothing is shown to one.
	Witnesses []gateway.Witness
}

// Log is a log of the gateway's own. Methods are safe for concurrent use.
type Log struct {
	*Reader
	cfg  Config
	wake chan struct{} // has room for one

	cosigners []*cosigner

	pacing  pacing         // of Run alone
	spare   *rate.Limiter  // anchors that were not made when they could have been; of Run alone
	trust   trust          // of Run alone
	seen    gateway.OwnLog // the last state of the store; of Run alone
	waiting waitingAnchors // of Run alone
	guard   guard
	awaited atomic.Pointer[string] // the anchor that is under way
	trouble atomic.Pointer[string] // a gateway.Trouble, nil for none
	checked atomic.Bool            // the store is known to be the latest state of the log, and not an older copy

	looking   atomic.Bool    // lookAgain's is under way
	suspected atomic.Bool    // it, or proveAnchor, has found what the store does not know
	looks     sync.WaitGroup // of lookAgain
}

var _ gateway.Recorder = (*Log)(nil)

// New returns a log in which nothing happens until Run. It is there from then on. Errors are the store's AddOwnLog's.
func New(ctx context.Context, cfg Config) (*Log, error) {
	l := &Log{Reader: NewReader(cfg.Store, cfg.ID), cfg: cfg, wake: make(chan struct{}, 1), cosigners: newCosigners(cfg.Witnesses)}
	l.spare = rate.NewLimiter(rate.Every(cfg.AnchorEvery), spareAnchors)
	l.guard.id, l.guard.store, l.guard.shards, l.guard.anchors, l.guard.inUse, l.guard.logger = cfg.ID, cfg.Store, cfg.AnchorShards, cfg.Anchors, cfg.Anchorer.SPKI(), cfg.Logger
	for _, c := range l.cosigners {
		l.witnesses = append(l.witnesses, c.Key())
	}
	if err := checkWitnessNames(cfg.Signer, l.cosigners); err != nil {
		return nil, fmt.Errorf("opening own log %s: %w", cfg.ID, err)
	}
	if cfg.Origin != "" && len(cfg.Witnesses) > 0 {
		return nil, fmt.Errorf("opening own log %s: no witness can cosign what is signed by another name than its origin", cfg.ID)
	}
	if err := cfg.Store.AddOwnLog(ctx, cfg.ID, l.origin()); err != nil {
		return nil, fmt.Errorf("opening own log %s: %w", cfg.ID, err)
	}
	return l, nil
}

// Describe implements gateway.Recorder.
func (l *Log) Describe() gateway.LogInfo {
	return gateway.LogInfo{ID: l.cfg.ID, Shard: gateway.Shard{Origin: l.origin()}}
}

// origin is the first line of the log's checkpoints.
func (l *Log) origin() string { return cmp.Or(l.cfg.Origin, l.cfg.Signer.Name()) }

// Accepts implements gateway.Recorder.
func (l *Log) Accepts(o gateway.Offer) error { return l.cfg.Codec.Accepts(o) }

// Prepare implements gateway.Recorder.
func (l *Log) Prepare(o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	return l.cfg.Codec.Prepare(l.cfg.ID, o)
}

// Wake has records sequenced soon.
func (l *Log) Wake() {
	select {
	case l.wake <- struct{}{}:
	default: // it is to be done already
	}
}

// NoteChanged has an anchor followed that has got on.
func (l *Log) NoteChanged(changed []gateway.Progress) {
	awaited := l.awaited.Load()
	if awaited != nil && slices.ContainsFunc(changed, func(p gateway.Progress) bool { return p.ID == *awaited && p.State.Settled() }) {
		l.Wake()
	}
}

// SPDX-License-Identifier: Apache-2.0

package logtest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	tlogproof "github.com/transparency-dev/formats/proof"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// kindProof is the kind of inclusion of a log that answers with a https://c2sp.org/tlog-proof: its Proof is that text.
const kindProof = "c2sp.org/tlog-proof@v1"

// maxProof bounds an answer, in bytes.
const maxProof = 64 << 10

// proofLog is an adapter for a log that takes an entry by POST /add and answers with a tlog-proof, in place of a Rekor entry. It shows
// that such a kind of log needs no more than gateway.Log.
type proofLog struct {
	client   *http.Client
	addURL   string
	shards   []proofShard // the first is written to
	patience time.Duration
}

type proofShard struct {
	gateway.FormerShard
	reader      *tiles.Reader
	checkpoints *tiles.Checkpoints
}

var _ gateway.Log = (*proofLog)(nil)

func (l *proofLog) Describe() gateway.LogInfo {
	return gateway.LogInfo{ID: "proof-log", Shard: l.shards[0].Shard, APIVersion: 1, IntegrationDelay: time.Minute}
}

func (l *proofLog) Accepts(o gateway.Offer) error { return recording.Accepts(hashedrekord.RekorV2, o) }

func (l *proofLog) Prepare(o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	return recording.Prepare(l.Describe().ID, hashedrekord.RekorV2, o)
}

func (l *proofLog) Former() (former []gateway.FormerShard) {
	for _, s := range l.shards[1:] {
		former = append(former, s.FormerShard)
	}
	return former
}

func (l *proofLog) TreeOf(_ context.Context, shard gateway.Shard) (gateway.Shard, error) {
	_, err := l.find(shard)
	return shard, err
}

func (l *proofLog) find(shard gateway.Shard) (proofShard, error) {
	for _, s := range l.shards {
		if s.Shard == shard {
			return s, nil
		}
	}
	return proofShard{}, fmt.Errorf("%w: no such shard", gateway.ErrUnavailable)
}

func (l *proofLog) Size(ctx context.Context, shard gateway.Shard) (uint64, error) {
	s, err := l.find(shard)
	if err != nil {
		return 0, err
	}
	cp, err := s.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return 0, err
	}
	return cp.Size, nil
}

func (l *proofLog) Find(ctx context.Context, shard gateway.Shard, leaves []gateway.LeafHash, from, to uint64) (gateway.Found, error) {
	s, err := l.find(shard)
	if err != nil {
		return gateway.Found{}, err
	}
	cp, err := s.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return gateway.Found{}, err
	}
	tree, err := tiles.NewTree(cp, s.reader)
	if err != nil {
		return gateway.Found{}, err
	}
	searched, err := tree.Find(ctx, leaves, from, to)
	found := gateway.Found{Inclusions: map[gateway.LeafHash]*gateway.Inclusion{}, AbsentTo: searched.AbsentTo, Doubled: searched.Doubled}
	for leaf, f := range searched.Found {
		found.Inclusions[leaf] = newProofInclusion(cp, f.Index, f.Hashes)
	}
	return found, err
}

func newProofInclusion(cp *gateway.Checkpoint, index uint64, hashes [][]byte) *gateway.Inclusion {
	p := tlogproof.TLogProof{Index: index, Checkpoint: cp.Envelope}
	for _, h := range hashes {
		p.Hashes = append(p.Hashes, [32]byte(h))
	}
	return &gateway.Inclusion{Kind: kindProof, Index: index, Proof: p.Marshal()}
}

func (l *proofLog) Add(ctx context.Context, shard gateway.Shard, p gateway.Prepared) (*gateway.Inclusion, error) {
	current := l.shards[0]
	if shard != current.Shard {
		return nil, fmt.Errorf("%w: nothing is written to this shard", gateway.ErrNotSent)
	}
	if p.Kind != hashedrekord.Kind {
		return nil, gateway.ErrOtherKind
	}
	if _, err := hashedrekord.Parse(p.Body); err != nil || p.LeafHash != hashedrekord.LeafHash(p.Body) {
		return nil, errors.Join(gateway.ErrRefused, err)
	}
	if err := current.checkpoints.Guard(ctx); errors.Is(err, gateway.ErrFork) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	}
	if err := errors.Join(ctx.Err(), gateway.CheckSend(ctx)); err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	}
	text, err := l.post(ctx, p.Body)
	if err != nil {
		return nil, err
	}
	proof, err := receipt.ParseOwnProof(text) // as strict as a proof of an own log's
	if err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
	}
	cp, err := current.checkpoints.Accept(ctx, proof.Checkpoint)
	if err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(proof.Hashes))
	for i := range proof.Hashes {
		hashes[i] = proof.Hashes[i][:]
	}
	if err := tiles.VerifyInclusion(cp, proof.Index, p.LeafHash, hashes); err != nil {
		return nil, err
	}
	return newProofInclusion(cp, proof.Index, hashes), nil
}

// post sends an entry, and returns the answer's text. Errors are Add's.
func (l *proofLog) post(ctx context.Context, body []byte) ([]byte, error) {
	if l.patience != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.patience)
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.addURL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	}
	answer, err := l.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("outcome unknown: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxProof))
	if err != nil {
		return nil, fmt.Errorf("outcome unknown: %w", err)
	}
	switch answer.StatusCode {
	case http.StatusOK, http.StatusConflict: // a duplicate has a proof, too
		return text, nil
	case http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // none is 0
		return nil, &gateway.OverloadError{RetryAfter: time.Duration(seconds) * time.Second}
	case http.StatusBadRequest:
		return nil, fmt.Errorf("%w: %s", gateway.ErrRefused, strings.TrimSpace(string(text)))
	case http.StatusMethodNotAllowed:
		return nil, fmt.Errorf("%w: %s", gateway.ErrNotSent, strings.TrimSpace(string(text)))
	case http.StatusForbidden:
		return nil, fmt.Errorf("%w: %s", gateway.ErrForbidden, strings.TrimSpace(string(text)))
	}
	return nil, fmt.Errorf("outcome unknown: %s", answer.Status)
}

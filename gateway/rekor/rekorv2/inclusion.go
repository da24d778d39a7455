// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// duplicatePoll is how often the checkpoint is read while a known entry is not yet under it.
const duplicatePoll = 500 * time.Millisecond

// newInclusion states a verified inclusion, in fields of our own making: nothing that was not
// checked gets in. Rekor v2 gives no integrated time and no promise.
func (s *shard) newInclusion(cp *gateway.Checkpoint, index uint64, hashes [][]byte) (*gateway.Inclusion, error) {
	proof, err := receipt.EncodeProof(&rekorpb.TransparencyLogEntry{
		LogIndex:    int64(index),
		LogId:       &commonpb.LogId{KeyId: bytes.Clone(s.name.KeyID[:])},
		KindVersion: &rekorpb.KindVersion{Kind: hashedrekord.KindName, Version: hashedrekord.APIVersion},
		InclusionProof: &rekorpb.InclusionProof{
			LogIndex:   int64(index),
			RootHash:   bytes.Clone(cp.Root[:]),
			TreeSize:   int64(cp.Size),
			Hashes:     hashes,
			Checkpoint: &rekorpb.Checkpoint{Envelope: string(cp.Envelope)},
		},
	})
	if err != nil {
		return nil, err
	}
	return &gateway.Inclusion{Kind: receipt.KindTransparencyLogEntry, Index: index, Proof: proof}, nil
}

// verifyAnswer checks all that the log says about the entry it was sent.
func (s *shard) verifyAnswer(ctx context.Context, answer *rekorpb.TransparencyLogEntry, body []byte) (*gateway.Inclusion, error) {
	if err := s.checkPlausible(answer, body); err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
	}
	inclusion := answer.GetInclusionProof()
	cp, err := s.checkpoints.Accept(ctx, []byte(inclusion.GetCheckpoint().GetEnvelope()))
	if err != nil {
		return nil, err
	}
	if uint64(inclusion.GetTreeSize()) != cp.Size || !bytes.Equal(inclusion.GetRootHash(), cp.Root[:]) {
		return nil, fmt.Errorf("%w: proof is for another checkpoint", gateway.ErrBadAnswer)
	}
	index := uint64(answer.GetLogIndex())
	if err := tiles.VerifyInclusion(cp, index, hashedrekord.LeafHash(body), inclusion.GetHashes()); err != nil {
		return nil, err
	}
	return s.newInclusion(cp, index, inclusion.GetHashes())
}

// checkPlausible checks what needs no cryptography.
func (s *shard) checkPlausible(answer *rekorpb.TransparencyLogEntry, body []byte) error {
	inclusion := answer.GetInclusionProof()
	switch {
	case !bytes.Equal(answer.GetCanonicalizedBody(), body):
		return errors.New("another entry than the one sent")
	case !bytes.Equal(answer.GetLogId().GetKeyId(), s.name.KeyID[:]):
		return errors.New("another log's id")
	case answer.GetKindVersion().GetKind() != hashedrekord.KindName || answer.GetKindVersion().GetVersion() != hashedrekord.APIVersion:
		return errors.New("another kind of entry")
	case inclusion == nil:
		return errors.New("no inclusion proof")
	case answer.GetLogIndex() < 0 || answer.GetLogIndex() != inclusion.GetLogIndex() ||
		answer.GetLogIndex() >= inclusion.GetTreeSize():
		return errors.New("index outside of the log")
	}
	return nil
}

// findDuplicate returns the inclusion of an entry that the log has at index already. The index may
// be too new for the checkpoint: then it waits for the next one, until ctx ends.
func (s *shard) findDuplicate(ctx context.Context, index uint64, body []byte) (*gateway.Inclusion, error) {
	wait := backoff.NewConstantBackOff(duplicatePoll)
	inclusion, err := backoff.Retry(ctx, func() (*gateway.Inclusion, error) {
		inclusion, err := s.lookUpEntry(ctx, index, body)
		if err != nil && !errors.Is(err, gateway.ErrUnavailable) {
			return nil, backoff.Permanent(err)
		}
		return inclusion, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return nil, fmt.Errorf("looking up duplicate at index %d: %w", index, err)
	}
	return inclusion, nil
}

// lookUpEntry builds the inclusion of the entry at index from the tiles.
func (s *shard) lookUpEntry(ctx context.Context, index uint64, body []byte) (*gateway.Inclusion, error) {
	cp, err := s.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	if index >= cp.Size {
		return nil, fmt.Errorf("%w: the checkpoint of size %d does not hold index %d yet", gateway.ErrUnavailable, cp.Size, index)
	}
	tree, err := tiles.NewTree(cp, s.reader)
	if err != nil {
		return nil, err
	}
	hashes, err := tree.ProveInclusion(ctx, index, hashedrekord.LeafHash(body))
	if err != nil {
		return nil, err
	}
	return s.newInclusion(cp, index, hashes)
}

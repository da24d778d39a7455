// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	"github.com/rekor-gateway/rekor-gateway/gateway/tufrecord"
)

// logEntry is an entry as the log answers it.
type logEntry struct {
	Body           []byte `json:"body"`
	IntegratedTime int64  `json:"integratedTime"` // Unix seconds
	LogID          string `json:"logID"`
	LogIndex       int64  `json:"logIndex"` // over all trees
	Verification   struct {
		InclusionProof *struct {
			Checkpoint string   `json:"checkpoint"`
			Hashes     []string `json:"hashes"`
			LogIndex   int64    `json:"logIndex"` // in its tree
			RootHash   string   `json:"rootHash"`
			TreeSize   int64    `json:"treeSize"`
		} `json:"inclusionProof"`
		SignedEntryTimestamp []byte `json:"signedEntryTimestamp"`
	} `json:"verification"`
}

// verifyAnswer checks all that the log says about the entry with this body, and of which its answer has nothing else.
func (t *tree) verifyAnswer(ctx context.Context, entries map[string]logEntry, body []byte) (*gateway.Inclusion, error) {
	answer, ok := entries[t.entryID(hashedrekord.LeafHash(body))]
	if !ok || len(entries) != 1 {
		return nil, fmt.Errorf("%w: not the one entry that was asked for", gateway.ErrBadAnswer)
	}
	promise := trustroot.Promise{
		Body: body, IntegratedTime: answer.IntegratedTime, LogIndex: answer.LogIndex, Signature: answer.Verification.SignedEntryTimestamp,
	}
	err := t.checkPlausible(answer, body)
	if err == nil {
		err = t.Log.VerifyPromise(promise)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
	}
	inclusion := answer.Verification.InclusionProof
	hashes, err := decodeHashes(inclusion.Hashes)
	if err != nil {
		return nil, err
	}
	cp, err := t.checkpoints.Accept(ctx, []byte(inclusion.Checkpoint))
	if err != nil {
		return nil, err
	}
	if uint64(inclusion.TreeSize) != cp.Size || inclusion.RootHash != hex.EncodeToString(cp.Root[:]) {
		return nil, fmt.Errorf("%w: proof is for another checkpoint", gateway.ErrBadAnswer)
	}
	index := uint64(inclusion.LogIndex)
	if err := tiles.VerifyInclusion(cp, index, hashedrekord.LeafHash(body), hashes); err != nil {
		return nil, err
	}
	return t.newInclusion(cp, index, hashes, promise)
}

// checkPlausible checks what needs no cryptography.
func (t *tree) checkPlausible(answer logEntry, body []byte) error {
	inclusion := answer.Verification.InclusionProof
	switch {
	case !bytes.Equal(answer.Body, body):
		return errors.New("another entry than the one sent")
	case answer.LogID != hex.EncodeToString(t.name.KeyID[:]):
		return errors.New("another log's id")
	case inclusion == nil:
		return errors.New("no inclusion proof")
	case inclusion.LogIndex < 0 || inclusion.LogIndex >= inclusion.TreeSize || inclusion.LogIndex > answer.LogIndex:
		return errors.New("index outside of the log")
	}
	return nil
}

// kindOf returns the kind that a body says to be of.
func kindOf(body []byte) *rekorpb.KindVersion {
	switch {
	case rekord.IsRekord(body):
		return &rekorpb.KindVersion{Kind: rekord.KindName, Version: rekord.APIVersion}
	case tufrecord.IsTUF(body):
		return &rekorpb.KindVersion{Kind: tufrecord.KindName, Version: tufrecord.APIVersion}
	}
	return &rekorpb.KindVersion{Kind: hashedrekord.KindName, Version: hashedrekord.V1APIVersion}
}

// newInclusion states a verified inclusion, in fields of our own making: nothing that was not checked gets in.
func (t *tree) newInclusion(cp *gateway.Checkpoint, index uint64, hashes [][]byte, promise trustroot.Promise) (*gateway.Inclusion, error) {
	proof, err := receipt.EncodeProof(&rekorpb.TransparencyLogEntry{
		LogIndex:         promise.LogIndex,
		LogId:            &commonpb.LogId{KeyId: bytes.Clone(t.name.KeyID[:])},
		KindVersion:      kindOf(promise.Body),
		IntegratedTime:   promise.IntegratedTime,
		InclusionPromise: &rekorpb.InclusionPromise{SignedEntryTimestamp: promise.Signature},
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

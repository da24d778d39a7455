// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// What is read for others, in bytes: entries of any kind, and IDs from the index.
const (
	maxEntry  = 1 << 20
	maxSearch = 1 << 20
)

// Info returns the state of the log's trees as the log says it, each checkpoint with the signature of the log's key. Those of trees that are configured
// are consistent with the ones kept. Errors: gateway.ErrUnavailable, ErrBadAnswer, ErrFork.
func (l *Log) Info(ctx context.Context) (rekorjson.LogInfo, error) {
	s := l.use()
	var info rekorjson.LogInfo
	if err := s.trees[0].getJSON(ctx, infoPath, nil, maxInfo, &info); err != nil {
		return rekorjson.LogInfo{}, err
	}
	out := rekorjson.LogInfo{}
	var err error
	if out.TreeInfo, err = s.verifyTree(ctx, info.TreeInfo); err != nil {
		return rekorjson.LogInfo{}, err
	}
	for _, former := range info.InactiveShards {
		verified, err := s.verifyTree(ctx, former)
		if err != nil {
			return rekorjson.LogInfo{}, err
		}
		out.InactiveShards = append(out.InactiveShards, verified)
	}
	return out, nil
}

// verifyTree checks what the log says of a tree against the checkpoint in it. One that is not configured can be of any age.
func (s state) verifyTree(ctx context.Context, said rekorjson.TreeInfo) (rekorjson.TreeInfo, error) {
	cp, err := s.openTree(ctx, said)
	if err != nil {
		return rekorjson.TreeInfo{}, fmt.Errorf("tree %.20q: %w", said.TreeID, err)
	}
	if said.TreeSize != int64(cp.Size) || said.RootHash != hex.EncodeToString(cp.Root[:]) {
		return rekorjson.TreeInfo{}, fmt.Errorf("%w: tree %.20q is not as its checkpoint says", gateway.ErrBadAnswer, said.TreeID)
	}
	return said, nil
}

func (s state) openTree(ctx context.Context, said rekorjson.TreeInfo) (*gateway.Checkpoint, error) {
	envelope := []byte(said.SignedTreeHead)
	host, _, _ := trustroot.SplitRekorV1(s.trees[0].name.Origin)
	origin := host + " - " + said.TreeID
	err := gateway.ErrBadAnswer
	for _, t := range s.trees {
		if t.name.Origin == origin {
			return t.checkpoints.Accept(ctx, envelope)
		}
		var cp *gateway.Checkpoint
		if cp, err = tiles.OpenCheckpoint(envelope, origin, t.Log.Verifier); err == nil {
			return cp, nil
		}
	}
	return nil, err
}

// treeWith returns a tree by its id; 0 is the current one.
func (s state) treeWith(id int64) (*tree, error) {
	for _, t := range s.trees {
		if id == 0 || t.id() == id {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: tree %d is not configured", gateway.ErrNotFound, id)
}

// PublicKey returns the key of a tree, as PEM: what is trusted, whatever the log says. 0 is the current one. gateway.ErrNotFound: it is not configured.
func (l *Log) PublicKey(_ context.Context, id int64) ([]byte, error) {
	t, err := l.use().treeWith(id)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: t.Log.SPKI}), nil
}

// Proof returns the log's consistency proof between two sizes of a tree. What it leads to is for those to check who have the two checkpoints.
// gateway.ErrNotFound: there is no such tree, or it is not that large.
func (l *Log) Proof(ctx context.Context, id int64, first, last uint64) (rekorjson.ConsistencyProof, error) {
	t, err := l.use().treeWith(id)
	if err != nil {
		return rekorjson.ConsistencyProof{}, err
	}
	query := url.Values{
		"firstSize": {strconv.FormatUint(first, 10)}, "lastSize": {strconv.FormatUint(last, 10)}, "treeID": {strconv.FormatInt(t.id(), 10)},
	}
	proof := rekorjson.ConsistencyProof{}
	if err := t.getJSON(ctx, "api/v1/log/proof", query, maxProof, &proof); err != nil {
		return rekorjson.ConsistencyProof{}, explainMissing(err)
	}
	if proof.Hashes == nil {
		proof.Hashes = []string{}
	}
	if _, err := decodeHashes(append([]string{proof.RootHash}, proof.Hashes...)); err != nil {
		return rekorjson.ConsistencyProof{}, err
	}
	return proof, nil
}

// explainMissing says gateway.ErrNotFound where the log has no such thing.
func explainMissing(err error) error {
	if errors.Is(err, errNotFound) || errors.Is(err, errQuery) {
		return fmt.Errorf("%w: %w", gateway.ErrNotFound, err)
	}
	return err
}

// EntryByIndex returns the entry at an index over all trees, verified. Errors: gateway.ErrNotFound, also for an entry in a tree that is not
// configured; ErrUnavailable, ErrBadAnswer.
func (l *Log) EntryByIndex(ctx context.Context, index int64) (rekorjson.ID, rekorjson.Entry, error) {
	s := l.use()
	id, entry, err := s.readEntry(ctx, entriesPath, url.Values{"logIndex": {strconv.FormatInt(index, 10)}})
	if err == nil && entry.LogIndex != index {
		err = fmt.Errorf("%w: the entry at another index", gateway.ErrBadAnswer)
	}
	return id, entry, err
}

// EntryByID returns an entry by its leaf, and its tree where that is said, verified. Errors are EntryByIndex's.
func (l *Log) EntryByID(ctx context.Context, want rekorjson.ID) (rekorjson.ID, rekorjson.Entry, error) {
	id, entry, err := l.use().readEntry(ctx, path.Join(entriesPath, want.String()), nil)
	if err == nil && (id.Leaf != want.Leaf || want.Tree != 0 && want.Tree != id.Tree) {
		err = fmt.Errorf("%w: another entry than %s", gateway.ErrBadAnswer, want)
	}
	return id, entry, err
}

// readEntry reads the one entry that a resource is.
func (s state) readEntry(ctx context.Context, from string, query url.Values) (id rekorjson.ID, entry rekorjson.Entry, err error) {
	var entries rekorjson.Entries
	if err := s.trees[0].getJSON(ctx, from, query, maxEntry, &entries); err != nil {
		return id, entry, explainMissing(err)
	}
	for text, e := range entries {
		if id, err = rekorjson.ParseID(text); err != nil || len(entries) != 1 {
			break
		}
		t, err := s.treeWith(id.Tree)
		if err != nil {
			return id, entry, err
		}
		if err := t.verifyEntry(id, &e); err != nil {
			return id, entry, fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
		}
		return id, e, nil
	}
	return id, entry, fmt.Errorf("%w: not the one entry that was asked for", gateway.ErrBadAnswer)
}

// verifyEntry checks all that e says by itself: the body is the leaf, the promise and the checkpoint are the log's, and the proof leads from one to the
// other. An attestation is dropped unless the body has its hash. Whether the checkpoint is consistent with others is not asked, as often as entries are
// read: that is asked of those that are written, and of what Info reads.
func (t *tree) verifyEntry(id rekorjson.ID, e *rekorjson.Entry) error {
	leaf, p := hashedrekord.LeafHash(e.Body), e.Verification.InclusionProof
	switch {
	case id.Tree != t.id() || leaf != id.Leaf:
		return errors.New("the body is not that of the id")
	case e.LogID != hex.EncodeToString(t.name.KeyID[:]):
		return errors.New("another log's id")
	case p == nil || p.LogIndex < 0 || p.LogIndex >= p.TreeSize || p.LogIndex > e.LogIndex:
		return errors.New("no inclusion proof for its index")
	}
	err := t.Log.VerifyPromise(trustroot.Promise{Body: e.Body, IntegratedTime: e.IntegratedTime, LogIndex: e.LogIndex, Signature: e.Verification.SignedEntryTimestamp})
	if err != nil {
		return err
	}
	cp, err := tiles.OpenCheckpoint([]byte(p.Checkpoint), t.name.Origin, t.Log.Verifier)
	if err != nil {
		return err
	}
	hashes, err := decodeHashes(p.Hashes)
	if err != nil {
		return err
	}
	if uint64(p.TreeSize) != cp.Size || p.RootHash != hex.EncodeToString(cp.Root[:]) {
		return errors.New("proof is for another checkpoint")
	}
	if a := e.Attestation; a != nil {
		if sum := sha256.Sum256(a.Data); !bytes.Contains(e.Body, []byte(hex.EncodeToString(sum[:]))) {
			e.Attestation = nil
		}
	}
	return tiles.VerifyInclusion(cp, uint64(p.LogIndex), leaf, hashes)
}

// Search returns the IDs that the log's index has. A log without an index has none. Errors: gateway.ErrUnavailable, ErrBadAnswer, ErrNotFound for what
// it cannot be asked.
func (l *Log) Search(ctx context.Context, s rekorjson.Search) ([]rekorjson.ID, error) {
	question, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	var texts []string
	err = l.use().trees[0].askJSON(ctx, http.MethodPost, "api/v1/index/retrieve", nil, question, maxSearch, &texts)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, explainMissing(err)
	}
	ids := make([]rekorjson.ID, len(texts))
	for i, text := range texts {
		if ids[i], err = rekorjson.ParseID(text); err != nil {
			return nil, fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
		}
	}
	return ids, nil
}

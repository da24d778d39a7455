// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// Signer has the key of a tree: ECDSA P-256. Its methods are safe for concurrent use.
type Signer interface {
	Sign(msg []byte) ([]byte, error) // over SHA-256, ASN.1 DER
	SPKI() []byte                    // DER
	PublicKey() []byte               // PEM
}

// Tree is one of a facade's trees: a log of the gateway's own.
type Tree struct {
	ID     int64  // positive
	Log    string // the ID of the own log
	Reader *ownlog.Reader
	Signer Signer
}

// Origin returns the first line of the checkpoints of a tree at host, as Rekor v1 writes it.
func Origin(host string, tree int64) string { return fmt.Sprintf("%s - %d", host, tree) }

// readInfo returns the state of the tree. The error is gateway.ErrNotFound before anything is anchored.
func (t Tree) readInfo(ctx context.Context) (rekorjson.TreeInfo, error) {
	head, err := t.Reader.ReadHead(ctx)
	if err != nil {
		return rekorjson.TreeInfo{}, err
	}
	return t.newInfo(head), nil
}

func (t Tree) newInfo(head ownlog.Head) rekorjson.TreeInfo {
	return rekorjson.TreeInfo{
		RootHash: hex.EncodeToString(head.Root[:]), SignedTreeHead: string(head.Checkpoint), TreeID: strconv.FormatInt(t.ID, 10), TreeSize: int64(head.Size),
	}
}

// readEntry returns a record of the tree, whose first one has the index start over all trees.
func (t Tree) readEntry(ctx context.Context, start, index uint64) (rekorjson.ID, rekorjson.Entry, error) {
	fail := func(err error) (rekorjson.ID, rekorjson.Entry, error) { return rekorjson.ID{}, rekorjson.Entry{}, err }
	head, err := t.Reader.ReadHead(ctx)
	if err != nil {
		return fail(err)
	}
	body, err := t.Reader.ReadRecord(ctx, head, index)
	if err != nil {
		return fail(err)
	}
	covered, err := t.Reader.ReadCovered(ctx, index)
	if err != nil {
		return fail(err)
	}
	hashes, err := t.Reader.ProveInclusion(ctx, head, index)
	if err != nil {
		return fail(err)
	}
	logID := sha256.Sum256(t.Signer.SPKI())
	e := rekorjson.Entry{
		Body: body, IntegratedTime: covered.Unix(), LogID: hex.EncodeToString(logID[:]), LogIndex: int64(start + index),
		Verification: rekorjson.Verification{InclusionProof: &rekorjson.InclusionProof{
			Checkpoint: string(head.Checkpoint), Hashes: encodeHashes(hashes), LogIndex: int64(index), RootHash: hex.EncodeToString(head.Root[:]), TreeSize: int64(head.Size),
		}},
	}
	if e.Verification.SignedEntryTimestamp, err = signEntry(t.Signer, e); err != nil {
		return fail(err)
	}
	return rekorjson.ID{Tree: t.ID, Leaf: leafHash(body)}, e, nil
}

// signEntry returns the SET of an entry: the signature over its body, its time, the log and its index, as canonical JSON (RFC 8785). Members are in the
// order of their names, and no text in them is one that JSON escapes.
func signEntry(signer Signer, e rekorjson.Entry) ([]byte, error) {
	promised, err := json.Marshal(struct {
		Body           string `json:"body"`
		IntegratedTime int64  `json:"integratedTime"`
		LogID          string `json:"logID"`
		LogIndex       int64  `json:"logIndex"`
	}{base64.StdEncoding.EncodeToString(e.Body), e.IntegratedTime, e.LogID, e.LogIndex})
	if err != nil {
		return nil, err
	}
	return signer.Sign(promised)
}

func encodeHashes(hashes [][tiletree.HashSize]byte) []string {
	all := make([]string, len(hashes))
	for i, h := range hashes {
		all[i] = hex.EncodeToString(h[:])
	}
	return all
}

// findLeaf returns the submission of a leaf in the tree, and its index. The error is gateway.ErrNotFound where it is not, or not logged yet.
func (t Tree) findLeaf(ctx context.Context, store Store, hash gateway.LeafHash) (gateway.Submission, uint64, error) {
	sub, err := store.ByLeaf(ctx, gateway.FacadeTenant(), t.Log, hash)
	if err != nil {
		return gateway.Submission{}, 0, err
	}
	for _, e := range sub.Entries {
		if e.Log == t.Log && e.LeafHash == hash && e.State == gateway.Logged && e.LogIndex != nil {
			return sub, *e.LogIndex, nil
		}
	}
	return gateway.Submission{}, 0, fmt.Errorf("%w: the leaf is not logged yet", gateway.ErrNotFound)
}

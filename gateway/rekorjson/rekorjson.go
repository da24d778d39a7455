// SPDX-License-Identifier: Apache-2.0

// Package rekorjson is what Rekor v1's HTTP API answers, as JSON (openapi.yaml of github.com/sigstore/rekor, 1.5): entries, the state of a log, proofs
// and searches. It is pure, so that who reads such a log and who answers as one share the words.
package rekorjson

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// ID is what the API calls an entry (UUID): the tree it is in and its leaf hash (RFC 6962).
type ID struct {
	Tree int64 // positive; 0: not said, it is in any tree of the log
	Leaf [sha256.Size]byte
}

const (
	leafDigits = 2 * sha256.Size
	idDigits   = 16 + leafDigits
)

// ErrID is returned for what is no ID.
var ErrID = errors.New("not the id of an entry: 64 or 80 hexadecimal digits")

// ParseID reads 80 hexadecimal digits, of the tree and the leaf, or 64 of the leaf alone.
func ParseID(text string) (ID, error) {
	if len(text) != leafDigits && len(text) != idDigits {
		return ID{}, ErrID
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return ID{}, ErrID
	}
	at := len(raw) - sha256.Size
	id := ID{Leaf: [sha256.Size]byte(raw[at:])}
	for _, b := range raw[:at] {
		id.Tree = id.Tree<<8 | int64(b)
	}
	if at > 0 && id.Tree <= 0 {
		return ID{}, ErrID
	}
	return id, nil
}

// String returns what ParseID reads.
func (id ID) String() string {
	if id.Tree == 0 {
		return hex.EncodeToString(id.Leaf[:])
	}
	return fmt.Sprintf("%016x%x", id.Tree, id.Leaf)
}

// Entry is an entry of a log, with what proves it.
type Entry struct {
	Body           []byte       `json:"body"` // canonical JSON: the leaf
	IntegratedTime int64        `json:"integratedTime"`
	LogID          string       `json:"logID"`    // SHA-256 of the log's SubjectPublicKeyInfo, hexadecimal
	LogIndex       int64        `json:"logIndex"` // over all trees
	Attestation    *Attestation `json:"attestation,omitempty"`
	Verification   Verification `json:"verification"`
}

// Attestation is what some entries of a log that keeps them come with. Nothing proves it but the entry's own hash of it.
type Attestation struct {
	Data []byte `json:"data"`
}

// Verification is what proves an entry.
type Verification struct {
	InclusionProof *InclusionProof `json:"inclusionProof"`
	// SignedEntryTimestamp (SET) is the log's signature over the rest but the proof, as canonical JSON (RFC 8785).
	SignedEntryTimestamp []byte `json:"signedEntryTimestamp"`
}

// InclusionProof leads from an entry to a checkpoint.
type InclusionProof struct {
	Checkpoint string   `json:"checkpoint"` // C2SP signed note
	Hashes     []string `json:"hashes"`     // hexadecimal
	LogIndex   int64    `json:"logIndex"`   // in its tree
	RootHash   string   `json:"rootHash"`
	TreeSize   int64    `json:"treeSize"`
}

// Entries is one entry or more, by their IDs: what the API answers with everywhere.
type Entries map[string]Entry

// TreeInfo is the state of one tree.
type TreeInfo struct {
	RootHash       string `json:"rootHash"` // hexadecimal
	SignedTreeHead string `json:"signedTreeHead"`
	TreeID         string `json:"treeID"` // decimal
	TreeSize       int64  `json:"treeSize"`
}

// LogInfo is the state of a log: the tree that is written to, and those that were.
type LogInfo struct {
	TreeInfo
	InactiveShards []TreeInfo `json:"inactiveShards"`
}

// MarshalJSON writes the members of TreeInfo beside the others.
func (i LogInfo) MarshalJSON() ([]byte, error) {
	if i.InactiveShards == nil {
		i.InactiveShards = []TreeInfo{}
	}
	type plain LogInfo
	return json.Marshal(plain(i))
}

// ConsistencyProof leads from one size of a tree to a larger one.
type ConsistencyProof struct {
	Hashes   []string `json:"hashes"`   // hexadecimal
	RootHash string   `json:"rootHash"` // of the tree as it is now, which may be larger than what was asked for
}

// Search is a search of the log's index. What is set is looked for: any of it, or all with Operator "and".
type Search struct {
	Email     string           `json:"email,omitempty"`
	Subject   string           `json:"subject,omitempty"`
	PublicKey *SearchPublicKey `json:"publicKey,omitempty"`
	Hash      string           `json:"hash,omitempty"` // of an artifact: hexadecimal, with "sha256:", "sha512:" or "sha1:" before it or without
	Operator  string           `json:"operator,omitempty"`
}

// SearchPublicKey is a key that is looked for.
type SearchPublicKey struct {
	Format  string `json:"format"` // pgp, x509, minisign, ssh or tuf
	Content []byte `json:"content"`
}

// Error is how the API refuses.
type Error struct {
	Code    int    `json:"code"` // the HTTP status
	Message string `json:"message"`
}

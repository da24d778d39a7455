// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// What a Memory holds at most. A run over many receipts meets five checks for each checkpoint of an own log with one anchor, and few checkpoints at a time.
const (
	maxRemembered = 1024
	maxOpened     = 64 // checkpoints of either kind
)

// Memory remembers what was verified of checkpoints and anchors, so that thousands of receipts with the same checkpoint have it verified once. It says what
// follows from these bytes and keys alone, such as that a key has signed them, and nothing of whom anybody trusts, nor of times and indexes at which that
// counts: it may be shared by verifications with different trust. What did not verify is not remembered. The nil Memory remembers nothing. Methods are safe
// for concurrent use.
type Memory struct {
	verified *lru.Cache[hashOfParts, struct{}]
	own      *lru.Cache[hashOfParts, ownCheckpoint]
	logs     *lru.Cache[hashOfParts, openedCheckpoint]
	scratch  sync.Pool // of *[]byte
}

// NewMemory returns a memory that is empty.
func NewMemory() *Memory { // sizes below one would fail
	verified, _ := lru.New[hashOfParts, struct{}](maxRemembered)
	own, _ := lru.New[hashOfParts, ownCheckpoint](maxOpened)
	logs, _ := lru.New[hashOfParts, openedCheckpoint](maxOpened)
	return &Memory{verified: verified, own: own, logs: logs, scratch: sync.Pool{New: func() any { return new([]byte) }}}
}

// hashOfParts is SHA-256 over the SHA-256 of each part. The first part says what is known of the others.
type hashOfParts [sha256.Size]byte

func hashParts(parts ...[]byte) hashOfParts {
	const usual = 8
	hashes := make([]byte, 0, usual*sha256.Size) // on the stack
	for _, p := range parts {
		h := sha256.Sum256(p)
		hashes = append(hashes, h[:]...)
	}
	return sha256.Sum256(hashes)
}

// find returns what cache has for the parts, or else what make returns, which the cache has then unless there is an error.
func find[T any](cache *lru.Cache[hashOfParts, T], make func() (T, error), parts ...[]byte) (T, error) {
	h := hashParts(parts...)
	if known, ok := cache.Get(h); ok {
		return known, nil
	}
	found, err := make()
	if err == nil {
		cache.Add(h, found)
	}
	return found, err
}

// verifyOnce calls verify unless it has returned nil for the same parts before. The first says by what rules is verified.
func (m *Memory) verifyOnce(verify func() error, parts ...[]byte) error {
	if m == nil {
		return verify()
	}
	_, err := find(m.verified, func() (struct{}, error) { return struct{}{}, verify() }, parts...)
	return err
}

// parseOwn is parseOwnCheckpoint.
func (m *Memory) parseOwn(checkpoint []byte) (ownCheckpoint, error) {
	if m == nil {
		return parseOwnCheckpoint(checkpoint)
	}
	return find(m.own, func() (ownCheckpoint, error) { return parseOwnCheckpoint(checkpoint) }, []byte("own checkpoint"), checkpoint)
}

// openLog is openBy.
func (m *Memory) openLog(envelope string, logs []trustroot.Log) (openedCheckpoint, error) {
	if m == nil {
		return openBy(envelope, logs)
	}
	parts := append(make([][]byte, 0, 2+3*2), []byte("checkpoint"), []byte(envelope)) // two keys are more than a log has as a rule
	for _, l := range logs {
		parts = append(parts, []byte(l.Verifier.Name()), binary.BigEndian.AppendUint32(nil, l.Verifier.KeyHash()), l.SPKI)
	}
	return find(m.logs, func() (openedCheckpoint, error) { return openBy(envelope, logs) }, parts...)
}

// verifyPromise is l.VerifyPromise.
func (m *Memory) verifyPromise(l trustroot.Log, p trustroot.Promise) error {
	if m == nil {
		return l.VerifyPromise(p)
	}
	numbers := binary.BigEndian.AppendUint64(nil, uint64(p.IntegratedTime)) // #nosec G115 -- it is told apart, not counted with
	numbers = binary.BigEndian.AppendUint64(numbers, uint64(p.LogIndex))    // #nosec G115 -- as above
	return m.verifyOnce(func() error { return l.VerifyPromise(p) }, []byte("promise"), l.SPKI, l.ID, numbers, p.Body, p.Signature)
}

// anchorMemory is a Memory of one anchor.
type anchorMemory struct {
	memory *Memory
	name   []byte // of the anchor with all that is in it, and of the checkpoint that it is to be an anchor of; nil: nothing is remembered
}

// of returns what m remembers of an anchor.
func (m *Memory) of(c ownCheckpoint, a *receiptpb.Anchor) anchorMemory {
	if m == nil {
		return anchorMemory{}
	}
	scratch := m.scratch.Get().(*[]byte)
	defer m.scratch.Put(scratch)
	raw, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend((*scratch)[:0], a)
	if err != nil { // such as text that is not UTF-8
		return anchorMemory{}
	}
	if cap(raw) <= maxScratch {
		*scratch = raw
	}
	name := hashParts([]byte("anchor"), c.anchored, raw)
	return anchorMemory{m, name[:]}
}

// verifyOnce is that of the Memory, of something that follows from the anchor and the parts.
func (m anchorMemory) verifyOnce(verify func() error, rules string, parts ...[]byte) error {
	if m.name == nil {
		return verify()
	}
	return m.memory.verifyOnce(verify, append([][]byte{[]byte(rules), m.name}, parts...)...)
}

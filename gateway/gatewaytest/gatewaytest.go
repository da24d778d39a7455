// SPDX-License-Identifier: Apache-2.0

// Package gatewaytest has a fake log and submissions for tests of the domain and of what
// stands on it.
package gatewaytest

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

var _ gateway.Log = (*Log)(nil)

// Fault is what a Log does with one Add; applied says whether the entry is in the log
// all the same.
type Fault struct {
	Err     error
	Applied bool
	Late    time.Duration // after which an applied entry shows in the tiles
	Down    error         // what reading the log gives from then on, as by SetDown
}

// Log keeps gateway.Log's contract without proofs: those are the adapters' business.
type Log struct {
	// Name is its ID; "" is "fake".
	Name string
	// Delay is its integration delay.
	Delay time.Duration

	mu      sync.Mutex
	shard   gateway.Shard
	former  []gateway.FormerShard
	tree    gateway.Shard // where the former shards' trees go on; zero: nowhere
	probes  int
	leaves  map[gateway.Shard][]gateway.LeafHash
	shown   map[gateway.LeafHash]time.Time
	faults  []Fault // for the next Adds, in order
	sent    map[gateway.LeafHash]int
	down    error
	noProbe error // what probes get
}

// NewLog returns an empty log whose next Adds do as faults say.
func NewLog(faults ...Fault) *Log {
	return &Log{
		Delay: 300 * time.Millisecond, shard: gateway.Shard{Origin: "log.example", KeyID: [32]byte{1}},
		leaves: map[gateway.Shard][]gateway.LeafHash{},
		faults: faults, shown: map[gateway.LeafHash]time.Time{}, sent: map[gateway.LeafHash]int{},
	}
}

// Describe describes the log.
func (l *Log) Describe() gateway.LogInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return gateway.LogInfo{ID: l.id(), Shard: l.shard, APIVersion: 2, IntegrationDelay: l.Delay}
}

func (l *Log) id() string { return cmp.Or(l.Name, "fake") }

// Former returns what Rotate and SetFormer said.
func (l *Log) Former() []gateway.FormerShard {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.former)
}

// Rotate makes the log another shard with the key named by id. Those given are its former ones.
func (l *Log) Rotate(id byte, former ...gateway.FormerShard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shard.KeyID, l.former, l.tree = [32]byte{id}, former, gateway.Shard{}
}

// Rekey makes the log another shard with the key named by id, whose tree is that of the one before.
func (l *Log) Rekey(id byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.shard
	l.shard.KeyID = [32]byte{id}
	l.leaves[l.shard] = l.leaves[before]
	l.former, l.tree = append(l.former, gateway.FormerShard{Shard: before}), l.shard
}

// TreeOf returns the shard, or the current one after Rekey.
func (l *Log) TreeOf(_ context.Context, shard gateway.Shard) (gateway.Shard, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tree != (gateway.Shard{}) {
		return l.tree, l.checkShard(shard)
	}
	return shard, l.checkShard(shard)
}

// checkShard returns an error for a shard that cannot be read. The caller holds the lock.
func (l *Log) checkShard(shard gateway.Shard) error {
	if l.down != nil {
		return l.down
	}
	if shard != l.shard && !slices.ContainsFunc(l.former, func(f gateway.FormerShard) bool { return f.Shard == shard }) {
		return fmt.Errorf("%w: not a shard of this log", gateway.ErrUnavailable)
	}
	return nil
}

// probeKind is the kind of probes, which Count leaves out.
const probeKind = "probe"

// NewProbe makes a probe for a Log.
func NewProbe(_ context.Context, log gateway.Log) (gateway.Prepared, error) {
	p := gateway.Prepared{Log: log.Describe().ID, Kind: probeKind}
	_, err := rand.Read(p.LeafHash[:])
	return p, err
}

// Accepts takes what Rekor v2 takes.
func (l *Log) Accepts(o gateway.Offer) error {
	if o.Whole != nil {
		return formats.NewError(formats.ReasonNotProjectable, "the log has no entries of its own for a format", "")
	}
	if o.Projection == nil {
		return nil
	}
	_, err := hashedrekord.KeyDetails(o.Projection.Candidate)
	return err
}

// Prepare encodes o as Rekor v2 does.
func (l *Log) Prepare(o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	var entry *receiptpb.LogEntry
	var record hashedrekord.Record
	var err error
	if o.Statement != nil {
		entry, record = receipt.Attestation(*o.Statement)
	} else if entry, record, err = receipt.Project(*o.Projection, o.Certificate); err != nil {
		return gateway.Prepared{}, nil, err
	}
	body, err := hashedrekord.Body(record)
	if err != nil {
		return gateway.Prepared{}, nil, formats.WrapError(err, formats.ReasonAlgorithmNotLoggable, "refused", "")
	}
	return gateway.Prepared{
		Log: l.id(), LeafHash: hashedrekord.LeafHash(body), Kind: hashedrekord.Kind, Body: body, Signature: record.Signature,
	}, entry, nil
}

// Size returns the number of entries.
func (l *Log) Size(_ context.Context, shard gateway.Shard) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shownTo(shard), l.checkShard(shard)
}

// Add logs e, or does what the next fault says.
func (l *Log) Add(_ context.Context, shard gateway.Shard, e gateway.Prepared) (*gateway.Inclusion, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if shard != l.shard {
		return nil, fmt.Errorf("%w: another shard", gateway.ErrNotSent)
	}
	if l.down != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrNotSent, l.down)
	}
	if e.Kind == probeKind {
		if l.noProbe != nil {
			return nil, l.noProbe
		}
		l.probes++
		l.leaves[shard] = append(l.leaves[shard], e.LeafHash)
		return newInclusion(len(l.leaves[shard]) - 1), nil
	}
	l.sent[e.LeafHash]++
	var f Fault
	if len(l.faults) > 0 {
		f, l.faults = l.faults[0], l.faults[1:]
	}
	if f.Down != nil {
		l.down = f.Down
	}
	if f.Err == nil || f.Applied {
		l.leaves[shard] = append(l.leaves[shard], e.LeafHash) // as a log without deduplication would
		l.shown[e.LeafHash] = time.Now().Add(f.Late)
	}
	if f.Err != nil {
		return nil, f.Err
	}
	return newInclusion(len(l.leaves[shard]) - 1), nil
}

func newInclusion(i int) *gateway.Inclusion {
	raw, err := receipt.EncodeProof(&rekorpb.TransparencyLogEntry{LogIndex: int64(i), KindVersion: &rekorpb.KindVersion{Kind: hashedrekord.KindName}})
	if err != nil {
		panic(err) // a message of one number can be encoded
	}
	return &gateway.Inclusion{Kind: receipt.KindTransparencyLogEntry, Index: uint64(i), Proof: raw}
}

// Find looks through the entries that show by now.
func (l *Log) Find(_ context.Context, shard gateway.Shard, leaves []gateway.LeafHash, from, to uint64) (gateway.Found, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkShard(shard); err != nil {
		return gateway.Found{}, err
	}
	found := gateway.Found{Inclusions: map[gateway.LeafHash]*gateway.Inclusion{}, AbsentTo: min(to, l.shownTo(shard))}
	for _, want := range leaves {
		for i := from; i < found.AbsentTo; i++ {
			if l.leaves[shard][i] == want {
				found.Inclusions[want] = newInclusion(int(i))
			}
		}
	}
	return found, nil
}

// shownTo returns the size of the tree that shows by now: up to the first late entry.
func (l *Log) shownTo(shard gateway.Shard) uint64 {
	for i, leaf := range l.leaves[shard] {
		if time.Now().Before(l.shown[leaf]) {
			return uint64(i)
		}
	}
	return uint64(len(l.leaves[shard]))
}

// Count returns how many entries are in the log's shards and how many were sent to it, probes left out. After Rekey it counts
// the entries of before twice.
func (l *Log) Count() (logged, sent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.sent {
		sent += n
	}
	for _, leaves := range l.leaves {
		logged += len(leaves)
	}
	return logged - l.probes, sent
}

// SetDown makes Size and Find answer err, so that nothing is sent to it either, or work again with nil.
func (l *Log) SetDown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = err
}

// SetProbesFailing makes probes get err, or be logged with nil.
func (l *Log) SetProbesFailing(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noProbe = err
}

// Signed is an X.509 submission of text by digest.
func Signed(t testing.TB, text string) gateway.Request {
	t.Helper()
	return SignedDigest(t, sha256.Sum256([]byte(text)))
}

// SignedDigest returns a request with a signature over what has this SHA-256.
func SignedDigest(t testing.TB, sum [sha256.Size]byte) gateway.Request {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Request{
		Tenant: gateway.DefaultTenant, Format: "x509", Signature: sig,
		Keys:   [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})},
		Digest: &formats.Digest{Algorithm: formats.SHA256, Value: sum[:]},
	}
}

// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// ErrForgotten: a checkpoint of the log is anchored that the store does not know: the store is an older copy, or another one. What it would
// do next would be a second history under the same name, so that nothing more is done. Another origin is the way out.
var ErrForgotten = errors.New("the store does not know an anchor of its own log")

// AnchorShard is where anchors are, in a log that can be read.
type AnchorShard struct {
	Log string // its ID
	gateway.Shard
	// Entries are nil, and Log and the key ID are unknown, where the shard is not configured any more.
	Entries gateway.EntryReader
	Closed  bool // gateway.FormerShard.Closed
	// Keys are those whose anchors count in it, former ones too. The one in use is always looked for.
	Keys  []AnchorKey
	Delay time.Duration // the log's gateway.LogInfo.IntegrationDelay
}

// AnchorKey is one that signs anchors, or did.
type AnchorKey struct {
	SPKI []byte            // DER; nil where no more than Sum is known of it
	Sum  [sha256.Size]byte // SHA-256 of the SPKI, where that is nil
	From uint64            // the index of the shard from which on its anchors count
	To   *uint64           // the last one; nil: no end. Of the key in use that is nothing
}

// sum returns SHA-256 of the key's SPKI.
func (k AnchorKey) sum() [sha256.Size]byte {
	if k.SPKI == nil {
		return k.Sum
	}
	return sha256.Sum256(k.SPKI)
}

// isDone reports whether a key was looked for up to where its anchors count. Those of a key that was stolen since stop nothing.
func (k AnchorKey) isDone(next uint64) bool { return k.To != nil && next > *k.To }

// lookPage is after how many entries it is stored how far a log was looked through.
const lookPage = 16_384

// guard knows whether the store of an own log is the latest state of it, by the logs that have its anchors.
type guard struct {
	id     string // the log's
	store  Store
	shards func() ([]AnchorShard, error)
	// anchors returns where they are recorded now.
	anchors func() LogSet
	inUse   []byte // the SPKI of the anchor key; nil: the log makes no more anchors
	logger  *slog.Logger

	keeping sync.Mutex             // held while it is stored how far logs were looked through, and while the store is asked whether it went on in another way
	lives   int                    // how often it did, under keeping
	said    string                 // what warnUnread has said, under keeping
	never   map[gateway.Shard]bool // shards that this process could never read, and none before, under keeping
}

// checkAnchors looks for anchors that the store does not know, in all that was added to the logs since they were last looked through. The error
// is ErrForgotten, or what keeps it from being known: see checkUnread.
func (g *guard) checkAnchors(ctx context.Context) error {
	shards, err := g.shards()
	if err != nil {
		return err
	}
	life := g.readLife()
	before, err := g.store.Looks(ctx, g.id)
	if err != nil {
		return err
	}
	places := sync.OnceValues(func() ([]anchorPlace, error) { return g.listPlaces(ctx) })
	var skipped unreadShards
	for _, shard := range shards {
		switch {
		case (shard.Closed || shard.Entries == nil) && shard.isReadToEnd(before):
			continue
		case shard.Entries == nil:
			skipped.unconfigured = append(skipped.unconfigured, shard.Origin)
			continue
		}
		k := &look{guard: g, life: life, shard: shard, keys: g.listKeys(shard, before), places: places}
		if len(k.keys) == 0 {
			continue
		}
		err := k.readShard(ctx)
		logs := unread{}
		switch {
		case err == nil:
			g.noteLooked(shard)
		case errors.As(err, &logs) && ctx.Err() == nil:
			skipped.noteFailed(shard, g.wasLooked(shard, before), logs)
		default:
			return fmt.Errorf("looking for anchors in log %s: %w", shard.Log, err)
		}
	}
	return g.checkUnread(ctx, skipped)
}

// readLife returns how often the store has gone on in another way.
func (g *guard) readLife() int {
	g.keeping.Lock()
	defer g.keeping.Unlock()
	return g.lives
}

// keepLooks stores how far logs were looked through, unless the store has gone on in another way since: what was known to it then may not be now.
func (g *guard) keepLooks(ctx context.Context, life int, looks []gateway.OwnLook) error {
	g.keeping.Lock()
	defer g.keeping.Unlock()
	if life != g.lives {
		return fmt.Errorf("the store has gone on in another way meanwhile: %w", gateway.ErrDoubtFirst)
	}
	return g.store.KeepLooks(ctx, g.id, looks)
}

// askStore is Store.Sequence, whose ErrDoubtFirst says that the store has gone on in another way.
func (g *guard) askStore(ctx context.Context, limit int) (gateway.OwnLog, int, error) {
	g.keeping.Lock()
	defer g.keeping.Unlock()
	state, n, err := g.store.Sequence(ctx, g.id, limit, growTree)
	if errors.Is(err, gateway.ErrDoubtFirst) {
		g.lives++
	}
	return state, n, err
}

// lookedKey is a key whose anchors are looked for.
type lookedKey struct {
	AnchorKey
	encoded []byte          // as records have it; nil, which all have, where that is not known
	done    gateway.OwnLook // what was looked through
}

// listKeys returns the keys whose anchors are looked for in a shard. What was looked through from where a key counts is not read again.
func (g *guard) listKeys(shard AnchorShard, before []gateway.OwnLook) (keys []lookedKey) {
	all := shard.Keys
	if g.inUse != nil && !slices.ContainsFunc(all, func(k AnchorKey) bool { return bytes.Equal(k.SPKI, g.inUse) }) {
		first := AnchorKey{SPKI: g.inUse}
		for i, k := range all {
			if i == 0 || k.From < first.From {
				first.From = k.From
			}
		}
		all = append(slices.Clone(all), first)
	}
	for _, k := range all {
		done := gateway.OwnLook{Shard: shard.Shard, Key: k.sum(), From: k.From, To: k.From}
		at := slices.IndexFunc(before, func(o gateway.OwnLook) bool { return o.Shard == done.Shard && o.Key == done.Key })
		if at >= 0 && before[at].From <= k.From && (before[at].To != ToEnd || shard.Closed) { // it may be open again
			done = before[at]
		}
		if bytes.Equal(k.SPKI, g.inUse) {
			k.To = nil
		}
		if !k.isDone(done.To) {
			keys = append(keys, lookedKey{AnchorKey: k, encoded: []byte(base64.StdEncoding.EncodeToString(k.SPKI)), done: done})
		}
	}
	return keys
}

// isLooked reports whether an anchor at an index would count that was not looked at.
func (k lookedKey) isLooked(index uint64) bool { return index >= k.done.To && !k.isDone(index) }

// look is one through a shard.
type look struct {
	guard  *guard
	life   int // of the guard's, in which it began
	shard  AnchorShard
	keys   []lookedKey // at least one
	places func() ([]anchorPlace, error)
	next   uint64 // all before is looked through
}

// readShard looks through all of the shard that one of the keys was not looked for in, and stores how far that is. The error is unread where the
// shard could not be read.
func (k *look) readShard(ctx context.Context) error {
	k.next = k.keys[0].done.To
	for _, key := range k.keys {
		k.next = min(k.next, key.done.To)
	}
	var ours error
	err := k.shard.Entries.EachEntry(ctx, k.shard.Shard, k.next, func(index uint64, body []byte) error {
		if ours = k.checkEntry(ctx, index, body); ours != nil {
			return ours
		}
		if k.next = index + 1; k.next%lookPage == 0 {
			ours = k.keepLooks(ctx)
		}
		return ours
	})
	if err == nil && k.shard.Closed {
		k.next = ToEnd
	}
	switch kept := k.keepLooks(ctx); {
	case ours != nil || kept != nil:
		return errors.Join(ours, kept)
	case err != nil:
		return unread{err}
	}
	return nil
}

// keepLooks stores how far the shard is looked through.
func (k *look) keepLooks(ctx context.Context) error {
	var further []gateway.OwnLook
	for i := range k.keys {
		next, done := k.next, &k.keys[i].done
		if k.keys[i].isDone(next) {
			next = *k.keys[i].To + 1 // its end may be moved
		}
		if next > done.To {
			done.To = next
			further = append(further, *done)
		}
	}
	if len(further) == 0 {
		return nil
	}
	return k.guard.keepLooks(ctx, k.life, further)
}

// checkEntry refuses an anchor that the store does not know.
func (k *look) checkEntry(ctx context.Context, index uint64, body []byte) error {
	if !slices.ContainsFunc(k.keys, func(key lookedKey) bool { return key.isLooked(index) && bytes.Contains(body, key.encoded) }) { // most are others'
		return nil
	}
	record, err := hashedrekord.Parse(body)
	sum := sha256.Sum256(record.SPKI)
	if err != nil || !slices.ContainsFunc(k.keys, func(key lookedKey) bool { return key.isLooked(index) && key.done.Key == sum }) || record.Verify() != nil {
		return nil
	}
	known, err := k.guard.isKnown(ctx, record, k.places)
	if err == nil && !known {
		err = fmt.Errorf("%w: entry %d of log %s", ErrForgotten, index, k.shard.Log)
	}
	return err
}

// anchorPlace is where the store may have anchors: by the tenant of an own log, and in a log.
type anchorPlace struct{ tenant, log string }

// listPlaces returns all: of this log and of former ones, which may have had the same anchor key, and in logs that are not used any more.
func (g *guard) listPlaces(ctx context.Context) (places []anchorPlace, err error) {
	own, err := g.store.ListOwnLogs(ctx)
	if err != nil {
		return nil, err
	}
	logs, err := g.store.ListLogs(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range own {
		for _, log := range logs {
			places = append(places, anchorPlace{gateway.AnchorTenant(o.ID), log.Log})
		}
	}
	return places, nil
}

// isKnown reports whether the store has an anchor of the same checkpoint. Whoever can read an anchor can record it again, in any log and in
// another form, and keeps the own log from writing by nothing that its anchor key has not signed.
func (g *guard) isKnown(ctx context.Context, record hashedrekord.Record, places func() ([]anchorPlace, error)) (bool, error) {
	leaves, err := listForms(record)
	if err != nil {
		return false, err
	}
	all, err := places()
	if err != nil {
		return false, err
	}
	for _, at := range all {
		for _, leaf := range leaves {
			_, err := g.store.ByLeaf(ctx, at.tenant, at.log, leaf)
			if !errors.Is(err, gateway.ErrNotFound) {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// listForms returns the leaf hashes that an anchor may have which says what record does. Anybody can put a certificate of his own in the place of
// the key, and turn the ECDSA signature (r, s) into (r, n-s), which is as good.
func listForms(record hashedrekord.Record) (leaves []gateway.LeafHash, err error) {
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(record.Signature, &signature); err != nil {
		return nil, fmt.Errorf("reading an anchor's signature: %w", err)
	}
	record.Certificate = nil
	for range 2 {
		if record.Signature, err = asn1.Marshal(signature); err != nil {
			return nil, fmt.Errorf("encoding an anchor's signature: %w", err)
		}
		body, err := hashedrekord.Body(record)
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, hashedrekord.LeafHash(body))
		signature.S.Sub(elliptic.P256().Params().N, signature.S)
	}
	return leaves, nil
}

// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

const (
	// askTime bounds how long a witness is asked for one cosignature, and so what is waited for all of them before anything is sequenced.
	askTime = 10 * time.Second
	// doubtTime is how long it counts without asking again that a witness knows what the store does not.
	doubtTime = time.Minute
	// contradictedTime is how long that keeps the log from going on where the logs with the anchors can be looked through: what a witness says
	// of other checkpoints is not signed, and an operator has that long to see to it.
	contradictedTime = 24 * time.Hour
	// asks is how often a witness is told another size for one cosignature: others may have it cosign meanwhile.
	asks = 4
	// The waits before a witness is asked again that did not answer, give or take half.
	firstAskWait   = 5 * time.Second
	longestAskWait = 10 * time.Minute
	// maxCosignatures bounds those that are served: of so many witnesses, those that have signed last.
	maxCosignatures = 16
)

// cosigner has one witness cosign what is anchored.
type cosigner struct {
	gateway.Witness
	name string        // of its key
	wake chan struct{} // has room for one

	asking sync.Mutex // while it is asked

	mu      sync.Mutex // guards what follows
	state   WitnessState
	said    error     // a contradiction, until the witness says otherwise
	saidAt  time.Time // since when, by Config.Now
	saidOf  uint64    // its size
	askedAt time.Time // when it was asked last

	settled bool // the store has no contradiction of it; under asking
}

// WitnessState is what is known of a witness of the log.
type WitnessState struct {
	Witness  string    // the name and the hash of its key, NAME+HASH
	Size     uint64    // records of the last checkpoint that it has cosigned; 0 before the first
	Cosigned time.Time // when it has, by its own words
	Failing  bool      // it could not be asked last, or has refused
}

// newCosigners returns one for each witness.
func newCosigners(witnesses []gateway.Witness) (all []*cosigner) {
	for _, w := range witnesses {
		name, rest, _ := strings.Cut(w.Key(), "+")
		hash, _, _ := strings.Cut(rest, "+")
		all = append(all, &cosigner{Witness: w, name: name, wake: make(chan struct{}, 1), state: WitnessState{Witness: name + "+" + hash}})
	}
	return all
}

// Witnesses returns what is known of the log's witnesses, in the order in which they are configured.
func (l *Log) Witnesses() (all []WitnessState) {
	for _, c := range l.cosigners {
		c.mu.Lock()
		all = append(all, c.state)
		c.mu.Unlock()
	}
	return all
}

// ErrContradicted: a witness says that it has cosigned what the store does not know: more records, or another root. The store may be an older copy, or
// the witness is wrong.
var ErrContradicted = errors.New("a witness says that it has cosigned what the store of the own log does not know")

// contradiction is ErrContradicted by a witness that has cosigned so many records; 0: another root.
type contradiction struct {
	size uint64
	error
}

// Unwrap returns what it is about.
func (c contradiction) Unwrap() error { return c.error }

// checkWitnesses asks all witnesses what they have cosigned, at most for askTime. The error is ErrContradicted where one has seen more of the
// log than the store has, or something else. One that does not answer is no reason to wait: what is anchored is known by the logs that have
// the anchors, and whoever can keep a witness from answering could stop the log for ever. It is asked again before it cosigns, and
// what it says then counts as much.
func (l *Log) checkWitnesses(ctx context.Context) error {
	for _, c := range l.cosigners {
		if askedAt, said := l.readDoubt(c); said != nil && time.Since(askedAt) < doubtTime {
			return said
		}
	}
	said := make([]error, len(l.cosigners))
	var all sync.WaitGroup
	for i, c := range l.cosigners {
		all.Go(func() { said[i] = l.askWitness(ctx, c) })
	}
	all.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(said...)
}

// wakeCosigners has a checkpoint cosigned that is anchored.
func (l *Log) wakeCosigners(a gateway.OwnAnchor) {
	if a.Size <= l.pacing.cosigned {
		return
	}
	l.pacing.cosigned = a.Size
	for _, c := range l.cosigners {
		select {
		case c.wake <- struct{}{}:
		default: // it is to be asked already
		}
	}
}

// followAnchors has a witness cosign, once for each anchor, the newest one at that time, until ctx ends.
func (l *Log) followAnchors(ctx context.Context, c *cosigner) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = firstAskWait, longestAskWait
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		for l.cosignNewest(ctx, c) != nil && sleep(ctx, waits.NextBackOff()) {
		}
		waits.Reset()
	}
}

// cosignNewest has a witness cosign the newest anchored checkpoint, where it has not yet. The error says that it is to be asked again.
func (l *Log) cosignNewest(ctx context.Context, c *cosigner) error {
	state, err := l.cfg.Store.OwnLog(ctx, l.cfg.ID)
	if err != nil {
		return err
	}
	there, err := l.cfg.Store.Cosignatures(ctx, l.cfg.ID, state.Anchored.Size)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(there, func(s gateway.Cosignature) bool { return s.Witness == c.Key() })
	if at >= 0 && !c.isFailing() { // it may have been another process that asked
		c.noteCosigned(state.Anchored.Size, there[at].Time)
		return nil
	}
	if l.askWitness(ctx, c) != nil {
		l.Wake() // so that nothing more is done
		return nil
	}
	if c.isFailing() {
		return errNotCosigned
	}
	return nil
}

var errNotCosigned = errors.New("the witness has not cosigned")

// askWitness has a witness cosign the newest anchored checkpoint, and keeps what it signs. The error is ErrContradicted where it
// has cosigned what the store does not know: that counts until it says otherwise. Whatever else keeps it from cosigning is told once.
func (l *Log) askWitness(ctx context.Context, c *cosigner) error {
	c.asking.Lock()
	defer c.asking.Unlock()
	bounded, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	err := l.cosign(bounded, c)
	before := l.noteSaid(ctx, c, err)
	switch {
	case ctx.Err() != nil: // the log ends
	case err != nil && !before:
		l.cfg.Logger.WarnContext(ctx, "a witness does not cosign the own log; it is asked again", "log", l.cfg.ID, "witness", c.state.Witness, "error", err)
	case err == nil && before:
		l.cfg.Logger.InfoContext(ctx, "a witness cosigns the own log again", "log", l.cfg.ID, "witness", c.state.Witness)
	}
	_, said := l.readDoubt(c)
	return said
}

// noteSaid notes what a witness has said, with which it was asked, and returns whether it was failing before.
func (l *Log) noteSaid(ctx context.Context, c *cosigner, err error) (failing bool) {
	var now contradiction
	contradicts, lasted := errors.As(err, &now), time.Duration(0)
	if contradicts && (c.said == nil || c.saidOf != now.size) { // they are changed under asking alone
		lasted = l.readLasted(ctx, c, now.size)
	}
	c.mu.Lock()
	failing = c.state.Failing
	c.state.Failing, c.askedAt = err != nil, time.Now()
	switch {
	case err == nil:
		c.said = nil
	case contradicts:
		if c.said == nil || c.saidOf != now.size {
			c.saidAt, c.saidOf = l.cfg.Now().Add(-lasted), now.size
		}
		c.said = err
	}
	since := c.saidAt
	c.mu.Unlock()
	if err == nil || contradicts {
		l.keepSaid(ctx, c, contradicts, now.size, since)
	}
	return failing
}

// cosign is askWitness without what is noted of it.
func (l *Log) cosign(ctx context.Context, c *cosigner) error {
	newest, err := l.readHead(ctx)
	if err != nil {
		return err
	}
	old := c.guessSize(newest.tree.Size)
	for range asks {
		proof, err := tiletree.ProveConsistency(newest.tree, old, l.tileReader(ctx))
		if err != nil {
			return err
		}
		signed, err := c.AddCheckpoint(ctx, old, proof, newest.checkpoint)
		var other *gateway.WitnessSizeError
		switch {
		case err == nil:
			return l.keepCosignature(ctx, c, newest.tree.Size, signed)
		case errors.Is(err, gateway.ErrOtherHistory) && old > 0:
			return contradiction{0, fmt.Errorf("%w: %w", ErrContradicted, err)}
		case !errors.As(err, &other):
			return err
		}
		old = other.Size
		if newest, err = l.readCovering(ctx, c, newest, old); err != nil {
			return err
		}
	}
	return fmt.Errorf("the witness names another size each time")
}

// head is the newest anchored checkpoint.
type head struct {
	tree       tiletree.Tree
	checkpoint []byte // a signed note
}

// readHead returns the newest checkpoint that may be shown: the last anchored one. Before the first it is that of the empty log, which
// every history of it begins with.
func (l *Log) readHead(ctx context.Context) (head, error) {
	anchored, err := l.readAnchored(ctx)
	if errors.Is(err, gateway.ErrNotFound) {
		signed, err := signCheckpoint(l.origin(), l.cfg.Signer, tiletree.EmptyTree())
		return head{tiletree.EmptyTree(), signed}, err
	}
	if err != nil {
		return head{}, err
	}
	kept, err := l.readAnchor(ctx, anchored.Submission)
	return head{kept.tree, kept.checkpoint}, err
}

// readCovering returns a checkpoint of at least so many records as a witness has cosigned: h, or the newest one, since another process may
// have anchored it meanwhile. It is kept before any witness sees it. The error is ErrContradicted where there is none.
func (l *Log) readCovering(ctx context.Context, c *cosigner, h head, size uint64) (head, error) {
	if size <= h.tree.Size {
		return h, nil
	}
	h, err := l.readHead(ctx)
	if err == nil && size > h.tree.Size {
		err = contradiction{size, fmt.Errorf("%w: witness %s has cosigned %d records, and %d are anchored by the store", ErrContradicted, c.Key(), size, h.tree.Size)}
	}
	return h, err
}

// keepCosignature keeps what a witness has signed. Of the empty log that is nothing: no checkpoint of it is served.
func (l *Log) keepCosignature(ctx context.Context, c *cosigner, size uint64, signed gateway.Cosignature) error {
	if size > 0 {
		if err := l.cfg.Store.KeepCosignature(ctx, l.cfg.ID, size, signed); err != nil {
			return err
		}
	}
	c.noteCosigned(size, signed.Time)
	return nil
}

func (c *cosigner) noteCosigned(size uint64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state.Size, c.state.Cosigned = size, at
}

// guessSize returns what the witness has cosigned before, as far as is known, to which a checkpoint of so many records is added.
func (c *cosigner) guessSize(size uint64) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.state.Size; 0 < known && known < size {
		return known
	}
	return size
}

// readDoubt returns what a witness says against the store, nil for nothing, and when it was asked last. It does not count any more after
// contradictedTime, in which the logs have shown no unknown anchor; where none can be looked through, it is all that there is.
func (l *Log) readDoubt(c *cosigner) (askedAt time.Time, said error) {
	c.mu.Lock()
	askedAt, said, since := c.askedAt, c.said, c.saidAt
	c.mu.Unlock()
	if said == nil || l.cfg.Now().Sub(since) < contradictedTime {
		return askedAt, said
	}
	shards, err := l.cfg.AnchorShards()
	if err != nil || !slices.ContainsFunc(shards, func(s AnchorShard) bool { return s.Entries != nil }) {
		return askedAt, said
	}
	return askedAt, nil
}

func (c *cosigner) isFailing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state.Failing
}

// isDoubted reports whether a witness has said that the store is an older copy, or another one.
func (l *Log) isDoubted() bool {
	return slices.ContainsFunc(l.cosigners, func(c *cosigner) bool {
		_, said := l.readDoubt(c)
		return said != nil
	})
}

// cosignedTime is for how long a checkpoint counts as read that further witnesses may have cosigned.
const cosignedTime = time.Second

// cosignedCheckpoint is an anchored checkpoint with its cosignatures.
type cosignedCheckpoint struct {
	checkpoint []byte
	complete   bool // all that are asked for have cosigned: it stays so, a newer signature of the same witness aside
	readAt     time.Time
}

// addCosignatures returns an anchored checkpoint with all that witnesses have signed over it, as far as that is stored.
func (l *Reader) addCosignatures(ctx context.Context, size uint64, checkpoint []byte) ([]byte, error) {
	if known, ok := l.cosigned.Get(string(checkpoint)); ok && (known.complete || time.Since(known.readAt) < cosignedTime) {
		return known.checkpoint, nil
	}
	readAt := time.Now()
	there, err := l.store.Cosignatures(ctx, l.id, size)
	if err != nil {
		return nil, fmt.Errorf("reading own log %s: %w", l.id, err)
	}
	complete := len(l.witnesses) > 0 && !slices.ContainsFunc(l.witnesses, func(key string) bool {
		return !slices.ContainsFunc(there, func(s gateway.Cosignature) bool { return s.Witness == key })
	})
	signed := bytes.Clone(checkpoint)
	for _, s := range chooseCosignatures(there, receipt.MaxOwnCheckpoint-len(checkpoint)) {
		signed = append(signed, s.Line+"\n"...)
	}
	l.cosigned.Add(string(checkpoint), cosignedCheckpoint{signed, complete, readAt})
	return signed, nil
}

// chooseCosignatures returns those that are served: all, as long as they are few and have so many bytes together, else those of them that
// were made last. A checkpoint that is larger is in no receipt.
func chooseCosignatures(all []gateway.Cosignature, room int) []gateway.Cosignature {
	size := 0
	for _, s := range all {
		size += len(s.Line) + 1
	}
	if len(all) <= maxCosignatures && size <= room {
		return all
	}
	slices.SortStableFunc(all, func(a, b gateway.Cosignature) int { return b.Time.Compare(a.Time) })
	for i, s := range all {
		if room -= len(s.Line) + 1; room < 0 || i == maxCosignatures {
			return all[:i]
		}
	}
	return all
}

// checkWitnessNames refuses a witness by whose name its signatures would be taken for the log's own.
func checkWitnessNames(signer note.Signer, all []*cosigner) error {
	for i, c := range all {
		if c.name == signer.Name() {
			return fmt.Errorf("a witness has the log's own name, %s", c.name)
		}
		if slices.ContainsFunc(all[:i], func(other *cosigner) bool { return other.Key() == c.Key() }) {
			return fmt.Errorf("witness %s is there twice", c.name)
		}
	}
	return nil
}

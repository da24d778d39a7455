// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// anchorUse is where a key has signed anchors of an own log, by the store.
type anchorUse struct {
	example string           // the ID of one
	first   map[string]int64 // index before which there is none, by the origin of the log
	waiting bool             // one is not settled, and may be sent to any log yet
}

// addOwnLogs adds to a trust file that is made again all own logs that have anchors, former ones too: receipts of their records would not
// verify without. Each anchor key counts from its first anchor on. It has no end where the own log is closed, either: a store that was put
// back does not know the last one.
func (k *trustKeeper) addOwnLogs(ctx context.Context, trust *trustroot.Gateway) (*trustroot.Gateway, error) {
	logs, err := k.anchors.ListOwnLogs(ctx)
	if err != nil {
		return nil, fmt.Errorf("making the gateway trust again: %w", err)
	}
	for _, l := range logs {
		if gateway.IsFacadeLog(l.ID) {
			continue
		}
		if trust, err = k.addOwnLog(ctx, trust, logs, l); err != nil {
			return nil, fmt.Errorf("making the gateway trust again: own log %s: %w", l.Origin, err)
		}
	}
	return trust, nil
}

func (k *trustKeeper) addOwnLog(ctx context.Context, trust *trustroot.Gateway, logs []gateway.OwnLog, l gateway.OwnLog) (*trustroot.Gateway, error) {
	uses, err := k.findAnchorUses(ctx, l.ID)
	if err != nil {
		return nil, err
	}
	for _, u := range uses {
		key, spki, err := k.readAnchorKeys(ctx, l.ID, u.example)
		if err != nil {
			return nil, err
		}
		if err := k.noteWaiting(ctx, logs, u); err != nil {
			return nil, err
		}
		if len(u.first) == 0 {
			continue // nothing rests on it
		}
		if trust, err = trust.WithOwnLog(l.Origin, key); err != nil {
			return nil, err
		}
		if trust, err = trust.WithAnchorKey(l.Origin, spki, u.first); err != nil {
			return nil, err
		}
	}
	return trust, nil
}

// findAnchorUses returns where each anchor key has signed, by the SHA-256 of its SPKI. It reads all anchors of the log.
func (k *trustKeeper) findAnchorUses(ctx context.Context, log string) (map[[sha256.Size]byte]*anchorUse, error) {
	uses := map[[sha256.Size]byte]*anchorUse{}
	for p := (gateway.ListParams{PageSize: gateway.MaxPageSize}); ; {
		page, next, err := k.store.List(ctx, gateway.AnchorTenant(log), p)
		if err != nil {
			return nil, err
		}
		for _, sub := range page {
			noteAnchor(uses, sub)
		}
		if p.PageToken = next; next == "" {
			return uses, nil
		}
	}
}

// noteAnchor takes an anchor into account.
func noteAnchor(uses map[[sha256.Size]byte]*anchorUse, sub gateway.Submission) {
	if len(sub.Signatures) != 1 || len(sub.Signatures[0].Signers) != 1 {
		return // no anchor is so
	}
	u := uses[sub.Signatures[0].Signers[0]]
	if u == nil {
		u = &anchorUse{first: map[string]int64{}}
		uses[sub.Signatures[0].Signers[0]] = u
	}
	u.example, u.waiting = sub.ID, u.waiting || !sub.State.Settled()
	for _, e := range sub.Entries {
		if index, ok := earliestIndex(e); ok {
			before, noted := u.first[e.Shard.Origin]
			if !noted || index < before {
				u.first[e.Shard.Origin] = index
			}
		}
	}
}

// earliestIndex returns the index that an entry has, or one before which it is not, once it was sent.
func earliestIndex(e gateway.Entry) (index int64, ok bool) {
	switch {
	case e.LogIndex != nil:
		return int64(*e.LogIndex), true
	case e.SentAtTreeSize != nil:
		return int64(*e.SentAtTreeSize), true
	}
	return 0, false
}

// noteWaiting has an anchor key whose anchors wait count in all logs to which they may be sent.
func (k *trustKeeper) noteWaiting(ctx context.Context, own []gateway.OwnLog, u *anchorUse) error {
	for _, l := range k.logs {
		_, noted := u.first[l.origin]
		if noted || !u.waiting || slices.ContainsFunc(own, func(o gateway.OwnLog) bool { return o.Origin == l.origin }) {
			continue
		}
		size, err := k.readSize(ctx, l.origin)
		if err != nil {
			return err
		}
		u.first[l.origin] = size
	}
	return nil
}

// readAnchorKeys returns the key of the own log, as verifiers have it, and the anchor key, by an anchor.
func (k *trustKeeper) readAnchorKeys(ctx context.Context, log, anchor string) (key string, spki []byte, err error) {
	a, err := k.store.Archived(ctx, gateway.AnchorTenant(log), anchor)
	if err != nil {
		return "", nil, err
	}
	keys := a.Receipt.GetSignature().GetKeys()
	if len(keys) != 1 || len(a.Entries) == 0 {
		return "", nil, errors.New("its anchors do not say by which key it is signed: restore the file")
	}
	record, err := hashedrekord.Parse(a.Entries[0].Body)
	return string(keys[0]), record.SPKI, err
}

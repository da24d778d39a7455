// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// anchorUse is where a key has signed anchors of an own log, by the store.
type anchorUse struct {
	example string           // the ID of one that is logged
	first   map[string]int64 // index, by the origin of the log
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
		if trust, err = k.addOwnLog(ctx, trust, l); err != nil {
			return nil, fmt.Errorf("making the gateway trust again: own log %s: %w", l.Origin, err)
		}
	}
	return trust, nil
}

func (k *trustKeeper) addOwnLog(ctx context.Context, trust *trustroot.Gateway, l gateway.OwnLog) (*trustroot.Gateway, error) {
	uses, err := k.findAnchorUses(ctx, l.ID)
	if err != nil {
		return nil, err
	}
	for _, u := range uses {
		key, spki, err := k.readAnchorKeys(ctx, l.ID, u.example)
		if err != nil {
			return nil, err
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
			for _, e := range sub.Entries {
				if e.LogIndex != nil {
					noteAnchor(uses, sub, e.Shard.Origin, int64(*e.LogIndex))
				}
			}
		}
		if p.PageToken = next; next == "" {
			return uses, nil
		}
	}
}

func noteAnchor(uses map[[sha256.Size]byte]*anchorUse, sub gateway.Submission, origin string, index int64) {
	if len(sub.Signatures) != 1 || len(sub.Signatures[0].Signers) != 1 {
		return // no anchor is so
	}
	u := uses[sub.Signatures[0].Signers[0]]
	if u == nil {
		u = &anchorUse{example: sub.ID, first: map[string]int64{}}
		uses[sub.Signatures[0].Signers[0]] = u
	}
	if first, ok := u.first[origin]; !ok || index < first {
		u.first[origin] = index
	}
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

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// trusted is the own log as the gateway trust file has it, beside the logs: statements count in it, by its indexes.
func (o *ownLog) trusted(store gateway.OwnLogs) []trustedLog {
	if o == nil {
		return nil
	}
	size := func(ctx context.Context) (uint64, error) {
		state, err := store.OwnLog(ctx, o.id)
		return state.Tree.Size, err
	}
	return []trustedLog{{id: o.id, origin: o.checkpoints.Name(), size: size}}
}

// keepOwnTrust has the trust file at path know the own log, and its anchor key count in all logs that are not own: where it has no range
// yet, from the first anchor in the store on, or from the log's size now.
func (k *trustKeeper) keepOwnTrust(ctx context.Context, path string, own *ownLog, logs []trustedLog) error {
	if own == nil {
		return nil
	}
	before, err := trustroot.LoadGateway(path)
	if err != nil {
		return err
	}
	origin, spki := own.checkpoints.Name(), own.anchors.SPKI()
	trust, err := before.WithOwnLog(origin, own.checkpoints.VerifierKey())
	if err != nil {
		return err
	}
	listed, _ := trust.OwnLog(origin)
	known, _ := listed.AnchorKey(spki)
	first, err := k.findFirstAnchor(ctx, own.id)
	if err != nil {
		return err
	}
	from := map[string]int64{}
	for _, l := range logs {
		if hasRange(known, l.origin) {
			continue
		}
		index, ok := first[l.origin]
		if !ok {
			if index, err = k.readSize(ctx, l.origin); err != nil {
				return err
			}
		}
		from[l.origin] = index
	}
	if len(from) == 0 && trust == before {
		return nil
	}
	if trust, err = trust.WithAnchorKey(origin, spki, from); err != nil {
		return err
	}
	return trust.Write(path)
}

// findFirstAnchor returns the index of the first anchor of the own log in each log that has it, by origin.
func (k *trustKeeper) findFirstAnchor(ctx context.Context, own string) (map[string]int64, error) {
	anchor, err := k.anchors.OwnAnchor(ctx, own, 0)
	if errors.Is(err, gateway.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the first anchor: %w", err)
	}
	sub, err := k.store.Get(ctx, gateway.AnchorTenant(own), anchor.Submission)
	if err != nil {
		return nil, fmt.Errorf("reading the first anchor: %w", err)
	}
	first := map[string]int64{}
	for _, e := range sub.Entries {
		if e.LogIndex != nil {
			first[e.Shard.Origin] = int64(*e.LogIndex)
		}
	}
	return first, nil
}

// restartAnchors has the anchor key count from the first index on in the log called log.
func (k *trustKeeper) restartAnchors(path string, own *ownLog, log string) error {
	if own == nil {
		return nil
	}
	before, err := trustroot.LoadGateway(path)
	if err != nil {
		return err
	}
	trust, err := before.AnchorFromStart(own.checkpoints.Name(), own.anchors.SPKI(), log)
	if err != nil || trust == before {
		return err
	}
	return trust.Write(path)
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// trusted is the own log as the gateway trust file has it, beside the logs: statements count in it, from its first index on, since other
// gateways on the store have the same key, and may have recorded some before this one was told of the log.
func (o *ownLog) trusted() []trustedLog {
	if o == nil {
		return nil
	}
	size := func(context.Context) (uint64, error) { return 0, nil }
	return []trustedLog{{id: o.id, origin: o.checkpoints.Name(), size: size}}
}

// keepOwnTrust has the trust file at path know the own log, and its anchor key count in all logs that are not own: where it has no range
// yet, from the first anchor in the store on, or from the log's size now, whatever is less.
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
	from := map[string]int64{}
	for _, l := range logs {
		if hasRange(known, l.origin) {
			continue
		}
		if from[l.origin], err = k.readSize(ctx, l.origin); err != nil {
			return err
		}
	}
	first, err := k.findFirstAnchors(ctx, own.id) // after the sizes: what is sent later is behind them
	if err != nil {
		return err
	}
	for origin, size := range from {
		if index, ok := first[origin]; ok {
			from[origin] = min(size, index)
		}
	}
	if len(from) == 0 && trust == before {
		return nil
	}
	if trust, err = trust.WithAnchorKey(origin, spki, from); err != nil {
		return err
	}
	return trust.Write(path)
}

// newestAnchors is how many anchors are asked for beside the first: another gateway on the store may have made them, and be under way with them.
const newestAnchors = 100

// findFirstAnchors returns an index in each log, by origin, before which there is no anchor of the own log by the store.
func (k *trustKeeper) findFirstAnchors(ctx context.Context, own string) (map[string]int64, error) {
	anchors, _, err := k.store.List(ctx, gateway.AnchorTenant(own), gateway.ListParams{PageSize: newestAnchors})
	if err != nil {
		return nil, fmt.Errorf("reading anchors: %w", err)
	}
	kept, err := k.anchors.OwnAnchor(ctx, own, 0)
	if err == nil {
		var sub gateway.Submission
		sub, err = k.store.Get(ctx, gateway.AnchorTenant(own), kept.Submission)
		anchors = append(anchors, sub)
	}
	if err != nil && !errors.Is(err, gateway.ErrNotFound) {
		return nil, fmt.Errorf("reading the first anchor: %w", err)
	}
	first := map[string]int64{}
	for _, sub := range anchors {
		for _, e := range sub.Entries {
			index, sent := earliestIndex(e)
			if before, ok := first[e.Shard.Origin]; sent && (!ok || index < before) {
				first[e.Shard.Origin] = index
			}
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

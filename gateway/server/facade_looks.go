// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
)

// Nobody but this gateway has to know the anchors of a facade, so that no file says from where on they count: the store does, where logs were looked
// through for them. A key for which it says nothing may have signed anything, unless it was made just now.

// checkAnchorKey refuses an anchor key that is not the tree's. What another one has anchored would not be looked for in a store that was put back.
func (s *Server) checkAnchorKey(ctx context.Context, tree string, spki []byte) error {
	known, err := s.findAnchorKey(ctx, tree)
	if err == nil && known != nil && !bytes.Equal(known, spki) {
		err = errors.New("anchor_key is not the one that the tree's anchors are signed with: put that back, or choose new files for both key and anchor_key; the former key goes to former_keys then, unless the store was put back and has forgotten anchors: such a tree cannot be gone on from")
	}
	return err
}

// findAnchorKey returns the key of a tree's anchors, nil where there are none.
func (s *Server) findAnchorKey(ctx context.Context, tree string) ([]byte, error) {
	page, _, err := s.store.List(ctx, gateway.AnchorTenant(tree), gateway.ListParams{PageSize: 1})
	if err != nil || len(page) == 0 {
		return nil, err
	}
	a, err := s.store.Archived(ctx, page[0].Tenant, page[0].ID)
	if err != nil {
		return nil, err
	}
	if len(a.Entries) == 0 {
		return nil, fmt.Errorf("anchor %s has no entry", page[0].ID)
	}
	record, err := hashedrekord.Parse(a.Entries[0].Body)
	return record.SPKI, err
}

// beginLooks notes that a key which was made just now has signed nothing that is in the shards of the log with that ID.
func (s *Server) beginLooks(ctx context.Context, tree, source string, spki []byte) error {
	var looks []gateway.OwnLook
	for _, shard := range allShards(s.logs[source]) {
		l := gateway.OwnLook{Shard: shard.Shard, Key: sha256.Sum256(spki), To: ownlog.ToEnd}
		if !shard.Closed { // else nothing comes any more, and it may not be readable
			size, err := s.logs[source].Size(ctx, shard.Shard)
			if err != nil {
				return fmt.Errorf("a new anchor key: reading shard %s of log %s: %w", shard.Origin, source, err)
			}
			l.From, l.To = size, size
		}
		looks = append(looks, l)
	}
	return s.store.KeepLooks(ctx, tree, looks)
}

// allShards returns the shards of a log, the current one last.
func allShards(log gateway.Log) []gateway.FormerShard {
	return append(log.Former(), gateway.FormerShard{Shard: log.Describe().Shard})
}

// listFacadeShards returns the shards in which anchors of a tree may be, with where those by its anchor key are looked for in them: all of the log that
// the facade is over, and all of which the store tells, since it was over another one before. spki is nil where no more than its SHA-256 is known.
func (s *Server) listFacadeShards(source, tree string, spki []byte, sum [sha256.Size]byte) ([]ownlog.AnchorShard, error) {
	begun, err := s.findLooks(context.Background(), sum)
	if err != nil {
		return nil, err
	}
	used, err := s.findAnchorShards(context.Background(), tree)
	if err != nil {
		return nil, err
	}
	known := slices.AppendSeq(used, maps.Keys(begun))
	slices.SortFunc(known, func(a, b gateway.Shard) int { return strings.Compare(a.Origin, b.Origin) })
	list := s.listReadable(source, known)
	for _, shard := range known {
		if !slices.ContainsFunc(list, func(a ownlog.AnchorShard) bool { return a.Origin == shard.Origin }) {
			list = append(list, ownlog.AnchorShard{Shard: shard})
		}
	}
	for i := range list {
		list[i].Keys = []ownlog.AnchorKey{{SPKI: spki, Sum: sum, From: begun[list[i].Shard]}}
	}
	return list, nil
}

// listReadable returns those shards that can be read, of the log with the ID source, and of others those that are known.
func (s *Server) listReadable(source string, known []gateway.Shard) (list []ownlog.AnchorShard) {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	for id, log := range s.logs {
		reader, ok := log.(gateway.EntryReader)
		if !ok { // Rekor v1, in which no anchors are
			continue
		}
		for _, shard := range allShards(log) {
			if id == source || slices.Contains(known, shard.Shard) {
				list = append(list, ownlog.AnchorShard{Log: id, Shard: shard.Shard, Entries: reader, Closed: shard.Closed, Delay: log.Describe().IntegrationDelay})
			}
		}
	}
	return list
}

// anchorsAsked is how many anchors are asked where they are. What they do not tell, looks do: logs are looked through at every start, and every ten
// minutes from then on.
const anchorsAsked = 100

// findAnchorShards returns the shards in which the newest anchors of a tree are.
func (s *Server) findAnchorShards(ctx context.Context, tree string) (shards []gateway.Shard, err error) {
	page, _, err := s.store.List(ctx, gateway.AnchorTenant(tree), gateway.ListParams{PageSize: anchorsAsked})
	for _, anchor := range page {
		for _, e := range anchor.Entries {
			if e.Shard.Origin != "" && !slices.Contains(shards, e.Shard) {
				shards = append(shards, e.Shard)
			}
		}
	}
	return shards, err
}

// errNoAnchorKey: it cannot be looked for what the tree had shown.
var errNoAnchorKey = fmt.Errorf("%w: it knows none of a former tree, nor by what key they would be", ownlog.ErrForgotten)

// listFormerShards is listFacadeShards for the anchors of a former tree. Where the store knows none of them, it may be older than they are: what it knows then
// is the SHA-256 of the keys that it was looked for. One that knows no key either cannot say that the tree has shown nothing.
func (s *Server) listFormerShards(source, tree string) (list []ownlog.AnchorShard, err error) {
	ctx := context.Background()
	spki, err := s.findAnchorKey(ctx, tree)
	if err != nil {
		return nil, err
	}
	if spki != nil {
		return s.listFacadeShards(source, tree, spki, sha256.Sum256(spki))
	}
	looks, err := s.store.Looks(ctx, tree)
	if err != nil {
		return nil, err
	}
	if len(looks) == 0 {
		return nil, errNoAnchorKey
	}
	known := map[[sha256.Size]byte]bool{}
	for _, l := range looks {
		if known[l.Key] {
			continue
		}
		known[l.Key] = true
		shards, err := s.listFacadeShards(source, tree, nil, l.Key)
		if err != nil {
			return nil, err
		}
		list = append(list, shards...)
	}
	return list, nil
}

// findLooks returns the first index from which each shard was looked through for what a key has signed, whichever own log it was for.
func (s *Server) findLooks(ctx context.Context, key [sha256.Size]byte) (map[gateway.Shard]uint64, error) {
	own, err := s.store.ListOwnLogs(ctx)
	if err != nil {
		return nil, err
	}
	first := map[gateway.Shard]uint64{}
	for _, o := range own {
		looks, err := s.store.Looks(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		for _, l := range looks {
			if before, ok := first[l.Shard]; l.Key == key && (!ok || l.From < before) {
				first[l.Shard] = l.From
			}
		}
	}
	return first, nil
}

// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// listStatic returns the shards of a log that says itself where it is: one for each key of its origin.
func listStatic(root *trustroot.Root, l Log, at time.Time) ([]rekorv2.Shard, error) {
	current, err := KeyInUse(root, l.Origin, at)
	if err != nil {
		return nil, err
	}
	var shards []rekorv2.Shard
	for _, trusted := range listKeys(root, l.Origin, current) {
		s := newShard(trusted)
		s.GRPCURL, s.ReadURL = l.GRPCURL, l.ReadURL
		if at := indexOfFormer(l, l.Origin); at >= 0 && trusted.Start.Before(current.Start) {
			s.GRPCURL, s.ReadURL, s.Closed = "", l.Former[at].ReadURL, l.Former[at].Closed
		}
		shards = append(shards, s)
	}
	return shards, nil
}

func indexOfFormer(l Log, origin string) int {
	return slices.IndexFunc(l.Former, func(f Former) bool { return f.Origin == origin })
}

func hasOrigin(shards []rekorv2.Shard, origin string) bool {
	return slices.ContainsFunc(shards, func(s rekorv2.Shard) bool { return s.Origin == origin })
}

// listKeys returns the keys of the logs called origin that Rekor v2 can have signed with, and always the one given.
func listKeys(root *trustroot.Root, origin string, always trustroot.Log) []trustroot.Log {
	return slices.DeleteFunc(root.Logs(), func(l trustroot.Log) bool {
		return l.Origin != origin || !isRekorV2(l) && l.KeyHash != always.KeyHash
	})
}

func isRekorV2(l trustroot.Log) bool {
	return len(l.ID) == 32 && binary.BigEndian.Uint32(l.ID) == l.KeyHash
}

func newShard(l trustroot.Log) rekorv2.Shard {
	return rekorv2.Shard{Origin: l.Origin, Verifier: l.Verifier, KeyID: l.ID, Start: l.Start, End: l.End}
}

// KeyInUse returns the log called origin whose key is in use at the given time: the one that
// came into use last, where a new key overlaps the old one.
func KeyInUse(root *trustroot.Root, origin string, at time.Time) (trustroot.Log, error) {
	var found *trustroot.Log
	for _, l := range root.LogsOf(origin) {
		inUse := !l.Start.After(at) && (l.End.IsZero() || l.End.After(at))
		if inUse && (found == nil || l.Start.After(found.Start)) {
			found = &l
		}
	}
	if found == nil {
		return trustroot.Log{}, fmt.Errorf("the trusted root has no key in use for a log called %s", origin)
	}
	return *found, nil
}

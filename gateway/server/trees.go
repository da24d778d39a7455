// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// shards are a log's, of its kind.
type shards struct {
	v2 []rekorv2.Shard
	v1 []rekorv1.Tree // the one that is written to first
}

// shardName is a gateway.Shard whose key has an ID of any length.
type shardName struct{ origin, key string }

// listNames returns what tells the shards apart.
func (s shards) listNames() (names []shardName) {
	for _, v2 := range s.v2 {
		names = append(names, shardName{v2.Origin, string(v2.KeyID)})
	}
	for _, v1 := range s.v1 {
		names = append(names, shardName{v1.Log.Origin, string(v1.Log.ID)})
	}
	return names
}

// listShards returns the shards of a log of cfg.
func listShards(contents *sources.Contents, cfg *config.Config, l *config.Log, at time.Time) (s shards, err error) {
	switch {
	case l.IsRekorV1() && l.IsSourced():
		s.v1, err = contents.ListTrees(describeLog(cfg, l), at)
	case l.IsRekorV1():
		s.v1, err = listTrees(contents.Root, l, at)
	default:
		s.v2, err = contents.ListShards(describeLog(cfg, l), at)
	}
	return s, err
}

// listTrees returns the trees of a Rekor v1 log: the one with the log's origin, under the key in use at the given time and under those before, and
// those that were written to before. Where no key is in use any more, the first one is the last that was, and retired.
func listTrees(root *trustroot.Root, l *config.Log, at time.Time) ([]rekorv1.Tree, error) {
	current, err := sources.KeyInUse(root, l.Origin, at)
	if err != nil {
		ended := lastEnded(root.LogsOf(l.Origin), at)
		if ended == nil {
			return nil, err
		}
		current = *ended // nothing is sent to it, and all else that comes with it is in use
	}
	trees := []rekorv1.Tree{{Log: current}}
	for _, trusted := range root.LogsOf(l.Origin) {
		if trusted.Start.Before(current.Start) {
			trees = append(trees, rekorv1.Tree{Log: trusted})
		}
	}
	for _, f := range l.Former {
		if f.Origin == l.Origin {
			return nil, fmt.Errorf("the former log called %s is the one that is written to: a tree of Rekor v1 has one key", f.Origin)
		}
		logs := root.LogsOf(f.Origin)
		if len(logs) == 0 {
			return nil, fmt.Errorf("the trusted root has no key for the former log called %s", f.Origin)
		}
		for _, trusted := range logs {
			trees = append(trees, rekorv1.Tree{Log: trusted, Closed: f.Closed})
		}
	}
	return trees, nil
}

// lastEnded returns the log whose key was in use last before the given time, or nil.
func lastEnded(logs []trustroot.Log, at time.Time) (last *trustroot.Log) {
	for _, l := range logs {
		if !l.End.IsZero() && !l.End.After(at) && (last == nil || l.End.After(last.End)) {
			last = &l
		}
	}
	return last
}

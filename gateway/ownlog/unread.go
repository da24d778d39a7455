// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Not every log with anchors has to be read. What an anchor covers is shown once Need logs of its set have it, so that an anchor that counted
// is missed only where Need logs of that set are not read: of n, n-Need+1 have to be. One that fewer have has shown nothing to anybody. The
// sets are the one of now, and that of the newest anchor in the store.
//
// What the store does not know may also have been made between these two, under a third set, of which nothing is known here. So a log of
// neither set, in which an anchor key counts, has to be read where the store says that it may be an older copy (Doubted), and where it was
// never looked through: then it was first used after what the store knows. Else it had its turn before other logs, and may be gone. A whole
// machine that was put back, which nothing tells, can be wrong about that where such a log was used again, or has taken over for another,
// since: what it has is found by a later look once it can be read.
//
// A shard that the operator has closed gets nothing more. Once it was looked through after that, it need not be there any more.
//
// A shard that is not configured any more cannot be read. That is an ordinary thing to do, after which the store alone knows the anchors there, and
// a warning names the shard. But where the store says that it may be an older copy (Doubted), nothing else tells, and it is waited for.

// anchorSet is a log set in which an anchor counted, by what of it may matter here.
type anchorSet struct {
	logs []string // IDs
	need int
}

// ToEnd is how far a closed shard is looked through that was read to its end: nothing comes after it.
const ToEnd = math.MaxInt64

// unread is why a shard cannot be read. It is the log's, and nothing of ours.
type unread struct{ error }

// Unwrap returns what it is about.
func (u unread) Unwrap() error { return u.error }

// unreadShards are those that were not looked through.
type unreadShards struct {
	failed       map[string]failedLog // by ID
	unconfigured []string             // origins
}

// failedLog is a log of which a shard cannot be read, or several.
type failedLog struct {
	why    error
	counts bool // an anchor key counts in one of them
	never  bool // and one was never looked through for such a key
}

// noteFailed notes that a shard cannot be read, and whether it ever was.
func (u *unreadShards) noteFailed(s AnchorShard, looked bool, why error) {
	if u.failed == nil {
		u.failed = map[string]failedLog{}
	}
	f := u.failed[s.Log]
	f.why = errors.Join(f.why, fmt.Errorf("looking for anchors in log %s: %w", s.Log, why))
	f.counts = f.counts || len(s.Keys) > 0
	f.never = f.never || !looked
	u.failed[s.Log] = f
}

// checkUnread returns nil where an anchor that counted, and that the store does not know, cannot be in shards that were not read alone.
func (g *guard) checkUnread(ctx context.Context, u unreadShards) error {
	state, err := g.store.OwnLog(ctx, g.id)
	if err != nil {
		return err
	}
	if state.Doubted && len(u.unconfigured) > 0 {
		return fmt.Errorf("the store may be an older copy, and anchors may be where no log is configured any more, to be looked for there: %s; configure it again, as a former shard at least",
			strings.Join(u.unconfigured, ", "))
	}
	if len(u.failed) > 0 {
		sets, err := g.listSets(ctx)
		if err != nil {
			return err
		}
		for _, s := range sets {
			if err := s.checkFailed(u.failed); err != nil {
				return err
			}
		}
		if err := u.checkOthers(sets, state.Doubted); err != nil {
			return err
		}
	}
	g.warnUnread(ctx, u)
	return nil
}

// checkFailed returns the reasons where so many logs of the set cannot be read that they may be all that have an anchor.
func (s anchorSet) checkFailed(failed map[string]failedLog) error {
	var why []error
	for _, log := range s.logs {
		if f, ok := failed[log]; ok {
			why = append(why, f.why)
		}
	}
	if len(why) < max(s.need, 1) {
		return nil
	}
	return errors.Join(why...)
}

// checkOthers returns the reasons where a log of none of the sets has to be read.
func (u unreadShards) checkOthers(sets []anchorSet, doubted bool) error {
	var why []error
	for _, log := range slices.Sorted(maps.Keys(u.failed)) {
		f := u.failed[log]
		inSet := slices.ContainsFunc(sets, func(s anchorSet) bool { return slices.Contains(s.logs, log) })
		if !inSet && f.counts && (f.never || doubted) {
			why = append(why, f.why)
		}
	}
	return errors.Join(why...)
}

// listSets returns those of the sets in which an anchor may have counted that the store does not know which are known themselves. That of the
// newest anchor has only logs that were used, and none that would have taken over.
func (g *guard) listSets(ctx context.Context) (sets []anchorSet, err error) {
	now := g.anchors()
	used := anchorSet{need: now.Need}
	for _, log := range now.List {
		used.logs = append(used.logs, log.Describe().ID)
	}
	last, err := findLastAnchor(ctx, g.store, g.id)
	if err != nil || last == nil {
		return []anchorSet{used}, err
	}
	before := anchorSet{need: last.Needed}
	for _, e := range last.Entries {
		before.logs = append(before.logs, e.Log)
	}
	return []anchorSet{used, before}, nil
}

// warnUnread says what was not looked through, once as long as it is the same.
func (g *guard) warnUnread(ctx context.Context, u unreadShards) {
	logs := slices.Sorted(maps.Keys(u.failed))
	said := fmt.Sprintf("%q %q", logs, u.unconfigured)
	g.keeping.Lock()
	again := g.said == said
	g.said = said
	g.keeping.Unlock()
	if again {
		return
	}
	for _, log := range logs {
		g.logger.WarnContext(ctx, "a log cannot be looked through for anchors of the own log; others that have them can", "log", g.id, "unread", log, "error", u.failed[log].why)
	}
	for _, origin := range u.unconfigured {
		g.logger.WarnContext(ctx, "anchors of the own log count in a shard that is not configured any more, so that none is looked for there: should the store be put back, what it has forgotten is not seen; name it under logs[].former as long as it can be read",
			"log", g.id, "unread", origin)
	}
}

// isReadToEnd reports whether the shard was looked through for all of its keys when it was closed.
func (s AnchorShard) isReadToEnd(looks []gateway.OwnLook) bool {
	return !slices.ContainsFunc(s.Keys, func(k AnchorKey) bool {
		read, key := 0, k.sum()
		for _, l := range looks {
			if l.Shard.Origin != s.Origin || l.Key != key {
				continue
			}
			if l.To != ToEnd && !k.isDone(l.To) || l.From > k.From {
				return true
			}
			read++
		}
		return read == 0
	})
}

// wasLooked reports whether a shard that cannot be read was looked through before this process tried to, however far, for all keys that count in
// it. What this process has read of it before it failed is no look through it.
func (g *guard) wasLooked(s AnchorShard, looks []gateway.OwnLook) bool {
	g.keeping.Lock()
	defer g.keeping.Unlock()
	never := g.never[s.Shard] || slices.ContainsFunc(s.Keys, func(k AnchorKey) bool {
		key := k.sum()
		return !slices.ContainsFunc(looks, func(l gateway.OwnLook) bool { return l.Shard == s.Shard && l.Key == key && l.From <= k.From })
	})
	if never {
		if g.never == nil {
			g.never = map[gateway.Shard]bool{}
		}
		g.never[s.Shard] = true
	}
	return !never
}

// noteLooked notes that the shard was read as far as it goes.
func (g *guard) noteLooked(s AnchorShard) {
	g.keeping.Lock()
	defer g.keeping.Unlock()
	delete(g.never, s.Shard)
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources"
)

// trustPoll is how often the files that the logs come from are looked at, and whether a log has become another shard by time alone.
const trustPoll = 5 * time.Second

// maxTrustRetry is how seldom what could not be used is tried again at most.
const maxTrustRetry = time.Minute

// followTrust reads what the logs come from again when it changes, until ctx ends.
func (s *Server) followTrust(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(trustPoll):
		}
		if s.reloading.TryLock() { // else a reload is under way, which reads it as well
			s.checkTrust(ctx)
			s.checkRanges(ctx)
			s.reloading.Unlock()
		}
	}
}

// newTrustRetries says when what could not be used is tried again: at the next look first, which may be all that it takes, and then more seldom.
func newTrustRetries() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.Multiplier, b.RandomizationFactor = trustPoll, maxTrustRetry, 2, 0
	b.Reset()
	return b
}

// checkTrust looks at what the logs come from, and at the shards in use. What is not in use yet is tried until it is: a faulty one changes nothing, and
// is told once. The caller holds the lock of reloads.
func (s *Server) checkTrust(ctx context.Context) {
	now, err := s.readRegular(ctx)
	if err != nil {
		s.tellTrust(err)
		return
	}
	f, sum := s.files, now.Sum()
	fresh := sum != s.seenTrust
	s.seenTrust = sum
	if s.noteShards() {
		s.shardsNew, fresh = true, true
	}
	switch {
	case sum == f.snapshot.Sum() && !s.shardsNew:
		if s.toldTrust != "" {
			s.toldTrust = ""
			s.NoteReload(ReloadedRoot, nil)
		}
		return
	case fresh:
		s.retries.Reset()
	case time.Now().Before(s.retryTrust):
		return
	}
	s.retryTrust = time.Now().Add(s.retries.NextBackOff() - trustPoll)
	f.snapshot = now
	err = f.useSnapshot(&s.inUse, s.now())
	if err == nil {
		err = s.changeLogs(ctx, &s.inUse, f)
	}
	if err != nil {
		s.tellTrust(err)
		return
	}
	s.toldTrust = ""
	s.NoteReload(ReloadedRoot, nil)
	s.logger.Info("read again", "what", "trusted root")
}

// readRegular is readSnapshot of what are files.
func (s *Server) readRegular(ctx context.Context) (sources.Snapshot, error) {
	if err := checkAllRegular([]string{s.inUse.TrustedRoot, s.inUse.Source.SigningConfig}); err != nil {
		return sources.Snapshot{}, err
	}
	return s.readSnapshot(ctx, &s.inUse)
}

// tellTrust tells the operator of a fault once, until there is another.
func (s *Server) tellTrust(err error) {
	s.NoteReload(ReloadedRoot, err)
	if err.Error() != s.toldTrust {
		s.logger.Error("the trusted root was not read again; the one before stays in use", "error", err)
	}
	s.toldTrust = err.Error()
}

// noteShards tells the operator of logs that are written to another shard than when it was last called, and reports whether there
// are any.
func (s *Server) noteShards() (changed bool) {
	now := map[string]gateway.LogInfo{}
	for id, l := range s.logs {
		info := l.Describe()
		now[id] = info
		before, known := s.shardsInUse[id]
		switch {
		case known && info.Retired && !before.Retired && s.hasExpired():
			s.logger.Error("what the logs come from has expired: nothing is sent, and entries wait until it is refreshed", "log", id, "source", nameSource(&s.inUse), "expired", s.files.snapshot.Expires)
		case known && info.Retired && !before.Retired:
			s.logger.Error("the log's key has ended, and the trusted root has no other that is in use: entries wait", "log", id, "origin", info.Origin)
		case known && info.Shard != before.Shard:
			s.logger.Info("the log is written to another shard from now on", "log", id, "origin", info.Origin, "key_id", fmt.Sprintf("%x", info.KeyID[:4]),
				"before", before.Origin, "key_id_before", fmt.Sprintf("%x", before.KeyID[:4]))
		}
	}
	changed = !maps.Equal(now, s.shardsInUse)
	s.shardsInUse = now
	return changed
}

// hasExpired reports whether the snapshot in use has.
func (s *Server) hasExpired() bool {
	expires := s.files.snapshot.Expires
	return !expires.IsZero() && !s.now().Before(expires)
}

// checkRanges sees to the ranges in the gateway trust file, which are by origin, where a new tree has begun under the old name: there the
// range is of the old tree. What cannot be told yet is looked at again. The caller holds the lock of reloads.
func (s *Server) checkRanges(ctx context.Context) {
	if s.restartRange == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, trustPoll)
	defer cancel()
	for id, l := range s.logs {
		current := l.Describe().Shard
		if s.ranged[id] == current {
			continue
		}
		fresh, err := s.isFreshTree(ctx, l, current)
		if err == nil && fresh {
			err = s.restartRange(current.Origin)
		}
		if err != nil {
			s.logger.Debug("the range of the attestation key is not known to be right yet", "log", id, "error", err)
			continue
		}
		s.ranged[id] = current
	}
}

// isFreshTree reports whether a log's tree is not that of any key that its origin had before, as far as those are known.
func (s *Server) isFreshTree(ctx context.Context, l gateway.Log, current gateway.Shard) (fresh bool, err error) {
	for _, f := range l.Former() {
		if f.Origin != current.Origin {
			continue
		}
		kept, err := s.store.Checkpoint(ctx, f.Shard)
		if err != nil {
			return false, err
		}
		if kept == nil || kept.Size == 0 { // nothing was read of it, or it had no index to begin at
			continue
		}
		if _, err := l.Size(ctx, current); err != nil {
			return false, err
		}
		tree, err := l.TreeOf(ctx, f.Shard)
		if err != nil || tree == current {
			return false, err
		}
		fresh = true
	}
	return fresh, nil
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// connections per log: enough for a proxy that allows 100 calls on each.
const connections = 4

// logAdapter is a log of any kind.
type logAdapter interface {
	gateway.Log
	Close() error
}

// logUpdate is another configuration of a log, opened and not in use yet.
type logUpdate interface {
	// Shard returns the one that is written to once the change is applied, and Size its size.
	Shard() gateway.Shard
	Size(ctx context.Context) (uint64, error)
	Apply()
	Discard() error
}

// logChange is the logs of another configuration, opened and not in use yet. It is applied or discarded.
type logChange struct {
	server  *Server
	logs    []changedLog
	removed []logAdapter
}

// changedLog is a log that is new, or becomes another.
type changedLog struct {
	logAdapter
	change logUpdate // nil: it is new
}

// prepareLogs opens the logs of cfg, by the keys in f. Those that are there already, by their IDs, go on.
func (s *Server) prepareLogs(cfg *config.Config, f files) (*logChange, error) {
	c := &logChange{server: s}
	stay := map[string]bool{}
	for _, l := range cfg.Logs {
		changed, err := s.openLog(l, f)
		if err != nil {
			return nil, errors.Join(err, c.discardLogs())
		}
		c.logs = append(c.logs, changed)
		stay[l.ID] = true
	}
	for id, log := range s.logs {
		if !stay[id] {
			c.removed = append(c.removed, log)
		}
	}
	return c, nil
}

func (s *Server) openLog(l config.Log, f files) (changedLog, error) {
	if l.IsRekorV1() {
		return s.openV1(l, f)
	}
	cfg := rekorv2.Config{
		ID: l.ID, Shards: f.shards[l.ID].v2, TrustedUntil: f.snapshot.Expires, UserAgent: s.started.UserAgent(), IntegrationDelay: l.IntegrationDelay, RequestTimeout: s.started.Worker.AddTimeout, Connections: connections, Now: s.now,
	}
	switch log := s.logs[l.ID].(type) {
	case nil:
		log2, err := rekorv2.New(cfg, s.store, s.logger, s.metrics.registry)
		return changedLog{log2, nil}, err
	case *rekorv2.Log:
		change, err := log.PrepareChange(cfg)
		return changedLog{log, change}, err
	}
	return changedLog{}, errOtherKind(l)
}

// openV1 is openLog for Rekor v1.
func (s *Server) openV1(l config.Log, f files) (changedLog, error) {
	cfg := rekorv1.Config{
		ID: l.ID, URL: cmp.Or(l.URL, f.shards[l.ID].v1[0].URL), InlineMax: l.InlineBytes(), Blobs: s.store, TrustedUntil: f.snapshot.Expires, UserAgent: s.started.UserAgent(), Trees: f.shards[l.ID].v1, IntegrationDelay: l.IntegrationDelay, RequestTimeout: s.started.Worker.AddTimeout, Now: s.now}
	switch log := s.logs[l.ID].(type) {
	case nil:
		log1, err := rekorv1.New(cfg, s.store, s.logger, s.metrics.registry)
		return changedLog{log1, nil}, err
	case *rekorv1.Log:
		change, err := log.PrepareChange(cfg)
		return changedLog{log, change}, err
	}
	return changedLog{}, errOtherKind(l)
}

// errOtherKind is of a log that becomes one of another kind, whose entries would be none of those that wait for it.
func errOtherKind(l config.Log) error {
	return fmt.Errorf("log %s: its kind is another one than before: give the new log an id of its own", l.ID)
}

// discardLogs closes what the change opened.
func (c *logChange) discardLogs() error {
	var errs []error
	for _, l := range c.logs {
		if l.change == nil {
			errs = append(errs, l.Close())
		} else {
			errs = append(errs, l.change.Discard())
		}
	}
	return errors.Join(errs...)
}

// applyLogs has the logs be what they are now, and returns them by their IDs.
func (c *logChange) applyLogs() map[string]logAdapter {
	logs := map[string]logAdapter{}
	for _, l := range c.logs {
		if l.change != nil {
			l.change.Apply()
		}
		logs[l.Describe().ID] = l.logAdapter
	}
	return logs
}

// listLogs returns the logs for the rooms of the domain.
func (c *logChange) listLogs() []gateway.Log {
	logs := make([]gateway.Log, len(c.logs))
	for i, l := range c.logs {
		logs[i] = c.server.tracing.watchLog(withLogPoints(guardedLog{l.logAdapter, c.server.panics}))
	}
	return logs
}

// listTrusted returns the logs for the gateway trust file.
func (c *logChange) listTrusted() []trustedLog {
	logs := make([]trustedLog, len(c.logs))
	for i, l := range c.logs {
		logs[i] = trustedLog{id: l.Describe().ID, origin: l.origin(), size: l.readSize}
	}
	return logs
}

// origin returns the origin of the shard that is written to once the change is applied.
func (l changedLog) origin() string {
	if l.change != nil {
		return l.change.Shard().Origin
	}
	return l.Describe().Origin
}

// readSize returns the size of the shard that is written to once the change is applied.
func (l changedLog) readSize(ctx context.Context) (uint64, error) {
	if l.change != nil {
		return l.change.Size(ctx)
	}
	return l.Size(ctx, l.Describe().Shard)
}

// haveMoved reports whether a log is written to another shard, by the clock, than the one that was listed.
func (c *logChange) haveMoved(listed []trustedLog) bool {
	for i, l := range c.logs {
		if l.Describe().Origin != listed[i].origin {
			return true
		}
	}
	return false
}

// closeRemoved closes the logs that are gone once what is under way to them is over.
func (c *logChange) closeRemoved(drained <-chan struct{}) {
	<-drained
	for _, l := range c.removed {
		id := l.Describe().ID
		if err := l.Close(); err != nil {
			c.server.logger.Warn("closing a log that is not configured any more", "log", id, "error", err)
		}
		c.server.logger.Info("the log is not configured any more, and nothing is under way to it", "log", id)
	}
}

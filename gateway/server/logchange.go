// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// connections per log: enough for a proxy that allows 100 calls on each.
const connections = 4

// logChange is the logs of another configuration, opened and not in use yet. It is applied or discarded.
type logChange struct {
	server  *Server
	logs    []changedLog
	removed []*rekorv2.Log
}

// changedLog is a log that is new, or becomes another.
type changedLog struct {
	*rekorv2.Log
	change *rekorv2.Change // nil: it is new
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
	cfg := rekorv2.Config{
		ID: l.ID, Shards: f.shards[l.ID], TrustedUntil: f.snapshot.Expires, UserAgent: s.started.UserAgent(), IntegrationDelay: l.IntegrationDelay, RequestTimeout: s.started.Worker.AddTimeout, Connections: connections, Now: s.now,
	}
	if log := s.logs[l.ID]; log != nil {
		change, err := log.PrepareChange(cfg)
		return changedLog{log, change}, err
	}
	log, err := rekorv2.New(cfg, s.store, s.logger, s.metrics.registry)
	return changedLog{log, nil}, err
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
func (c *logChange) applyLogs() map[string]*rekorv2.Log {
	logs := map[string]*rekorv2.Log{}
	for _, l := range c.logs {
		if l.change != nil {
			l.change.Apply()
		}
		logs[l.Describe().ID] = l.Log
	}
	return logs
}

// listLogs returns the logs for the rooms of the domain.
func (c *logChange) listLogs() []gateway.Log {
	logs := make([]gateway.Log, len(c.logs))
	for i, l := range c.logs {
		logs[i] = c.server.tracing.watchLog(withLogPoints(guardedLog{l.Log, c.server.panics}))
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

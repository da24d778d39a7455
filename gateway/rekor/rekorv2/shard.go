// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// shard is a shard that can be used.
type shard struct {
	name    gateway.Shard
	grpcURL string
	readURL string
	// requestTimeout and readTimeout are as Config's.
	requestTimeout, readTimeout time.Duration
	writers                     *writers // nil: none
	reader                      *tiles.Reader
	checkpoints                 *tiles.Checkpoints

	seen  logmetrics.Shard // its checkpoints
	calls sync.WaitGroup   // under way; begun under the log's lock
	// goesOnIn is the shard in whose tree this one's was proven to go on; nil: none yet.
	goesOnIn atomic.Pointer[gateway.Shard]
}

// openShard returns the shard; it does not connect yet.
func (l *Log) openShard(cfg Config, c Shard) (*shard, error) {
	s := &shard{name: c.name(), grpcURL: c.GRPCURL, readURL: c.ReadURL, requestTimeout: cfg.RequestTimeout, readTimeout: cfg.ReadTimeout, seen: logmetrics.Shard{Now: cfg.Now}}
	var err error
	s.reader, err = tiles.NewReader(tiles.ReaderConfig{
		URL: c.ReadURL, RootCAs: cfg.RootCAs, UserAgent: cfg.UserAgent, Timeout: cfg.ReadTimeout, MaxBundle: maxBundle,
		Answered: l.answers.CountRead,
	})
	if err != nil {
		return nil, err
	}
	if c.GRPCURL != "" {
		if s.writers, err = newWriters(c.GRPCURL, cfg, l.answers.countWrite); err != nil {
			return nil, err
		}
	}
	s.checkpoints, err = tiles.NewCheckpoints(tiles.CheckpointsConfig{
		Shard: s.name, Verifier: c.Verifier, Store: l.store, Reader: s.reader, Logger: l.logger,
		Size: s.seen.NoteSize, Forked: s.seen.NoteFork,
	})
	if err != nil {
		return nil, errors.Join(err, s.writers.closeConns())
	}
	return s, nil
}

// closeShard ends all connections, calls under way among them.
func (s *shard) closeShard() error {
	s.checkpoints.Close()
	s.reader.Close()
	return s.writers.closeConns()
}

// isFor reports whether a shard as configured now can go on with what is open.
func (s *shard) isFor(c Shard) bool {
	return s.name == c.name() && s.grpcURL == c.GRPCURL && s.readURL == c.ReadURL
}

// errNotConfigured is of a shard that is neither the current one nor a former one.
func errNotConfigured(shard gateway.Shard) error {
	return fmt.Errorf("%w: the shard %s with key id %x is not configured", gateway.ErrUnavailable, shard.Origin, shard.KeyID[:4])
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// readSnapshotFiles reads the files that the logs come from.
func readSnapshotFiles(cfg *config.Config) (s sources.Snapshot, err error) {
	if s.TrustedRoot, err = trustroot.ReadFile(cfg.TrustedRoot); err != nil {
		return s, err
	}
	if path := cfg.Source.SigningConfig; path != "" {
		if s.SigningConfig, err = sources.ReadFile(path); err != nil {
			return s, err
		}
	}
	return s, nil
}

// readSnapshot returns what the logs come from: the files of cfg, or what is in use of the TUF repository, with the trees of its logs of Rekor v1, which
// are asked for where they are due.
func (s *Server) readSnapshot(ctx context.Context, cfg *config.Config) (sources.Snapshot, error) {
	if s.tuf == nil {
		return readSnapshotFiles(cfg)
	}
	return withTrees(ctx, cfg, s.trees, s.tuf.Current(), s.now()), nil
}

// withTrees returns a snapshot with the trees of the logs of cfg. What cannot be read is told by who uses it.
func withTrees(ctx context.Context, cfg *config.Config, trees *sources.Trees, snapshot sources.Snapshot, at time.Time) sources.Snapshot {
	logs := listSourcedV1(cfg)
	if len(logs) == 0 {
		return snapshot
	}
	if contents, err := snapshot.Read(); err == nil {
		snapshot.Trees = trees.Update(ctx, contents, logs, at)
	}
	return snapshot
}

// listSourcedV1 returns the logs of Rekor v1 that come from the source.
func listSourcedV1(cfg *config.Config) (logs []sources.Log) {
	for i := range cfg.Logs {
		if l := &cfg.Logs[i]; l.IsSourced() && l.IsRekorV1() {
			logs = append(logs, describeLog(cfg, l))
		}
	}
	return logs
}

// openSource opens a TUF repository where there is one: by the cache, and where that is not enough by asking it.
func (s *Server) openSource(ctx context.Context, cfg *config.Config) (err error) {
	if cfg.Source.TUF == "" {
		return nil
	}
	if s.tuf, err = newTUF(cfg, s.logger, s.now); err != nil {
		return err
	}
	s.trees = newTrees(cfg, cfg.Source.TUFCache, s.logger, s.now)
	_, unread := s.tuf.Load()
	if unread == nil {
		return nil
	}
	if _, err := s.tuf.Refresh(ctx); err != nil {
		return errors.Join(err, unread)
	}
	return nil
}

var errTUFAtStart = errors.New("source.tuf, or a key that begins with it, has changed: restart to change that")

// checkTUF refuses what a reload cannot change of the repository.
func (s *Server) checkTUF(cfg *config.Config) error {
	before, now := s.started.Source, cfg.Source
	before.SigningConfig, now.SigningConfig = "", ""
	if before != now {
		return errTUFAtStart
	}
	return nil
}

// newTUF returns the repository that cfg names.
func newTUF(cfg *config.Config, logger *slog.Logger, now func() time.Time) (*sources.TUF, error) {
	src := cfg.Source
	t := sources.TUFConfig{
		URL: src.TUF, SharedRoot: src.IsPublicTUF(), Cache: src.TUFCache, TrustedRoot: src.TUFTrustedRoot, SigningConfig: src.TUFSigningConfig,
		UserAgent: cfg.UserAgent(), Logger: logger, Now: now,
	}
	var err error
	switch src.TUF {
	case config.TUFSigstore:
		t.URL, t.Root = tuf.DefaultMirror, tuf.DefaultRoot()
	case config.TUFStaging:
		t.URL, t.Root = tuf.StagingMirror, tuf.StagingRoot()
	default:
		if t.Root, err = config.ReadFile(src.TUFRoot); err != nil {
			return nil, fmt.Errorf("source.tuf_root: %w", err)
		}
	}
	made, err := sources.NewTUF(t)
	if err != nil {
		return nil, fmt.Errorf("source.tuf: %w", err)
	}
	return made, nil
}

// newTrees returns what asks logs of Rekor v1 for their trees.
func newTrees(cfg *config.Config, cache string, logger *slog.Logger, now func() time.Time) *sources.Trees {
	return sources.NewTrees(sources.TreesConfig{Cache: cache, UserAgent: cfg.UserAgent(), Logger: logger, Now: now})
}

// peekSnapshot returns what the logs of cfg come from for those who ask what a gateway would do: nothing is made or kept.
func peekSnapshot(ctx context.Context, cfg *config.Config) (sources.Snapshot, error) {
	if cfg.Source.TUF == "" {
		return readSnapshotFiles(cfg)
	}
	t, err := newTUF(cfg, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		return sources.Snapshot{}, err
	}
	snapshot, err := t.Load()
	if err != nil {
		if snapshot, err = t.Peek(ctx); err != nil {
			return sources.Snapshot{}, err
		}
	}
	trees := newTrees(cfg, "", slog.New(slog.DiscardHandler), time.Now)
	return withTrees(ctx, cfg, trees, snapshot, time.Now()), nil
}

// nameSource says where cfg has its logs from, for errors.
func nameSource(cfg *config.Config) string {
	switch {
	case cfg.Source.TUF != "":
		return "TUF repository " + cfg.Source.TUF
	case cfg.Source.SigningConfig != "":
		return cfg.TrustedRoot + ", " + cfg.Source.SigningConfig
	}
	return cfg.TrustedRoot
}

// useSnapshot reads the logs' shards and keys in the snapshot.
func (f *files) useSnapshot(cfg *config.Config, at time.Time) error {
	contents, err := f.snapshot.Read()
	if err != nil {
		return fmt.Errorf("%s: %w", nameSource(cfg), err)
	}
	if err := f.useAuthorities(contents.Root); err != nil {
		return err
	}
	f.shards = map[string]shards{}
	for i := range cfg.Logs {
		l := &cfg.Logs[i]
		if f.shards[l.ID], err = listShards(contents, cfg, l, at); err != nil {
			return fmt.Errorf("log %s: %s: %w", l.ID, nameSource(cfg), err)
		}
	}
	if err := f.checkApart(cfg); err != nil {
		return err
	}
	f.contents = contents
	return f.checkSelected(cfg, at)
}

// checkApart refuses two logs that have a shard in common: it would count as two of policy.logs.need, and be one.
func (f *files) checkApart(cfg *config.Config) error {
	of := map[shardName]string{}
	for i := range cfg.Logs {
		id := cfg.Logs[i].ID
		for _, s := range f.shards[id].listNames() {
			if other, taken := of[s]; taken && other != id {
				return fmt.Errorf("log %s: %s: its shard %s is one of %s, too: they are one log", id, nameSource(cfg), s.origin, other)
			}
			of[s] = id
		}
	}
	return nil
}

// describeLog returns what cfg says of a log.
func describeLog(cfg *config.Config, l *config.Log) sources.Log {
	s := sources.Log{Origin: l.Origin, Operator: l.Operator, RekorV1: l.IsRekorV1(), GRPCURL: l.GRPCURL, ReadURL: l.ReadURL}
	for _, f := range l.Former {
		s.Former = append(s.Former, sources.Former{Origin: f.Origin, ReadURL: f.ReadURL, Closed: f.Closed})
	}
	for i := range cfg.Logs {
		if other := &cfg.Logs[i]; !other.IsSourced() {
			s.Others = append(s.Others, other.Origin)
			for _, f := range other.Former {
				s.Others = append(s.Others, f.Origin)
			}
		}
	}
	return s
}

// checkSelected refuses policies that record in logs of the source, and in fewer of them than its selector demands.
func (f *files) checkSelected(cfg *config.Config, at time.Time) error {
	for _, name := range cfg.PolicyNames() {
		if err := f.checkPolicySelected(cfg, name, at); err != nil {
			return err
		}
	}
	return nil
}

// checkPolicySelected is checkSelected of one policy.
func (f *files) checkPolicySelected(cfg *config.Config, name string, at time.Time) error {
	set := cfg.ResolvedLogs(cfg.PolicyNamed(name).Logs)
	var sourced []sources.Log
	for i := range cfg.Logs {
		if l := &cfg.Logs[i]; l.IsSourced() && slices.Contains(set.List, l.ID) {
			sourced = append(sourced, describeLog(cfg, l))
		}
	}
	need := set.Need - (len(set.List) - len(sourced)) // the others may be among those that have it
	if err := f.contents.CheckSelected(sourced, need, at); err != nil {
		return fmt.Errorf("%s.logs: %s: %w", config.PolicyKey(name), nameSource(cfg), err)
	}
	return nil
}

// CheckedLog is where a log would be written to, by what it comes from.
type CheckedLog struct {
	ID     string     `json:"id"`
	Source string     `json:"source"` // "": the configuration
	Origin string     `json:"origin"`
	URL    string     `json:"url"`   // of the writes
	Until  *time.Time `json:"until"` // null: its end is not known
}

// listChecked returns the logs of cfg, by the shards that are in use at a time.
func (f *files) listChecked(cfg *config.Config, at time.Time) []CheckedLog {
	logs := []CheckedLog{}
	for i := range cfg.Logs {
		l := CheckedLog{ID: cfg.Logs[i].ID, Source: cfg.DescribeSource(&cfg.Logs[i])}
		if v1 := f.shards[l.ID].v1; len(v1) > 0 {
			l.Origin, l.URL = v1[0].Log.Origin, cmp.Or(v1[0].URL, cfg.Logs[i].URL)
			if end := v1[0].Log.End; !end.IsZero() {
				l.Until = &end
			}
		} else if s, ok := rekorv2.CurrentShard(f.shards[l.ID].v2, at); ok {
			l.Origin, l.URL = s.Origin, s.GRPCURL
			if !s.End.IsZero() {
				l.Until = &s.End
			}
		}
		logs = append(logs, l)
	}
	return logs
}

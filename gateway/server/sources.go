// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// readSnapshot reads the files that the logs come from.
func readSnapshot(cfg *config.Config) (s sources.Snapshot, err error) {
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

// nameSource says where cfg has its logs from, for errors.
func nameSource(cfg *config.Config) string {
	if cfg.Source.SigningConfig != "" {
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
	f.shards = map[string][]rekorv2.Shard{}
	for i := range cfg.Logs {
		l := &cfg.Logs[i]
		if f.shards[l.ID], err = contents.ListShards(describeLog(cfg, l), at); err != nil {
			return fmt.Errorf("log %s: %s: %w", l.ID, nameSource(cfg), err)
		}
	}
	f.contents = contents
	return f.checkSelected(cfg, at)
}

// describeLog returns what cfg says of a log.
func describeLog(cfg *config.Config, l *config.Log) sources.Log {
	s := sources.Log{Origin: l.Origin, Operator: l.Operator, GRPCURL: l.GRPCURL, ReadURL: l.ReadURL}
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
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

// configPoll is how often the configuration's file is looked at.
const configPoll = 5 * time.Second

// fileState tells two states of a file apart. Size and time alone do not: tools that make files anew may give each the same time.
type fileState struct {
	info os.FileInfo // nil: there is no file
}

func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info}
}

func (s fileState) isSame(other fileState) bool {
	if s.info == nil || other.info == nil {
		return s.info == other.info
	}
	return os.SameFile(s.info, other.info) && s.info.ModTime().Equal(other.info.ModTime()) && s.info.Size() == other.info.Size() && s.isRegular() == other.isRegular()
}

func (s fileState) isRegular() bool { return s.info != nil && s.info.Mode().IsRegular() }

// watchedFiles are the configuration's file and those that its callers depend on, as they were last seen.
type watchedFiles struct {
	config string
	states map[string]fileState
}

// watchFiles looks at the files for the first time. The state of the configuration's own was looked at before it was read.
func watchFiles(path string, seen fileState, cfg *config.Config) *watchedFiles {
	w := &watchedFiles{config: path}
	w.useConfig(seen, cfg)
	return w
}

// useConfig has those files be watched that cfg names, which was read when its own file was as seen.
func (w *watchedFiles) useConfig(seen fileState, cfg *config.Config) {
	w.states = map[string]fileState{w.config: seen}
	for _, path := range cfg.ListCallersFiles() {
		w.states[path] = stateOf(path)
	}
}

// haveChanged reports whether one of the files is not as it was last seen, and sees them.
func (w *watchedFiles) haveChanged() (changed bool) {
	for path, before := range w.states {
		now := stateOf(path)
		w.states[path] = now
		changed = changed || !now.isSame(before)
	}
	return changed
}

// followCallers has the callers and policies read again when one of their files is not as it was seen, until ctx ends. A faulty one changes
// nothing, and is told once.
func followCallers(ctx context.Context, s *server.Server, files *watchedFiles, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(configPoll):
		}
		if !files.haveChanged() {
			continue
		}
		err := reloadCallers(ctx, s, files)
		s.NoteReload(server.ReloadedCallers, err)
		if err != nil {
			logger.Error("the callers and policies were not read again; those of before stay", "error", err)
		}
	}
}

func reloadCallers(ctx context.Context, s *server.Server, files *watchedFiles) error {
	seen := files.states[files.config]
	if !seen.isRegular() { // reading a pipe might not end
		return fmt.Errorf("%s is not there, or not a file", files.config)
	}
	cfg, err := config.Load(files.config)
	if err != nil {
		return err
	}
	files.useConfig(seen, cfg)
	return s.ReloadCallers(ctx, cfg)
}

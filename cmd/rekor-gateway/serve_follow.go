// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
)

// configPoll is how often the configuration's file is looked at.
const configPoll = 5 * time.Second

// fileState tells two states of a file apart.
type fileState struct {
	changed time.Time
	size    int64
	regular bool
}

// stateOf returns the zero state for a file that is not there.
func stateOf(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info.ModTime(), info.Size(), info.Mode().IsRegular()}
}

// followCallers has the callers read again when the configuration's file is not as it was in the state seen, until ctx ends. A
// faulty one changes nothing, and is told once.
func followCallers(ctx context.Context, s *server.Server, path string, seen fileState, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(configPoll):
		}
		now := stateOf(path)
		if now == seen || !now.regular { // reading a pipe might not end
			continue
		}
		seen = now
		cfg, err := config.Load(path)
		if err == nil {
			err = s.ReloadCallers(cfg)
		}
		if err != nil {
			logger.Error("the callers were not read again; those of before stay", "error", err)
		}
	}
}

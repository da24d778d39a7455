// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log"
	"log/slog"
	"strings"
)

// causedByClients begin the lines of net/http that anybody can cause, without a credential.
var causedByClients = []string{"http: TLS handshake error", "http: URL query contains semicolon", "http2: server", "http2: received GOAWAY"}

// errorLog has what net/http writes in the gateway's log, a line at a time. Of what clients cause there is a sample: a log that they could
// fill would take the disk from the store. It implements io.Writer.
type errorLog struct {
	logger *slog.Logger
	sample *sample
}

func newErrorLog(logger *slog.Logger) *log.Logger {
	return log.New(errorLog{logger, newSample()}, "", 0)
}

// Write implements io.Writer.
func (l errorLog) Write(line []byte) (int, error) {
	text := strings.TrimSuffix(string(line), "\n")
	for _, prefix := range causedByClients {
		if !strings.HasPrefix(text, prefix) {
			continue
		}
		if count := l.sample.takeSample(); count > 0 {
			l.logger.LogAttrs(context.Background(), slog.LevelWarn, text, slog.Int("count", count))
		}
		return len(line), nil
	}
	l.logger.Warn(text)
	return len(line), nil
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// What clients cause is sampled; each panic is told, over HTTP/2 too.
func TestErrorLogTellsPanics(t *testing.T) {
	const lines = 10 * sampledBurst
	for line, all := range map[string]bool{
		"http: TLS handshake error from x: EOF": false, "http2: server: error reading preface from client x: EOF": false, "http2: server connection error from x: y": false,
		"http: panic serving x: y": true, "http2: panic serving x: y": true, "http: Accept error: x; retrying in 5ms": true,
	} {
		var out bytes.Buffer
		log := newErrorLog(slog.New(slog.NewTextHandler(&out, nil)))
		for range lines {
			log.Print(line)
		}
		if n := strings.Count(out.String(), "\n"); (n == lines) != all || n == 0 {
			t.Errorf("%s: told %d of %d times", line, n, lines)
		}
	}
}

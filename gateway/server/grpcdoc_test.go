// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// TestGRPCPage: docs/grpc.md has the numbers that clients are held to.
func TestGRPCPage(t *testing.T) {
	raw, err := os.ReadFile("../../docs/grpc.md")
	if err != nil {
		t.Fatal(err)
	}
	limits := config.Default().Limits
	kib, mib := func(n int64) string { return fmt.Sprint(n>>10, " KiB") }, func(n int64) string { return fmt.Sprint(n>>20, " MiB") }
	for what, value := range map[string]string{
		"a message to the gateway":                                                      mib(upload.MaxMessage),
		"a chunk, or the artifact in a message of a batch":                              mib(upload.MaxChunk),
		"an artifact, by default (`limits.max_artifact_bytes`)":                         fmt.Sprint(int64(limits.MaxArtifactBytes)>>30, " GiB"),
		"metadata of a call":                                                            kib(upload.MaxMetadata),
		"calls at once on a connection":                                                 fmt.Sprint(upload.MaxStreams),
		"connections at once, by default (`limits.max_connections`)":                    fmt.Sprint(limits.MaxConnections),
		"of those, from one address, by default (`limits.max_connections_per_address`)": fmt.Sprint(limits.MaxConnectionsPerAddress),
		"calls of one caller at once, by default (`limits.max_requests_per_caller`)":    fmt.Sprint(limits.MaxRequestsPerCaller),
		"submissions of a batch worked on at once":                                      fmt.Sprint(upload.MaxBatchParallel),
		"what a client may send of a call before it is read":                            kib(upload.CallWindow),
		"the wait for the log when `Submit` names none":                                 fmt.Sprint(api.DefaultWait),
		"the longest wait for the log":                                                  fmt.Sprint(api.MaxWait),
		"silence of a client that has something to send or to take":                     fmt.Sprint(upload.IdleTimeout),
		"speed of an upload, by default (`limits.min_upload_rate`)":                     kib(int64(limits.MinUploadRate)) + " a second",
		"a call, by default (`limits.max_request_time`)":                                fmt.Sprint(limits.MaxRequestTime),
		"a watch": fmt.Sprint(upload.MaxWatch),
		"time between two pings of a client, at least": fmt.Sprint(minPing),
		"silence before the gateway pings":             fmt.Sprint(idlePing),
		"time to answer that":                          fmt.Sprint(pingTimeout),
		"a connection without a call":                  fmt.Sprint(idleCalls),
	} {
		if row := "| " + what + " | " + value + " |\n"; !strings.Contains(string(raw), row) {
			t.Errorf("there is no %q", row)
		}
	}
}

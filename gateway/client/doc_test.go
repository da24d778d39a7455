// SPDX-License-Identifier: Apache-2.0

package client

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cenkalti/backoff/v5"
)

// TestGRPCPage: docs/grpc.md has what the client does by itself.
func TestGRPCPage(t *testing.T) {
	raw, err := os.ReadFile("../../docs/grpc.md")
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := strings.Cut(string(raw), "What the Go client does by itself.")
	waits := newBackOff().BackOff.(*backoff.ExponentialBackOff)
	for what, value := range map[string]string{
		"a chunk": fmt.Sprint(chunkSize>>10, " KiB"),
		"an artifact of a batch that goes in one message": fmt.Sprint(maxInline>>20, " MiB"),
		"submissions of a batch under way at once":        fmt.Sprint(maxUnanswered),
		"an answer": fmt.Sprint(MaxAnswer>>20, " MiB"),
		"silence before it pings, with a call under way":   fmt.Sprint(pingAfter),
		"time to answer that":                              fmt.Sprint(pingTimeout),
		"silence of the gateway within a call, by default": fmt.Sprint(DefaultSilence),
		"the first wait before a call is repeated, about":  fmt.Sprint(waits.InitialInterval),
		"the longest": fmt.Sprint(waits.MaxInterval),
	} {
		if row := "| " + what + " | " + value + " |\n"; !strings.Contains(own, row) {
			t.Errorf("there is no %q", row)
		}
	}
}

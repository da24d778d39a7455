// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// TestNothingIsWrittenAfterAStop: a connection of before a long stop is closed by the next write, whether the watch has woken before
// it or not; one that is made then works.
func TestNothingIsWrittenAfterAStop(t *testing.T) {
	for name, woken := range map[string]bool{"the write comes first": false, "the watch comes first": true} {
		t.Run(name, func(t *testing.T) {
			w := &stopWatch{done: make(chan struct{})}
			w.noteTick()
			c := stoppingCredentials{insecure.NewCredentials(), w}.Clone()
			connect := func() net.Conn {
				ours, theirs := net.Pipe()
				t.Cleanup(func() { ours.Close(); theirs.Close() })
				go func() { _, _ = theirs.Read(make([]byte, 8)) }()
				conn, _, err := c.ClientHandshake(t.Context(), "log.example", ours)
				if err != nil {
					t.Fatal(err)
				}
				return conn
			}
			before, idle := connect(), connect()
			if _, err := before.Write([]byte("a")); err != nil {
				t.Fatal(err)
			}
			stopped := steady.Now().Add(-longestStop - time.Second)
			w.ticked.Store(&stopped)
			if woken {
				w.noteTick()
			}
			for _, conn := range []net.Conn{before, idle} {
				if n, err := conn.Write([]byte("b")); n != 0 || !errors.Is(err, errStopped) {
					t.Errorf("wrote %d, %v", n, err)
				}
			}
			w.noteTick()
			if _, err := idle.Write([]byte("c")); err == nil {
				t.Error("a connection of before the stop works again")
			}
			if _, err := connect().Write([]byte("d")); err != nil {
				t.Errorf("a new connection: %v", err)
			}
		})
	}
}

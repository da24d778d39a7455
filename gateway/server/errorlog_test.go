// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestHandshakesAreSampled: whoever fails at TLS again and again is counted, and fills no log.
func TestHandshakesAreSampled(t *testing.T) {
	cfg := newConfig(t)
	cfg.HTTP.TLS, _ = newCertificate(t)
	r := run(t, cfg)
	_, address, _ := strings.Cut(r.Addresses().HTTP, "://")
	const tries = 100
	for range tries {
		conn := must(net.Dial("tcp", address))
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(conn) // until it is turned away
		_ = conn.Close()
	}
	lines, counted := 0, 0
	for _, said := range regexp.MustCompile(`level=WARN msg="http: TLS handshake error [^"]*" count=(\d+)\n`).FindAllStringSubmatch(r.end(), -1) {
		lines, counted = lines+1, counted+must(strconv.Atoi(said[1]))
	}
	if lines < 10 || lines > tries/2 || counted < lines || counted > tries {
		t.Errorf("%d lines tell of %d of %d", lines, counted, tries)
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package freeport finds ports of loopback for servers that are stopped and started again on the same one.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are looked for below those that systems give to connections that go out (Linux: 32768 and up): one of these could take the
// port while the server is down.
const (
	first = 10_000
	count = 20_000
	tries = 100
)

// Find returns a port of loopback on which nothing listens now. Two that look at the same moment hardly find the same one.
func Find() (port int, err error) {
	for range tries {
		port = first + rand.IntN(count)                                      //nolint:gosec // no secret
		l, listenErr := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // it does not wait
		if listenErr == nil {
			return port, l.Close()
		}
		err = listenErr
	}
	return 0, fmt.Errorf("looking for a free port: %w", err)
}

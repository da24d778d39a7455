// SPDX-License-Identifier: Apache-2.0

package freeport

import (
	"fmt"
	"net"
	"testing"
)

// What is found can be listened on, and is no port that a connection may be given.
func TestFind(t *testing.T) {
	for range 50 {
		port, err := Find()
		if err != nil {
			t.Fatal(err)
		}
		if port < first || port >= 32_768 {
			t.Errorf("port %d", port)
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

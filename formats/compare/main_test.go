// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"flag"
	"os"
	"testing"
	"time"

	gotufv0 "github.com/theupdateframework/go-tuf/verify"
)

var speed = flag.Bool("speed", false, "print how fast the formats are, instead of testing")

// TestMain sets the clock of go-tuf 0, which Rekor uses, and measures speed when asked to.
func TestMain(m *testing.M) {
	flag.Parse()
	gotufv0.IsExpired = func(t time.Time) bool { return !t.After(now) }
	if *speed {
		measureSpeed(os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// SPDX-License-Identifier: Apache-2.0

//go:build unix

package run

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
)

// TestSeenLongAgo: what the scan has seen of a signature counts for a moment alone. By then, something else may be there, which may do something when it is
// opened, and a file may have become larger.
func TestSeenLongAgo(t *testing.T) {
	dir, long := t.TempDir(), time.Now().Add(-time.Hour)
	path := filepath.Join(dir, "s.sig")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	j := newJudge(&Options{}, must(loadKeys(t.Context(), nil)))
	if _, err := j.readCandidate(t.Context(), backfill.Item{Signature: path, Seen: long}); err == nil || !strings.Contains(err.Error(), "is a socket, and no file") {
		t.Errorf("it was opened: %v", err) // which a socket cannot be
	}
	const size = 1 << 20
	path = filepath.Join(dir, "large.sig")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	memory := semaphore.NewWeighted(maxHeld)
	release := must(holdOf(t.Context(), memory, maxHeld, backfill.Item{Signature: path, Size: 1, Seen: long}))
	defer release()
	if left := int64(maxHeld - heldPerItem - heldPerByte*size); memory.TryAcquire(left + 1) {
		t.Error("it is counted as small as it was")
	} else if !memory.TryAcquire(left) {
		t.Error("it is counted with more than it has")
	}
}

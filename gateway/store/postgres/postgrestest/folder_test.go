// SPDX-License-Identifier: Apache-2.0

package postgrestest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestRemoveLeftovers: what a process that was killed has left goes, and its server with it; a living one's stays.
func TestRemoveLeftovers(t *testing.T) {
	parent := t.TempDir()
	maker := exec.CommandContext(t.Context(), "true")
	if err := maker.Run(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(parent, fmt.Sprint(folderName, maker.Process.Pid, "-1"))
	mine := filepath.Join(parent, fmt.Sprint(folderName, os.Getpid(), "-1"))
	for _, folder := range []string{left, mine} {
		if err := os.MkdirAll(filepath.Join(folder, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lockFile := filepath.Join(left, "data", "postmaster.pid")
	server := exec.CommandContext(t.Context(), "tail", "--retry", "-f", lockFile)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lockFile, fmt.Appendf(nil, "%d\n%s\n", server.Process.Pid, left), 0o600); err != nil {
		t.Fatal(err)
	}

	removeLeftovers(parent)
	if err := server.Wait(); err == nil {
		t.Error("the server has ended by itself")
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Error("what was left is there still:", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}

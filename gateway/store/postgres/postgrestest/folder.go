// SPDX-License-Identifier: Apache-2.0

package postgrestest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// memory is where servers have their folders, since a server that syncs nothing is refused, and tests need not wait for disks.
const memory = "/dev/shm"

// folderName begins the name of a server's folder; the ID of the process that made it comes next.
const folderName = "postgrestest-"

// makeFolder makes a folder for a server: not by t.TempDir, whose parents are closed to other users.
func makeFolder() (string, error) {
	parent := os.TempDir()
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		parent = memory
	}
	removeLeftovers(parent)
	return os.MkdirTemp(parent, fmt.Sprint(folderName, os.Getpid(), "-"))
}

// removeLeftovers ends the servers of processes that were killed, and removes their folders, which would fill the memory. What
// cannot be removed is somebody else's, or on its way.
func removeLeftovers(parent string) {
	folders, _ := filepath.Glob(filepath.Join(parent, folderName+"*")) // the pattern is well formed
	for _, folder := range folders {
		maker, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), folderName), "-")
		pid, err := strconv.Atoi(maker)
		if err != nil || isAlive(pid) {
			continue
		}
		endServer(filepath.Join(folder, "data"))
		_ = os.RemoveAll(folder)
	}
}

func isAlive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || err == syscall.EPERM
}

// endServer ends the server on this data, which its lock file names: https://www.postgresql.org/docs/current/storage-file-layout.html.
func endServer(data string) {
	raw, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return
	}
	// The ID may be another process's by now.
	if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.Contains(string(args), data) {
		_ = syscall.Kill(pid, syscall.SIGQUIT)
	}
}

// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// run starts a tool in dir and waits for it. The error holds the end of what it printed.
func run(dir string, stdin []byte, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		panic(err) // a missing tool is no verdict
	}
	if err != nil {
		return errors.New(lastLine(out) + " (" + err.Error() + ")")
	}
	return nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1]
	if i := strings.Index(last, ":error:"); i >= 0 {
		last = last[i+1:] // OpenSSL puts a thread's number before it
	}
	return strings.ToValidUTF8(last, "?")
}

// put writes a file for a tool to read and returns its path.
func put(dir, name string, content []byte) string {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		panic(err)
	}
	return path
}

// must is for what cannot fail but for a mistake in these tests.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// read returns a file of a plugin's test data, or of this package's.
func read(format, name string) []byte {
	return must(os.ReadFile(filepath.Join("..", format, "testdata", name)))
}

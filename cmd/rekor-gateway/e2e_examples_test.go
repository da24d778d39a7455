// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamples: each program in docs/examples records a signature, and keeps a receipt that verifies; one over another artifact it
// reports as the gateway says.
func TestExamples(t *testing.T) {
	made := os.Getenv("EXAMPLES")
	if made == "" {
		t.Fatal("EXAMPLES is not set: make e2e makes what the examples need and sets it")
	}
	remote := startDev(t)
	address := strings.TrimPrefix(remote.GRPC, "grpc://")
	examples := must(filepath.Abs("../../docs/examples"))
	tests := map[string]struct {
		command []string // before the signature
		env     string
	}{
		"go":          {[]string{buildProgram(t, "../../docs/examples/go"), address}, ""},
		"node":        {[]string{"node", copyExample(t, made, "node/submit.mjs"), filepath.Join(made, "protos"), address}, ""},
		"python-http": {[]string{"python3", filepath.Join(examples, "python/submit_http.py"), remote.HTTP}, ""},
		"python-grpc": {[]string{"/usr/bin/python3", filepath.Join(examples, "python/submit_grpc.py"), address}, "PYTHONPATH=" + filepath.Join(made, "python")},
		"curl":        {[]string{filepath.Join(examples, "curl/submit.sh"), remote.HTTP}, ""},
		"wget":        {[]string{filepath.Join(examples, "wget/submit.sh"), remote.HTTP}, ""},
	}
	for name, x := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			shell(t, dir, `head -c 3000000 /dev/urandom >artifact
echo other >other
openssl ecparam -name prime256v1 -genkey -noout -out private
openssl ec -in private -pubout -out key 2>/dev/null
openssl dgst -sha256 -sign private -out signature artifact`)
			run := func(artifact string) (string, error) {
				cmd := exec.CommandContext(t.Context(), x.command[0], append(x.command[1:], "signature", "key", artifact)...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), x.env)
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			if out, err := run("artifact"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			verify := exec.Command("rekor-gateway", "verify", "artifact", "--key", "key", "--trusted-root", filepath.Join(remote.DataDir, rootFile))
			verify.Dir = dir
			if out, err := verify.CombinedOutput(); err != nil {
				t.Errorf("verify: %v\n%s", err, out)
			}
			if out, err := run("other"); err == nil || !strings.Contains(out, "SIGNATURE_INVALID") || !strings.Contains(out, "hint") {
				t.Errorf("another artifact: %v\n%s", err, out)
			}
			if exists(filepath.Join(dir, "other.receipt.json")) {
				t.Error("there is a receipt of another artifact")
			}
		})
	}
}

// copyExample puts an example beside the packages that it needs.
func copyExample(t *testing.T, made, name string) string {
	t.Helper()
	path := filepath.Join(made, name)
	if err := os.WriteFile(path, must(os.ReadFile(filepath.Join("../../docs/examples", name))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

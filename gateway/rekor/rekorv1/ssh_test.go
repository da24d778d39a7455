// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// sshKinds are the keys that ssh-keygen makes.
var sshKinds = []string{"ed25519", "ecdsa", "rsa"}

// signSSH has ssh-keygen make a key, and sign with it.
func signSSH(t *testing.T, kind string, artifact []byte, options ...string) (signature, key []byte) {
	t.Helper()
	folder := t.TempDir()
	keyFile, file := filepath.Join(folder, "key"), filepath.Join(folder, "artifact")
	if err := os.WriteFile(file, artifact, 0o600); err != nil {
		t.Fatal(err)
	}
	sign := []string{"-Y", "sign", "-f", keyFile}
	if !slices.Contains(options, "-n") {
		sign = append(sign, "-n", "file")
	}
	for _, args := range [][]string{{"-q", "-t", kind, "-N", "", "-C", "alice@example.com", "-f", keyFile}, append(append(sign, options...), file)} {
		if out, err := exec.CommandContext(t.Context(), "ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen %v: %v: %s", args, err, out)
		}
	}
	return read(t, file+".sig"), read(t, keyFile+".pub")
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

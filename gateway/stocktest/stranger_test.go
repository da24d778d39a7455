// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// formAlone are edited receipts that verify refuses for how they are written, where all that a stranger looks at is true.
var formAlone = []string{"edited-own-version-2", "edited-own-spelling", "edited-own-extra", "edited-own-anchor-direct"}

// TestStrangersProgram: docs/examples/verify, which knows nothing of the gateway's code, verifies a batched receipt, and refuses what verify does.
func TestStrangersProgram(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "verify")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = "../../docs/examples/verify"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	good := strangersArguments(t, "own-x509-p256")
	if out, err := exec.CommandContext(t.Context(), program, good...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("another file"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := map[string][]string{
		"another artifact":       slices.Concat(good[:1], []string{other}, good[2:]),
		"another key":            slices.Concat(good[:2], []string{"../../formats/x509/testdata/p384.pem"}, good[3:]),
		"another key of the log": slices.Concat(good[:3], []string{filepath.Join(filepath.Dir(good[3]), "trusted_root_other.json")}, good[4:]),
	}
	for _, name := range editedOwn(t) {
		if !slices.Contains(formAlone, name) {
			refused[name] = strangersArguments(t, name)
		}
	}
	if len(refused) < 12 {
		t.Errorf("%d are to be refused", len(refused))
	}
	for name, arguments := range refused {
		if out, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput(); err == nil {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// editedOwn are the receipts that were own-x509-p256 before something in them was changed, and that verify refuses.
func editedOwn(t *testing.T) (out []string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(corpusDir, "edited-own-*", "p256.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range dirs {
		dir := filepath.Dir(path)
		if readVerdicts(t, dir).Verifications[0].Verdict != "ok" {
			out = append(out, filepath.Base(dir))
		}
	}
	return out
}

// strangersArguments are those for a receipt of the corpus.
func strangersArguments(t *testing.T, name string) []string {
	t.Helper()
	dir := filepath.Join(corpusDir, name)
	list := readVerdicts(t, dir)
	trust := filepath.Join(dir, list.Trust)
	return []string{
		filepath.Join(dir, "receipt.json"), filepath.Join(dir, "artifact"), filepath.Join(dir, "p256.pem"),
		filepath.Join(trust, "trusted_root.json"), filepath.Join(trust, list.Verifications[0].GatewayTrust),
	}
}

func readVerdicts(t *testing.T, dir string) (list verdicts) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, filepath.Join(dir, "verdicts.json")), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A dry run tells what would be done, and leaves every file, and the gateway, as they are.
func TestBackfillPlanTouchesNothing(t *testing.T) {
	tree := makeTree(t, 3)
	copyFile(t, offline("other"), filepath.Join(tree, "1/app"))
	copyFile(t, offline("x509.receipt.json"), filepath.Join(tree, "2/app.receipt.json"))
	copyFile(t, offline("pgp-rsa3072.sig"), filepath.Join(tree, "3/lib.asc"))
	copyFile(t, offline("pgp-rsa3072.sig"), filepath.Join(tree, "4/app.asc"))
	copyFile(t, offline("artifact"), filepath.Join(tree, "4/app"))
	before := listTree(t, tree)
	var out, errs bytes.Buffer
	code := runProgram(t.Context(), []string{"backfill", tree, "--dry-run", "--key", offline("x509.pub"), "--trusted-root", offline(rootFile)}, &out, &errs)
	for _, want := range []string{
		"1      SUBMIT   NATIVE          direct  digest  -                  0/app.sig\n",
		"1      DONE     -               -       -       -                  2/app.sig\n",
		"SIGNATURE_INVALID, 1 of REFUSED: ", "MISSING_ARTIFACT, 1 of REFUSED: ", "MISSING_KEY, 1 of REFUSED: ", "  hint: name a file with the signer's key: --key FILE\n", "\n5 signatures\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
	if after := listTree(t, tree); code != 0 || !slices.Equal(before, after) {
		t.Errorf("exit %d\n%s\nbefore %q\nafter  %q", code, &errs, before, after)
	}
	if left := must(os.ReadDir(os.Getenv("XDG_CACHE_HOME"))); len(left) != 0 {
		t.Errorf("the cache has %v", left)
	}
}

// listTree returns names, sizes and times of all that is in a tree.
func listTree(t *testing.T, tree string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(tree, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		all = append(all, path+string(stampOf(info).encode(nil)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// The root of a TUF repository is no key by itself: with --key, it has to lead on from one that was named.
func TestBackfillHoldsToKeys(t *testing.T) {
	metadata := func(name string) string { return filepath.Join("..", "..", "formats", "tuf", "testdata", name) }
	tree := t.TempDir()
	copyFile(t, metadata("root-1.json"), filepath.Join(tree, "root.json"))
	copyFile(t, metadata("targets.json"), filepath.Join(tree, "targets.json"))
	for key, want := range map[string]string{
		metadata("root-1.json"): "SUBMIT", metadata("twice-root.json"): "REFUSED",
	} {
		var out, errs bytes.Buffer
		runProgram(t.Context(), []string{"backfill", tree, "--include", "targets.json", "--dry-run", "--key", key, "--trusted-root", offline(rootFile)}, &out, &errs)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: no %s in\n%s%s", key, want, &out, &errs)
		}
	}
}

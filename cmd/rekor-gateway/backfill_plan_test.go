// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
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
		"1      SUBMIT   NATIVE          policy  digest  -                  0/app.sig\n",
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

// With --force the plan is that of a run with --force: a receipt that does not verify is replaced.
func TestBackfillPlanForces(t *testing.T) {
	tree := makeTree(t, 1)
	wrong := bytes.Replace(must(os.ReadFile(offline("x509.receipt.json"))), []byte(`"NATIVE"`), []byte(`"PROJECTED"`), 1)
	if err := os.WriteFile(filepath.Join(tree, "0/app.receipt.json"), wrong, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, force := range map[string]string{"REFUSED  -": "--force=false", "SUBMIT  NATIVE": "--force"} {
		var out, errs bytes.Buffer
		runProgram(t.Context(), []string{"backfill", tree, "--dry-run", force, "--key", offline("x509.pub"), "--trusted-root", offline(rootFile)}, &out, &errs)
		if !strings.Contains(out.String(), "1      "+want) {
			t.Errorf("%s: want %q in\n%s\n%s", force, want, &out, &errs)
		}
	}
}

// A gateway that can be asked says how it would record each signature. What it was not asked is not said of it.
func TestBackfillPlanAsks(t *testing.T) {
	const options = `,"options":[{"representation":"NATIVE","possible":true,"entries":1},{"representation":"PROJECTED","problem":{"reason":"NOT_PROJECTABLE"}},{"representation":"ATTESTED","possible":true}]}`
	answer := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	for name, c := range map[string]struct {
		plan http.HandlerFunc
		args []string
		want string
		note string
	}{
		"batched":        {answer(200, `{"chosen":"NATIVE","way":"BATCHED"`+options), nil, "SUBMIT  NATIVE          BATCHED  digest  -", ""},
		"attested there": {answer(200, `{"chosen":"ATTESTED","way":"DIRECT","options":[{"representation":"NATIVE","problem":{"reason":"REPRESENTATION_NOT_ALLOWED","message":"m","hint":"h"}},{"representation":"ATTESTED","possible":true}]}`), nil, "SUBMIT  ATTESTED        DIRECT  digest  REPRESENTATION_NOT_ALLOWED", ""},
		"not possible":   {answer(200, `{"options":[{"representation":"NATIVE","problem":{"reason":"REPRESENTATION_NOT_ALLOWED","message":"m","hint":"h"}}]}`), nil, "REFUSED  -               -    -      REPRESENTATION_NOT_ALLOWED", ""},
		"refused": {func(w http.ResponseWriter, _ *http.Request) {
			refuseWith(w, http.StatusUnprocessableEntity, "WAY_NOT_ALLOWED")
		}, []string{"--way", "batched"}, "REFUSED  -               -    -      WAY_NOT_ALLOWED", ""},
		"no such route":  {nil, nil, "SUBMIT  NATIVE          policy  digest  -", "could not be asked"},
		"a way, unasked": {nil, []string{"--way", "batched"}, "SUBMIT  NATIVE          BATCHED  digest  -", "could not be asked"},
	} {
		t.Run(name, func(t *testing.T) {
			server := (&standIn{t: t, plan: c.plan}).start()
			var out, errs bytes.Buffer
			runProgram(t.Context(), append([]string{"backfill", makeTree(t, 3), "--dry-run", "--server", server, "--key", offline("x509.pub")}, c.args...), &out, &errs)
			if !strings.Contains(out.String(), "3      "+c.want) || strings.Count(errs.String(), "could not be asked") != strings.Count(c.note, "could") ||
				strings.Contains(out.String(), "no gateway was asked") != (c.note != "") {
				t.Errorf("want %q in\n%s\n%s", c.want, &out, &errs)
			}
		})
	}
}

// TestBackfillPlanWithFile: before a log of Rekor v1 a signature is NATIVE where its file is sent, as it is for --representation NATIVE alone.
func TestBackfillPlanWithFile(t *testing.T) {
	minisign := func(name string) string { return filepath.Join("..", "..", "formats", "minisign", "testdata", name) }
	tree := t.TempDir()
	copyFile(t, minisign("artifact.txt"), filepath.Join(tree, "app"))
	copyFile(t, minisign("prehashed.minisig"), filepath.Join(tree, "app.minisig"))
	const others = `{"representation":"PROJECTED","problem":{"reason":"NOT_PROJECTABLE"}},{"representation":"ATTESTED","possible":true}]}`
	for _, c := range []struct {
		args         []string
		answer, want string
	}{
		{[]string{"--representation", "NATIVE"}, `{"chosen":"NATIVE","way":"DIRECT","options":[{"representation":"NATIVE","possible":true},`, "NATIVE          DIRECT  bytes  -"},
		{nil, `{"chosen":"ATTESTED","way":"DIRECT","options":[{"representation":"NATIVE","problem":{"reason":"NEEDS_BYTES"}},`, "ATTESTED        DIRECT  digest  NEEDS_BYTES  "},
		{nil, `{"chosen":"NATIVE","way":"DIRECT","options":[{"representation":"NATIVE","possible":true},`, "ATTESTED        DIRECT  digest  NEEDS_BYTES  "},
	} {
		server := (&standIn{t: t, plan: func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, c.answer+others)
		}}).start()
		var out, errs bytes.Buffer
		runProgram(t.Context(), append([]string{"backfill", tree, "--dry-run", "--server", server, "--key", minisign("signer.pub")}, c.args...), &out, &errs)
		if !strings.Contains(out.String(), "1      SUBMIT  "+c.want) {
			t.Errorf("want %q in\n%s\n%s", c.want, &out, &errs)
		}
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
		all = append(all, path+fmt.Sprint(info.Size(), info.Mode(), info.ModTime()))
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

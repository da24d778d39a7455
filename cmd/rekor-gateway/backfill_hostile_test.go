// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBackfillHostilePlaces: what stands where a receipt or its part is to go is neither waited for, nor followed, nor replaced, and is told before the signature is sent.
func TestBackfillHostilePlaces(t *testing.T) {
	elsewhere, receipt := filepath.Join(t.TempDir(), "x.json"), must(os.ReadFile(offline("x509.receipt.json")))
	if err := os.WriteFile(elsewhere, receipt, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		put    func(path string) error // where app's receipt is to go
		force  string                  // the reason with --force; "" is LOGGED
		reason string                  // without; "" is FILE_EXISTS
	}{
		"pipe":                        {func(path string) error { return syscall.Mkfifo(path, 0o644) }, "", ""},
		"folder":                      {func(path string) error { return os.Mkdir(path, 0o755) }, "FILE_EXISTS", ""},
		"link to nothing":             {func(path string) error { return os.Symlink("nowhere", path) }, "", ""},
		"link to itself":              {func(path string) error { return os.Symlink(filepath.Base(path), path) }, "", ""},
		"link to a device":            {func(path string) error { return os.Symlink("/dev/zero", path) }, "", "OUTSIDE_ROOT"},
		"link to a receipt elsewhere": {func(path string) error { return os.Symlink(elsewhere, path) }, "", "OUTSIDE_ROOT"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := makeTree(t, 1)
			if err := c.put(filepath.Join(tree, "0/app"+receiptSuffix)); err != nil {
				t.Fatal(err)
			}
			server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
			if o := backfillOne(t, server, tree); string(o.Reason) != cmp.Or(c.reason, "FILE_EXISTS") || o.Hint == "" || o.SubmissionID != "" {
				t.Errorf("%+v", o)
			}
			if o := backfillOne(t, server, tree, "--force"); string(o.Reason) != c.force || (c.force == "") != (o.State == stateLogged) {
				t.Errorf("--force: %+v", o)
			}
			if left, err := os.Lstat(filepath.Join(tree, "0/nowhere")); err == nil {
				t.Errorf("a link was followed: %v", left)
			}
			if !bytes.Equal(must(os.ReadFile(elsewhere)), receipt) {
				t.Error("a link was followed, and what it led to was written over")
			}
		})
	}
}

// TestBackfillReceiptOutside: a receipt that a link leads to out of the tree counts where links may.
func TestBackfillReceiptOutside(t *testing.T) {
	tree := makeTree(t, 1)
	if err := os.Symlink(filepath.Join(must(os.Getwd()), offline("x509.receipt.json")), filepath.Join(tree, "0/app"+receiptSuffix)); err != nil {
		t.Fatal(err)
	}
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	if o := backfillOne(t, server, tree); string(o.Reason) != "OUTSIDE_ROOT" || !strings.Contains(o.Hint, "--allow-outside") {
		t.Errorf("%+v", o)
	}
	if o := backfillOne(t, server, tree, "--allow-outside"); o.State != stateDone {
		t.Errorf("--allow-outside: %+v", o)
	}
}

// TestBackfillPlaceTakenTwice: what comes to both names of a receipt while its signature is under way costs nothing: another signature's receipt has the one,
// and what a power failure has left of one the other.
func TestBackfillPlaceTakenTwice(t *testing.T) {
	tree := makeTree(t, 1)
	first, own := filepath.Join(tree, "0/app"+receiptSuffix), filepath.Join(tree, "0/app.sig"+receiptSuffix)
	server := (&standIn{t: t, receipt: offline("x509.receipt.json"), lines: func(int) (int, string) {
		if err := errors.Join(os.WriteFile(first, must(os.ReadFile(offline("pgp-rsa3072.receipt.json"))), 0o600), os.WriteFile(own, nil, 0o600)); err != nil {
			t.Error(err)
		}
		return -1, ""
	}}).start()
	if o := backfillOne(t, server, tree); o.State != stateLogged || o.Receipt != own {
		t.Errorf("%+v", o)
	}
}

// TestBackfillLongNames: a receipt that its folder can name is kept; where it cannot, that is told before the signature is sent.
func TestBackfillLongNames(t *testing.T) {
	const mostOctets = 255
	for length, want := range map[int]string{
		mostOctets - len(receiptSuffix) - len(".sig"): stateLogged, mostOctets - len(receiptSuffix): stateLogged,
		mostOctets - len(receiptSuffix) + 1: "FILE", mostOctets - len(".sig"): "FILE",
	} {
		tree := makeTree(t, 1)
		name := filepath.Join(tree, "0", strings.Repeat("n", length))
		for _, ending := range []string{"", ".sig"} {
			if err := os.Rename(filepath.Join(tree, "0/app"+ending), name+ending); err != nil {
				t.Fatal(err)
			}
		}
		o := backfillOne(t, (&standIn{t: t, receipt: offline("x509.receipt.json")}).start(), tree)
		if got := cmp.Or(string(o.Reason), o.State); got != want || want == "FILE" && (o.SubmissionID != "" || !strings.Contains(o.Hint, "shorter")) {
			t.Errorf("%d octets: %+v", length, o)
		}
	}
}

// backfillOne backfills a tree with one signature, and returns what became of it.
func backfillOne(t *testing.T, server, tree string, more ...string) (o outcome) {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.jsonl")
	_, out, errs := runBackfill(t.Context(), server, tree, append(more, "--report", report)...)
	file, err := os.Open(report)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	if !lines.Scan() {
		t.Fatalf("no line in the report\n%s%s", out, errs)
	}
	if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	if lines.Scan() {
		t.Errorf("another line: %s", lines.Bytes())
	}
	return o
}

// TestReportReplacesReportsAlone: a report is written over an earlier one, and over nothing else that somebody has named by mistake.
func TestReportReplacesReportsAlone(t *testing.T) {
	tree := makeTree(t, 1)
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	for content, want := range map[string]string{"": "", "release 1.0\n": "FILE_EXISTS", `{"signature": "a.sig"}`: "FILE_EXISTS", `{"name"`: "FILE_EXISTS"} {
		path := filepath.Join(t.TempDir(), "report")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, out, _ := runBackfill(t.Context(), server, tree, "--report", path)
		if !strings.Contains(out, want) || want != "" && string(must(os.ReadFile(path))) != content {
			t.Errorf("over %q: %s", content, out)
		}
		for range 2 { // the second replaces the first one's
			if code, out, errs := runBackfill(t.Context(), server, tree, "--report", path, "--force"); code != 0 {
				t.Errorf("--force over %q: %s%s", content, out, errs)
			}
		}
		if code, out, errs := runBackfill(t.Context(), server, tree, "--report", path); code != 0 {
			t.Errorf("over a report: %s%s", out, errs)
		}
	}
}

// TestVerifyWaitsForNoPipe: a receipt that is looked for beside a file is a file.
func TestVerifyWaitsForNoPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app")
	if err := errors.Join(os.WriteFile(file, nil, 0o644), syscall.Mkfifo(file+receiptSuffix, 0o644), syscall.Mkfifo(file+".asc", 0o644)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan string, 1)
	go func() {
		var out bytes.Buffer
		runProgram(t.Context(), []string{"verify", file, "--any-signer", "--trusted-root", offline(rootFile), "--output", "json"}, &out, &out)
		ended <- out.String()
	}()
	select {
	case out := <-ended:
		if !strings.Contains(out, `"FILE"`) || !strings.Contains(out, "no regular file") {
			t.Error(out)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for a pipe")
	}
}

// TestBackfillWithoutRoomForFetched: where nothing can be fetched for want of room, the run ends, and no signature is to blame.
func TestBackfillWithoutRoomForFetched(t *testing.T) {
	files := httptest.NewServer(http.FileServer(http.Dir(offline("."))))
	defer files.Close()
	manifest := filepath.Join(t.TempDir(), "list.jsonl")
	row := fmt.Sprintf(`{"signature": "%[1]s/x509.sig", "artifact": "%[1]s/artifact"}`, files.URL)
	if err := os.WriteFile(manifest, []byte(row+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "nowhere"))
	server := (&standIn{t: t, receipt: offline("x509.receipt.json")}).start()
	var out, errs bytes.Buffer
	code := runProgram(t.Context(), []string{"backfill", "--manifest", manifest, "--receipts", t.TempDir(), "--server", server, "--key", offline("x509.pub"), "--trusted-root", offline(rootFile), "--output", "json"}, &out, &errs)
	if s := readSummary(t, out.String()); code != exitInput || s.Unsent != 1 || s.Refused != 0 || s.Error.Reason != "FILE" {
		t.Errorf("exit %d: %s", code, &out)
	}
}

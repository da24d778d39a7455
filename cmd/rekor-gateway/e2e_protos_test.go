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

// TestPublishedProtos: the archive has all that protoc needs in an empty folder, and what would break callers is noticed.
func TestPublishedProtos(t *testing.T) {
	archive, buf := os.Getenv("PROTO_TARBALL"), os.Getenv("BUF")
	if archive == "" || buf == "" {
		t.Fatal("PROTO_TARBALL and BUF are not set: make e2e sets them")
	}
	dir := t.TempDir()
	shell(t, dir, "tar -xzf "+archive)
	shell(t, dir, `protoc -I. --include_imports -o /dev/null $(find . -name '*.proto')`)
	published := must(filepath.Abs("../../proto/published.binpb"))
	compare := func() (string, error) {
		cmd := exec.Command(buf, "breaking", ".", "--against", published, "--exclude-imports", "--path", "rekorgateway")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := compare(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := filepath.Join(dir, "rekorgateway/v1/gateway.proto")
	for what, change := range map[string]*strings.Replacer{
		"a field that is gone":         strings.NewReplacer("  bool created = 2;\n", ""),
		"a field of another type":      strings.NewReplacer("  string page_token = 5;\n", "  bytes page_token = 5;\n"),
		"a call that is gone":          strings.NewReplacer("  rpc ListFormats(ListFormatsRequest) returns (ListFormatsResponse);\n", ""),
		"a call that streams no more":  strings.NewReplacer("returns (stream WatchSubmissionResponse)", "returns (WatchSubmissionResponse)"),
		"a field with another number ": strings.NewReplacer("  string priority = 12;\n", "  string priority = 112;\n"),
	} {
		before := must(os.ReadFile(path))
		after := change.Replace(string(before))
		if after == string(before) {
			t.Fatalf("%s: there is nothing to change", what)
		}
		if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := compare(); err == nil || !strings.Contains(out, "gateway.proto") {
			t.Errorf("%s passes: %v\n%s", what, err, out)
		}
		if err := os.WriteFile(path, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

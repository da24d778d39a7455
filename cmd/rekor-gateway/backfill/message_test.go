// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSignedMessages: what gpg --sign has made is told, whether or not the file is there as well; what is encrypted or only stored is passed over, as
// other files of these names are.
func TestSignedMessages(t *testing.T) {
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/messages")); err != nil {
		t.Fatal(err)
	}
	write(t, root+"/signed-zip", "hello\n")
	write(t, root+"/cut.gpg", "\xa3")
	write(t, root+"/text.asc", "-----BEGIN PGP MESSAGE-----\n")
	got, err := collect(root, Scan([]string{root}, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	made, err := filepath.Glob("testdata/messages/signed-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range made {
		want = append(want, `"`+filepath.Base(path)+`": UNSUPPORTED_SIGNATURE_TYPE`)
	}
	slices.Sort(want)
	checkLines(t, got, want)
	if len(want) != 5 {
		t.Errorf("%d messages", len(want))
	}
}

// TestHoldsSignature: of a list alone it is looked at whether it is signed in itself.
func TestHoldsSignature(t *testing.T) {
	root := copyTree(t)
	clear := read(t, "sums/SHA512SUMS.asc")
	for name, c := range map[string]struct {
		content string
		want    bool
	}{
		"SHA256SUMS": {clear, true}, "sha512sums.txt": {clear, true}, "SHA384SUMS": {strings.Repeat("a", 96) + "  app\n", false}, "app": {clear, false}, "SHA1SUMS": {"", false}, "CHECKSUM": {"", false},
	} {
		if got := HoldsSignature(write(t, filepath.Join(root, "lists", name), c.content)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, path := range []string{"", root, filepath.Join(root, "none/SHA256SUMS"), "https://example.com/SHA256SUMS"} {
		if HoldsSignature(path) {
			t.Errorf("%q holds one", path)
		}
	}
}

// FuzzSignedMessage: nothing that is found stops a scan.
func FuzzSignedMessage(f *testing.F) {
	made, err := filepath.Glob("testdata/messages/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range made {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(_ *testing.T, content []byte) { isSignedMessage(content) })
}

// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// copyTree returns a copy of the tree that testdata/make.sh made.
func copyTree(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/tree")); err != nil {
		t.Fatal(err)
	}
	return root
}

// write writes a file, and the folders that it is in.
func write(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t testing.TB, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// read returns a file of the tree that testdata/make.sh made.
func read(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata/tree", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// readOther returns a file that tests of formats use.
func readOther(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../../formats", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// collect returns all items, each on a line, and the error that ended it.
func collect(root string, items iter.Seq2[Item, error]) (lines []string, err error) {
	for item, err := range items {
		if err != nil {
			return lines, err
		}
		lines = append(lines, describe(root, item))
	}
	return lines, nil
}

// describe returns an item on one line, with paths relative to root.
func describe(root string, item Item) string {
	var b strings.Builder
	relative := func(path string) string {
		if rel, err := filepath.Rel(root, path); err == nil && !strings.Contains(path, "://") {
			return rel
		}
		return path
	}
	fmt.Fprintf(&b, "%q", item.Name)
	if item.Artifact != "" {
		fmt.Fprintf(&b, " over %s", relative(item.Artifact))
	}
	if item.Decompress {
		b.WriteString(" inside")
	}
	for _, k := range item.Keys {
		fmt.Fprintf(&b, " key %s", relative(k))
	}
	if item.Digest != "" {
		fmt.Fprintf(&b, " digest %.12s", item.Digest)
	}
	if item.Format != "" {
		fmt.Fprintf(&b, " format %s", item.Format)
	}
	for _, name := range slices.Sorted(maps.Keys(item.Labels)) {
		fmt.Fprintf(&b, " label %s=%s", name, item.Labels[name])
	}
	if item.List != nil {
		b.WriteString(" list")
		checked := compare(item)
		for _, l := range checked.Faults {
			fmt.Fprintf(&b, " [%s %s]", l.Name, l.Problem.Reason)
		}
		item.Problem = checked.Problem
	}
	if item.Problem != nil {
		fmt.Fprintf(&b, ": %s", item.Problem.Reason)
	}
	return b.String()
}

// compare compares the files of a list, as is done once its signature verifies.
func compare(item Item) *Checked {
	file := item.Artifact
	if item.List.InSignature {
		file = item.Signature
	}
	f, _, err := Open(file)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxList+1))
	if err != nil {
		panic(err)
	}
	checked, err := item.List.Compare(context.Background(), content, stampForTest)
	if err != nil {
		panic(err)
	}
	return checked
}

func stampForTest(info fs.FileInfo) []byte {
	return fmt.Appendf(nil, "%d %v", info.Size(), info.ModTime())
}

func checkLines(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestScan pairs what the tools made.
func TestScan(t *testing.T) {
	root := copyTree(t)
	got, err := collect(root, Scan([]string{root}, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, got, []string{
		`"debian/InRelease" list [main/Packages MISSING_ARTIFACT]`,
		`"debian/Release.gpg" over debian/Release list [main/Packages MISSING_ARTIFACT]`,
		`"debian/hello_1.0.dsc" list`,
		`"kernel/linux-1.0.tar.sign" over kernel/linux-1.0.tar.xz inside`,
		`"minisign/app.minisig" over minisign/app`,
		`"pgp/app.bin.sig" over pgp/app.bin`,
		`"pgp/app.tar.gz.asc" over pgp/app.tar.gz`,
		`"pkcs7/app.p7s" over pkcs7/app`,
		`"pkcs7/letter.p7m"`,
		`"ssh/app.sig" over ssh/app`,
		`"ssh/app.sshsig" over ssh/app`,
		`"sums/SHA256SUMS.gpg" over sums/SHA256SUMS list`,
		`"sums/SHA256SUMS.minisig" over sums/SHA256SUMS list`,
		`"sums/SHA512SUMS.asc" list`,
		`"x509/app.pem.sig" over x509/app`,
		`"x509/raw.sig" over x509/raw`,
	})
}

// TestScanSees: the files of what is found were looked at; of what has a problem nothing is said.
func TestScanSees(t *testing.T) {
	root := copyTree(t)
	mkfifo(t, root+"/pipe")
	replace(t, root+"/pgp/app.bin", func(t *testing.T, path string) { link(t, "../pipe", path) })
	for item, err := range Scan([]string{root}, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(item.Signature)
		if err != nil || item.Size != info.Size() || !item.Seen.IsZero() != (item.Name != "pgp/app.bin.sig") {
			t.Errorf("%s: size %d, seen %v, %v", item.Name, item.Size, item.Seen, err)
		}
	}
}

// TestScanDefects changes one thing in the tree, and looks at one folder.
func TestScanDefects(t *testing.T) {
	tests := map[string]struct {
		folder string
		change func(t *testing.T, dir string)
		want   []string
	}{
		"no artifact": {"pgp", func(t *testing.T, dir string) { remove(t, dir, "app.bin") },
			[]string{`"app.bin.sig": MISSING_ARTIFACT`, `"app.tar.gz.asc" over app.tar.gz`}},
		"artifact is a folder": {"pgp", func(t *testing.T, dir string) { remove(t, dir, "app.bin"); mkdir(t, dir, "app.bin") },
			[]string{`"app.bin.sig": MISSING_ARTIFACT`, `"app.tar.gz.asc" over app.tar.gz`}},
		"compressed in a way that is not read": {"kernel", func(t *testing.T, dir string) { rename(t, dir, "linux-1.0.tar.xz", "linux-1.0.tar.bz2") },
			[]string{`"linux-1.0.tar.sign": UNKNOWN_CONTAINER`}},
		"compressed under a short name": {"kernel", func(t *testing.T, dir string) { rename(t, dir, "linux-1.0.tar.xz", "linux-1.0.txz") },
			[]string{`"linux-1.0.tar.sign" over linux-1.0.txz inside`}},
		"compressed and as it is": {"kernel", func(t *testing.T, dir string) { write(t, dir+"/linux-1.0.tar", "kernel\n") },
			[]string{`"linux-1.0.tar.sign" over linux-1.0.tar`}},
		"empty signature": {"ssh", func(t *testing.T, dir string) { write(t, dir+"/app.sig", "") },
			[]string{`"app.sig": MISSING_SIGNATURE`, `"app.sshsig" over app`}},
		"page of an error": {"pgp", func(t *testing.T, dir string) { write(t, dir+"/app.tar.gz.asc", "<html>404</html>") },
			[]string{`"app.bin.sig" over app.bin`, `"app.tar.gz.asc": UNKNOWN_FORMAT`}},
		"text called asc": {"x509", func(t *testing.T, dir string) { write(t, dir+"/README.asc", "= Release notes\n") },
			[]string{`"app.pem.sig" over app`, `"raw.sig" over raw`}},
		"public key beside a file": {"pgp", func(t *testing.T, dir string) { write(t, dir+"/release-key", ""); remove(t, dir, "app.bin.sig") },
			[]string{`"app.tar.gz.asc" over app.tar.gz`}},
		"private key": {"ssh", func(t *testing.T, dir string) {
			write(t, dir+"/key.sig", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----\n")
		}, []string{`"app.sig" over app`, `"app.sshsig" over app`, `"key.sig": SECRET_KEY`}},
		"two names, one content": {"ssh", func(t *testing.T, dir string) { write(t, dir+"/app.sign", read(t, "ssh/app.sig")) },
			[]string{`"app.sig" over app`, `"app.sign" over app`, `"app.sshsig" over app`}},
		"receipts": {"minisign", func(t *testing.T, dir string) {
			write(t, dir+"/app.receipt.json", "{}")
			write(t, dir+"/app.minisig.receipt.json", "{}")
			write(t, dir+"/root.json", "{}")
		}, []string{`"app.minisig" over app`}},
		"attached, with its content beside": {"pkcs7", func(t *testing.T, dir string) { write(t, dir+"/letter", "other"); remove(t, dir, "app.p7s") },
			[]string{`"letter.p7m" over letter`}},
		"detached, without its content": {"pkcs7", func(t *testing.T, dir string) { remove(t, dir, "app") },
			[]string{`"app.p7s": MISSING_ARTIFACT`, `"letter.p7m"`}},
		"capitals": {"ssh", func(t *testing.T, dir string) { rename(t, dir, "app.sig", "app.SIG"); remove(t, dir, "app.sshsig") },
			[]string{`"app.SIG" over app`}},
		"names of all octets": {"ssh", func(t *testing.T, dir string) {
			remove(t, dir, "app.sshsig")
			write(t, dir+"/new\nline", "")
			rename(t, dir, "app.sig", "new\nline.sig")
			write(t, dir+"/\xff\xfe", "")
			write(t, dir+"/\xff\xfe.sig", read(t, "ssh/app.sig"))
		}, []string{`"new\nline.sig" over ` + "new\nline", `"\xff\xfe.sig" over ` + "\xff\xfe"}},
		"PEM file that was signed": {"x509", func(t *testing.T, dir string) { rename(t, dir, "app", "app.pem"); remove(t, dir, "raw.sig") },
			[]string{`"app.pem.sig" over app.pem`}},
		"raw signature without its file": {"x509", func(t *testing.T, dir string) { remove(t, dir, "raw"); remove(t, dir, "app.pem.sig") },
			[]string{`"raw.sig": MISSING_ARTIFACT`}},
		"InRelease that is not signed": {"debian", func(t *testing.T, dir string) {
			write(t, dir+"/InRelease", read(t, "debian/Release"))
			remove(t, dir, "Release.gpg")
			remove(t, dir, "hello_1.0.dsc")
		}, []string{`"InRelease": NO_SIGNATURE`}},
		"list that is signed in the clear": {"sums", func(t *testing.T, dir string) {
			rename(t, dir, "SHA512SUMS.asc", "Fedora-39-CHECKSUM")
			remove(t, dir, "SHA256SUMS.gpg")
			remove(t, dir, "SHA256SUMS.minisig")
		}, []string{`"Fedora-39-CHECKSUM" list`}},
		"list in a signature of signify": {"sums", func(t *testing.T, dir string) {
			remove(t, dir, "SHA256SUMS.gpg")
			remove(t, dir, "SHA256SUMS.minisig")
			remove(t, dir, "SHA512SUMS.asc")
			write(t, dir+"/SHA256.sig", readOther(t, "all/testdata/kinds/signify-embedded/SHA256.sig"))
		}, []string{`"SHA256.sig" list [app MISSING_ARTIFACT]`}},
		"bundle": {"pgp", func(t *testing.T, dir string) {
			bundle := readOther(t, "x509/testdata/bundles/p256.json")
			write(t, dir+"/app.bin.sigstore.json", bundle)
			write(t, dir+"/app.sigstore", bundle)
		}, []string{`"app.bin.sig" over app.bin`, `"app.bin.sigstore.json" over app.bin`, `"app.sigstore": MISSING_ARTIFACT`, `"app.tar.gz.asc" over app.tar.gz`}},
		"too large for a signature": {"pgp", func(t *testing.T, dir string) {
			if err := os.Truncate(dir+"/app.tar.gz.asc", formats.MaxSignatureSize+1); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(dir+"/release-key.gpg", 1<<40); err != nil {
				t.Fatal(err)
			}
		}, []string{`"app.bin.sig" over app.bin`, `"app.tar.gz.asc": TOO_LARGE`}},
		"unsigned dsc": {"debian", func(t *testing.T, dir string) {
			write(t, dir+"/hello_1.0.dsc", "Source: hello\n")
			remove(t, dir, "Release.gpg")
			remove(t, dir, "InRelease")
		}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(copyTree(t), test.folder)
			test.change(t, dir)
			got, err := collect(dir, Scan([]string{dir}, Options{}))
			if err != nil {
				t.Fatal(err)
			}
			checkLines(t, got, test.want)
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

// TestScanWords holds what people read.
func TestScanWords(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/X.asc", read(t, "pgp/app.tar.gz.asc"))
	for item, err := range Scan([]string{dir}, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if item.Problem == nil {
			t.Fatal("no problem")
		}
		got := item.Problem.Message + ": " + item.Problem.Hint
		if want := "X.asc has no X beside it: put it there, or name it in a manifest"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestScanFilters: what is not to be scanned, is not.
func TestScanFilters(t *testing.T) {
	tests := map[string]struct {
		include, exclude []string
		want             []string
	}{
		"by suffix":        {[]string{"*.minisig"}, nil, []string{"minisign/app.minisig", "sums/SHA256SUMS.minisig"}},
		"by folder":        {[]string{"ssh/*"}, nil, []string{"ssh/app.sig", "ssh/app.sshsig"}},
		"folder at depth":  {[]string{"**/ssh/**"}, nil, []string{"ssh/app.sig", "ssh/app.sshsig"}},
		"without a folder": {[]string{"*.sig"}, []string{"x509", "pgp/"}, []string{"ssh/app.sig"}},
		"without a file":   {[]string{"*.sig"}, []string{"app*"}, []string{"x509/raw.sig"}},
	}
	root := copyTree(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for item, err := range Scan([]string{root}, Options{Include: test.include, Exclude: test.exclude}) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, item.Name)
			}
			checkLines(t, got, test.want)
		})
	}
	if _, err := collect(root, Scan([]string{root}, Options{Exclude: []string{"a[b"}})); err == nil {
		t.Error("a pattern that is none was taken")
	}
}

// TestScanRoots: files are roots as well, in the order in which they are named.
func TestScanRoots(t *testing.T) {
	root := copyTree(t)
	got, err := collect(root, Scan([]string{root + "/ssh/app.sig", root + "/minisign", root + "/ssh/app"}, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, got, []string{`"app.sig" over ssh/app`, `"minisign/app.minisig" over minisign/app`, `"app": NO_SIGNATURE`})
	if _, err := collect(root, Scan([]string{root + "/nowhere"}, Options{})); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a root that is not there: %v", err)
	}
	for range Scan([]string{root, root + "/nowhere"}, Options{}) {
		break // and nothing panics
	}
}

// TestCutSuffix: a longer suffix comes before one that it ends in.
func TestCutSuffix(t *testing.T) {
	for name, want := range map[string]string{
		"app.tar.gz.asc": "app.tar.gz .asc", "app.pem.sig": "app .pem.sig", "app.SIG": "app .SIG", "app.sigstore.json": "app .sigstore.json",
		"app.sshsig": "app .sshsig", "Release.gpg": "Release .gpg", "app": "app ", ".asc": ".asc ", "": " ",
	} {
		if base, suffix := CutSuffix(name); base+" "+suffix != want {
			t.Errorf("%q: %q, %q", name, base, suffix)
		}
	}
}

// Of several roots, what is in a folder is named from the folder on, for whoever is asked what is done, too.
func TestScanNames(t *testing.T) {
	dir := t.TempDir()
	for _, root := range []string{"a/one", "b/two"} {
		write(t, filepath.Join(dir, root, "1.0/app"), "")
		write(t, filepath.Join(dir, root, "1.0/app.minisig"), read(t, "minisign/app.minisig"))
	}
	file := write(t, filepath.Join(dir, "c/lib.minisig"), read(t, "minisign/app.minisig"))
	one, two := filepath.Join(dir, "a/one"), filepath.Join(dir, "b/two")
	t.Chdir(one)
	for want, roots := range map[string][]string{
		"1.0/app.minisig":                                     {one},
		"one/1.0/app.minisig two/1.0/app.minisig":             {one, two},
		"one/1.0/app.minisig two/1.0/app.minisig lib.minisig": {".", "../../b/two/", file},
	} {
		var names []string
		for item, err := range Scan(roots, Options{}) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, item.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%v: %s", roots, got)
		}
	}
}

// TestShow: what nobody would see at a name's ends, or in it, is quoted.
func TestShow(t *testing.T) {
	for name, want := range map[string]string{"app.sig": "app.sig", "two words": "two words", " app": `" app"`, "app ": `"app "`, "a\nb": `"a\nb"`} {
		if got := show(name); got != want {
			t.Errorf("%q is shown as %s", name, got)
		}
	}
}

// TestScanRead: an item has with it all that is in a small file, and nothing of a larger one, of which thousands may wait.
func TestScanRead(t *testing.T) {
	dir, signature := t.TempDir(), read(t, "ssh/app.sig")
	write(t, dir+"/large", "")
	write(t, dir+"/large.sig", strings.Repeat("\n", maxRead)+signature)
	write(t, dir+"/small", "")
	write(t, dir+"/small.sig", signature)
	got := map[string]string{}
	for item, err := range Scan([]string{dir}, Options{}) {
		if err != nil || item.Problem != nil {
			t.Fatal(err, item.Problem)
		}
		got[item.Name] = "nothing"
		if item.Read != nil {
			got[item.Name] = string(item.Read.Content)
		}
	}
	if want := map[string]string{"large.sig": "nothing", "small.sig": signature}; !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

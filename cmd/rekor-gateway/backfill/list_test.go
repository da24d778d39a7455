// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var (
	hex256 = strings.Repeat("a1", 32)
	hex512 = strings.Repeat("b2", 64)
	hexMD5 = strings.Repeat("c3", 16)
)

// formatListed is the inverse of parseList, for lists of digests: the digest with its algorithm, and the name as sha256sum escapes it.
func formatListed(files []listed) string {
	var b strings.Builder
	for _, f := range files {
		algorithm, sum := "MD5", hexMD5
		if f.digest != nil {
			algorithm = strings.ToUpper(string(f.digest.Algorithm))
			sum = hex.EncodeToString(f.digest.Value)
		}
		escaped := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`).Replace(f.name)
		if escaped != f.name {
			b.WriteString(`\`)
		}
		fmt.Fprintf(&b, "%s (%s) = %s\n", algorithm, escaped, sum)
	}
	return b.String()
}

// TestParseList reads what tools print.
func TestParseList(t *testing.T) {
	tests := map[string]struct {
		name, content string
		want          []string // algorithm, size, name; nil is a refusal
	}{
		"sha256sum":           {"SHA256SUMS", hex256 + "  a b\n" + hex256 + " *c\n", []string{`sha256 -1 "a b"`, `sha256 -1 "c"`}},
		"sha512sum":           {"SHA512SUMS", hex512 + "  a\n", []string{`sha512 -1 "a"`}},
		"b2sum":               {"B2SUMS", hex512 + "  a\n", []string{`blake2b-512 -1 "a"`}},
		"carriage returns":    {"SHA256SUMS", hex256 + "  a\r\n", []string{`sha256 -1 "a"`}},
		"no end of line":      {"SHA256SUMS", hex256 + "  a", []string{`sha256 -1 "a"`}},
		"escaped":             {"SHA256SUMS", `\` + hex256 + `  a\nb\\c` + "\n", []string{`sha256 -1 "a\nb\\c"`}},
		"tags":                {"CHECKSUM", "# a: 5 bytes\nSHA256 (a (1)) = " + hex256 + "\nMD5 (a) = " + hexMD5 + "\n", []string{`sha256 -1 "a (1)"`, `weak -1 "a"`}},
		"openssl":             {"SHA256SUMS", "SHA2-256(a)= " + hex256 + "\n", []string{`sha256 -1 "a"`}},
		"one digest alone":    {"app.tar.gz.sha256", hex256 + "\n", []string{`sha256 -1 "app.tar.gz"`}},
		"BSD":                 {"SHA256", "SHA256 (a) = " + hex256 + "\n", []string{`sha256 -1 "a"`}},
		"MD5":                 {"checksums.txt", hexMD5 + "  a\n", []string{`weak -1 "a"`}},
		"text":                {"SHA256SUMS", "Dear all,\n", nil},
		"digest cut short":    {"SHA256SUMS", hex256[:60] + "  a\n", nil},
		"odd digits":          {"SHA256SUMS", hex256 + "a  a\n", nil},
		"digest of another":   {"SHA256SUMS", "SHA512 (a) = " + hex256 + "\n", nil},
		"zero octet":          {"SHA256SUMS", hex256 + "  a\x00\n", nil},
		"digest without name": {"SHA256SUMS", hex256 + "\n", nil},
		"too many":            {"SHA256SUMS", strings.Repeat(hex256+"  a\n", maxListed+1), nil},
		"too long a line":     {"SHA256SUMS", hex256 + "  " + strings.Repeat("a", maxListLine), nil},
		"too many lines":      {"SHA256SUMS", strings.Repeat("\n", maxListLines+1), nil},
		"too large":           {"SHA256SUMS", strings.Repeat("a", maxList+1), nil},

		"dsc": {"hello_1.0.dsc", "Source: hello\nFiles:\n " + hexMD5 + " 5 a\nChecksums-Sha256:\n " + hex256 + " 5 a\n " + hex256 + " 0 b\n",
			[]string{`sha256 5 "a"`, `sha256 0 "b"`}},
		"old dsc":             {"hello_1.0.dsc", "Source: hello\nFiles: \n " + hexMD5 + " 5 a\n", []string{`weak 5 "a"`}},
		"changes":             {"hello_1.0.changes", "Files:\n " + hexMD5 + " 5 devel optional a\n", []string{`weak 5 "a"`}},
		"Release":             {"Release", "Suite: stable\nSHA512:\n " + hex512 + "  5 main/a\n", []string{`sha512 5 "main/a"`}},
		"no list":             {"hello_1.0.dsc", "Source: hello\n", []string{}},
		"field twice":         {"InRelease", "SHA256:\n " + hex256 + " 5 a\nsha256:\n", nil},
		"two paragraphs":      {"InRelease", "Suite: a\n\nSHA256:\n " + hex256 + " 5 a\n", nil},
		"no name":             {"InRelease", "SHA256:\n " + hex256 + " 5\n", nil},
		"four columns":        {"InRelease", "SHA256:\n " + hex256 + " 5 a b\n", nil},
		"no size":             {"InRelease", "SHA256:\n " + hex256 + " x a\n", nil},
		"size below 0":        {"InRelease", "SHA256:\n " + hex256 + " -1 a\n", nil},
		"size beyond bounds":  {"InRelease", "SHA256:\n " + hex256 + " 9223372036854775808 a\n", nil},
		"continues nothing":   {"InRelease", " a\n", nil},
		"no field":            {"InRelease", "Suite\n", nil},
		"comment":             {"InRelease", "# a\n", nil},
		"too many in Release": {"Release", "SHA256:\n" + strings.Repeat(" "+hex256+" 5 a\n", maxListed+1), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files, err := parseList(test.name, []byte(test.content))
			if test.want == nil {
				if files != nil || formats.ReasonOf(err) != ReasonMalformedList {
					t.Errorf("got %v, %v", files, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, f := range files {
				algorithm := "weak"
				if f.digest != nil {
					algorithm = string(f.digest.Algorithm)
				}
				got = append(got, fmt.Sprintf("%s %d %q", algorithm, f.size, f.name))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestIsList: what is read as a list, and what is not for its name alone.
func TestIsList(t *testing.T) {
	for _, name := range []string{"SHA256SUMS", "sha512sums.txt", "SHA256", "SHASUMS256.txt", "tool_1.0_SHA256SUMS", "tool_checksums.txt", "CHECKSUM",
		"Fedora-39-CHECKSUM", "app.sha256", "app.tar.gz.sha512sum", "B2SUMS", "Release", "InRelease", "a_1.dsc", "a_1_amd64.changes", "a_1_amd64.buildinfo"} {
		if !isList(name) {
			t.Errorf("%s is not taken for a list", name)
		}
	}
	for _, name := range []string{"app.tar.gz", "sha256-tool.tar.gz", "MD5SUMS", "SHA1SUMS", "checksummer", "release", "Releases", "dsc", "a.dsc.gz"} {
		if name != "release" && isList(name) {
			t.Errorf("%s is taken for a list", name)
		}
	}
}

// TestCheckLists changes one thing beside signed lists.
func TestCheckLists(t *testing.T) {
	outside := write(t, t.TempDir()+"/secret", "two\n")
	tests := map[string]struct {
		folder, include string
		change          func(t *testing.T, dir string)
		options         Options
		want            string
	}{
		"another digest":     {"sums", "*.gpg", func(t *testing.T, dir string) { write(t, dir+"/two.iso", "TWO\n") }, Options{}, `"SHA256SUMS.gpg" over SHA256SUMS list [two.iso ARTIFACT_MISMATCH]: ARTIFACT_MISMATCH`},
		"not there":          {"sums", "*.gpg", func(t *testing.T, dir string) { remove(t, dir, "two.iso") }, Options{}, `"SHA256SUMS.gpg" over SHA256SUMS list [two.iso MISSING_ARTIFACT]`},
		"pipe":               {"sums", "*.asc", func(t *testing.T, dir string) { replace(t, dir+"/two.iso", mkfifo) }, Options{}, `"SHA512SUMS.asc" list [two.iso FILE]`},
		"another size":       {"debian", "InRelease", func(t *testing.T, dir string) { write(t, dir+"/Packages", "") }, Options{}, `"InRelease" list [Packages ARTIFACT_MISMATCH] [main/Packages MISSING_ARTIFACT]: ARTIFACT_MISMATCH`},
		"another dsc's file": {"debian", "*.dsc", func(t *testing.T, dir string) { write(t, dir+"/hello_1.0.tar.xz", "x") }, Options{}, `"hello_1.0.dsc" list [hello_1.0.tar.xz ARTIFACT_MISMATCH]: ARTIFACT_MISMATCH`},
		"link out": {"sums", "*.gpg", func(t *testing.T, dir string) {
			replace(t, dir+"/two.iso", func(t *testing.T, path string) { link(t, outside, path) })
		}, Options{}, `"SHA256SUMS.gpg" over SHA256SUMS list [two.iso OUTSIDE_ROOT]`},
		"link out, allowed": {"sums", "*.gpg", func(t *testing.T, dir string) {
			replace(t, dir+"/two.iso", func(t *testing.T, path string) { link(t, outside, path) })
		}, Options{AllowOutside: true}, `"SHA256SUMS.gpg" over SHA256SUMS list`},
		"names that lead out": {"sums", "*.gpg", func(t *testing.T, dir string) {
			write(t, dir+"/SHA256SUMS", hex256+"  ../secret\n"+hex256+"  "+outside+"\n"+hex256+"  a/../../secret\n")
		}, Options{}, `"SHA256SUMS.gpg" over SHA256SUMS list [../secret OUTSIDE_ROOT] [` + outside + ` OUTSIDE_ROOT] [a/../../secret OUTSIDE_ROOT]`},
		"names that lead out, allowed": {"sums", "*.gpg", func(t *testing.T, dir string) { write(t, dir+"/SHA256SUMS", hex256+"  "+outside+"\n") },
			Options{AllowOutside: true}, `"SHA256SUMS.gpg" over SHA256SUMS list [` + outside + ` ARTIFACT_MISMATCH]: ARTIFACT_MISMATCH`},
		"no list": {"sums", "*.gpg", func(t *testing.T, dir string) { write(t, dir+"/SHA256SUMS", "soon\n") }, Options{}, `"SHA256SUMS.gpg" over SHA256SUMS list [SHA256SUMS MALFORMED_LIST]`},
		"list of absurd size": {"sums", "*.gpg", func(t *testing.T, dir string) {
			if err := os.Truncate(dir+"/SHA256SUMS", 1<<40); err != nil {
				t.Fatal(err)
			}
		}, Options{}, `"SHA256SUMS.gpg" over SHA256SUMS list [SHA256SUMS MALFORMED_LIST]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(copyTree(t), test.folder)
			test.change(t, dir)
			test.options.Include = []string{test.include}
			got, err := collect(dir, Scan([]string{dir}, test.options))
			if err != nil {
				t.Fatal(err)
			}
			checkLines(t, got, []string{test.want})
		})
	}
}

// TestCheckListsReadsAFileOnce, whatever number of names a list has for it.
func TestCheckListsReadsAFileOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/large", "")
	if err := os.Truncate(dir+"/large", 64<<20); err != nil {
		t.Fatal(err)
	}
	list := strings.Repeat(hex256+"  large\n"+hex256+"  ./large\n", 5000) // 640 GB
	write(t, dir+"/SHA256SUMS", list)
	write(t, dir+"/SHA256SUMS.asc", read(t, "pgp/app.tar.gz.asc"))
	for item, err := range Scan([]string{dir}, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		checked := compare(item)
		if len(checked.Faults) != MaxFaults || checked.Count != 10000 || checked.Problem == nil || !strings.HasSuffix(checked.Problem.Message, ", and 9999 more") {
			t.Errorf("got %d of %d faults, %v", len(checked.Faults), checked.Count, checked.Problem)
		}
	}
}

// TestScanReadsNoListedFile: what a list names is anybody's until its signature verifies, and may be of any size; after that it is bounded.
func TestScanReadsNoListedFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/large", "")
	if err := os.Truncate(dir+"/large", 2<<40); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/SHA256SUMS", hex256+"  large\n")
	write(t, dir+"/SHA256SUMS.asc", read(t, "pgp/app.tar.gz.asc"))
	began := time.Now()
	got, err := collect(dir, Scan([]string{dir}, Options{}))
	if err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	checkLines(t, got, []string{`"SHA256SUMS.asc" over SHA256SUMS list [large TOO_LARGE]`})
}

// TestListLook: without reading them, it is seen whether a list's files are the same and untouched, and which are not there.
func TestListLook(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/one", "1")
	list := []byte(hex256 + "  one\n" + hex256 + "  two\n")
	l := &List{name: "SHA256SUMS", root: dir, folder: "."}
	look := func() *Checked {
		checked, err := l.Look(t.Context(), list, stampForTest)
		if err != nil || !checked.Whole || checked.Problem != nil {
			t.Fatalf("%+v, %v", checked, err)
		}
		return checked
	}
	first := look()
	if compared, err := l.Compare(t.Context(), list, stampForTest); err != nil || compared.Problem == nil || compared.Files != first.Files {
		t.Errorf("compared: %+v, %v", compared, err)
	}
	if first.Count != 1 || first.Faults[0].Problem.Reason != formats.ReasonMissingArtifact {
		t.Errorf("%+v", first.Faults)
	}
	write(t, dir+"/one", "22")
	touched := look()
	write(t, dir+"/two", "2")
	if added := look(); touched.Files == first.Files || added.Files == touched.Files || added.Count != 0 {
		t.Errorf("%+v", added)
	}
}

// FuzzParseSums: a list of digests is refused, or is the same again when it is written and read.
func FuzzParseSums(f *testing.F) {
	f.Add("SHA256SUMS", hex256+"  a b\n"+hex512+" *c\n")
	f.Add("B2SUMS", `\`+hex512+`  a\nb\\c`+"\n")
	f.Add("CHECKSUM", "SHA256 (a) = "+hex256+"\nMD5 (a) = "+hexMD5+"\n")
	f.Add("a.sha256", hex256)
	f.Fuzz(func(t *testing.T, name, content string) {
		if isControl(name) {
			return
		}
		files, err := parseList(name, []byte(content))
		if err != nil {
			if files != nil || formats.ReasonOf(err) != ReasonMalformedList {
				t.Fatalf("%v beside %v", files, err)
			}
			return
		}
		checkListed(t, files)
		again, err := parseList("list", []byte(formatListed(files)))
		if err != nil || !reflect.DeepEqual(again, files) {
			t.Fatalf("%v, %v: written and read again %v", files, err, again)
		}
	})
}

// FuzzParseControl: a control file is refused, or what it lists is the same again when it is written and read.
func FuzzParseControl(f *testing.F) {
	f.Add("Source: hello\nChecksums-Sha256:\n " + hex256 + " 5 a\n " + hex256 + " 0 b\n")
	f.Add("Suite: a\nMD5Sum:\n " + hexMD5 + " 5 a\nSHA256:\n " + hex256 + " 5 ../a\n")
	f.Add("Files:\n " + hexMD5 + " 5 devel optional a\n")
	f.Fuzz(func(t *testing.T, content string) {
		files, err := parseList("InRelease", []byte(content))
		if err != nil {
			if files != nil || formats.ReasonOf(err) != ReasonMalformedList {
				t.Fatalf("%v beside %v", files, err)
			}
			return
		}
		checkListed(t, files)
		var strong, weak strings.Builder
		for _, f := range files {
			if f.digest == nil {
				fmt.Fprintf(&weak, " %s %d %s\n", hexMD5, f.size, f.name)
			} else {
				fmt.Fprintf(&strong, " %x %d %s\n", f.digest.Value, f.size, f.name)
			}
		}
		list := "SHA256:\n" + strong.String()
		if weak.Len() > 0 {
			list = "MD5Sum:\n" + weak.String()
		}
		again, err := parseList("InRelease", []byte(list))
		if err != nil || !reflect.DeepEqual(again, files) && len(files)+len(again) > 0 && strong.Len()*weak.Len() == 0 {
			t.Fatalf("%v, %v: written and read again %v", files, err, again)
		}
	})
}

// checkListed holds the bounds of a list, and that no name leads out of a tree.
func checkListed(t *testing.T, files []listed) {
	t.Helper()
	if len(files) > maxListed {
		t.Fatalf("%d files", len(files))
	}
	f := &folder{tree: &tree{path: "root", root: new(os.Root)}, name: "a/b"}
	for _, l := range files {
		if l.name == "" || strings.ContainsRune(l.name, 0) || l.size < -1 {
			t.Fatalf("a file %q of %d octets", l.name, l.size)
		}
		if name, ok := f.resolve(l.name); ok && !filepath.IsLocal(name) {
			t.Fatalf("%q leads to %q", l.name, name)
		}
	}
}

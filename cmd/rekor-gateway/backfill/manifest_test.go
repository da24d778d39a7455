// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"encoding/csv"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestReadManifest reads rows in the tree that testdata/make.sh made.
func TestReadManifest(t *testing.T) {
	root := copyTree(t)
	outside := t.TempDir()
	write(t, outside+"/app", "x")
	write(t, outside+"/app.sig", read(t, "ssh/app.sig"))
	link(t, outside, root+"/out")
	mkfifo(t, root+"/pipe")
	write(t, root+"/broken.asc", "")
	sum := "sha256:" + hex256
	tests := map[string]struct {
		manifest string
		options  Options
		want     []string
	}{
		"CSV":                  {"signature,keys,artifact,format,labels\nssh/app.sig,pgp/release-key.asc;minisign/release.pub,pgp/app.bin,ssh,a=1;b=2\n", Options{}, []string{`"ssh/app.sig" over pgp/app.bin key pgp/release-key.asc key minisign/release.pub format ssh label a=1 label b=2`}},
		"JSON lines":           {`{"signature":"ssh/app.sig","keys":["pgp/release-key.asc"],"artifact":"pgp/app.bin","format":"ssh","labels":{"a":"1"}}` + "\n\n" + `{"signature":"ssh/app.sshsig"}`, Options{}, []string{`"ssh/app.sig" over pgp/app.bin key pgp/release-key.asc format ssh label a=1`, `"ssh/app.sshsig" over ssh/app`}},
		"digest":               {"digest,signature\n" + sum + ",ssh/app.sig\n", Options{}, []string{`"ssh/app.sig" digest sha256:a1a1a`}},
		"byte order mark":      {"\ufeffsignature\nssh/app.sig\n", Options{}, []string{`"ssh/app.sig" over ssh/app`}},
		"mark before JSON":     {"\ufeff" + `{"signature":"ssh/app.sig"}`, Options{}, []string{`"ssh/app.sig" over ssh/app`}},
		"carriage returns":     {"signature,artifact\r\nssh/app.sig,ssh/app\r\n\r\nssh/app.sshsig,\r\n", Options{}, []string{`"ssh/app.sig" over ssh/app`, `"ssh/app.sshsig" over ssh/app`}},
		"JSON with returns":    {`{"signature":"ssh/app.sig"}` + "\r\n", Options{}, []string{`"ssh/app.sig" over ssh/app`}},
		"capitals":             {"Signature, Artifact\nssh/app.sig,ssh/app\n", Options{}, []string{`"ssh/app.sig" over ssh/app`}},
		"the same again":       {"signature\nssh/app.sig\nssh/app.sig\n", Options{}, []string{`"ssh/app.sig" over ssh/app`, `"ssh/app.sig" over ssh/app`}},
		"by its content alone": {"signature,artifact\nx509/app.pem.sig,pgp/app.bin\n", Options{}, []string{`"x509/app.pem.sig" over pgp/app.bin`}},
		"inside":               {"signature,artifact\nkernel/linux-1.0.tar.sign,kernel/linux-1.0.tar.xz\n", Options{}, []string{`"kernel/linux-1.0.tar.sign" over kernel/linux-1.0.tar.xz inside`}},
		"inside, as it says":   {"signature,artifact,decompress\nssh/app.sig,kernel/linux-1.0.tar.xz,true\nkernel/linux-1.0.tar.sign,kernel/linux-1.0.tar.xz,false\n", Options{}, []string{`"ssh/app.sig" over kernel/linux-1.0.tar.xz inside`, `"kernel/linux-1.0.tar.sign" over kernel/linux-1.0.tar.xz`}},
		"lists are checked":    {"signature,artifact\nsums/SHA256SUMS.gpg,sums/SHA256SUMS\ndebian/InRelease,\n", Options{}, []string{`"sums/SHA256SUMS.gpg" over sums/SHA256SUMS list`, `"debian/InRelease" list [main/Packages MISSING_ARTIFACT]`}},
		"list elsewhere":       {"signature,artifact\nssh/app.sig,sums/SHA256SUMS\n", Options{}, []string{`"ssh/app.sig" over sums/SHA256SUMS list`}},
		"filters":              {"signature\nssh/app.sig\npkcs7/app.p7s\n", Options{Exclude: []string{"ssh"}}, []string{`"pkcs7/app.p7s" over pkcs7/app`}},
		"absolute, within":     {"signature\n" + root + "/ssh/app.sig\n", Options{}, []string{`"ssh/app.sig" over ssh/app`}},
		"URLs": {"signature,keys,artifact\nhttps://example.com/a/app.sig,https://example.com/key;pgp/release-key.asc,http://example.com/a/app\nssh/app.sig,,https://example.com/app\n", Options{},
			[]string{`"example.com/a/app.sig" over http://example.com/a/app key https://example.com/key key pgp/release-key.asc`, `"ssh/app.sig" over https://example.com/app`}},
		"URL that leads up": {"signature\nhttps://example.com/../../../etc/app.sig\nhttps://example.com/%2e%2e/%2Fother.example/app.sig\nhttps://example.com/a%2f..%2f..%2fapp.sig\nhttps://../app.sig\n", Options{},
			[]string{`"line 2": MALFORMED_MANIFEST`, `"line 3": MALFORMED_MANIFEST`, `"line 4": MALFORMED_MANIFEST`, `"line 5": MALFORMED_MANIFEST`}},

		"no signature":        {"signature,artifact\n,ssh/app\n", Options{}, []string{`"line 2": MALFORMED_MANIFEST`}},
		"artifact and digest": {"signature,artifact,digest\nssh/app.sig,ssh/app," + sum + "\n", Options{}, []string{`"ssh/app.sig": MALFORMED_MANIFEST`}},
		"digest that is none": {"signature,digest\nssh/app.sig,md5:00\n", Options{}, []string{`"ssh/app.sig": MALFORMED_DIGEST`}},
		"format that is none": {"signature,format\nssh/app.sig,foo\n", Options{}, []string{`"ssh/app.sig" format foo: UNKNOWN_FORMAT`}},
		"nowhere":             {"signature,artifact,keys\nnowhere.sig,,\nssh/app.sig,nowhere,\nssh/app.sig,,nowhere\n", Options{}, []string{`"nowhere.sig": FILE`, `"ssh/app.sig": FILE`, `"ssh/app.sig": FILE`}},
		"pipes":               {"signature,artifact,keys\npipe,ssh/app,\nssh/app.sig,pipe,\nssh/app.sig,,pipe\n", Options{}, []string{`"pipe" over ssh/app: FILE`, `"ssh/app.sig": FILE`, `"ssh/app.sig": FILE`}},
		"folder":              {"signature,artifact\nssh/app.sig,ssh\nssh,ssh/app\n", Options{}, []string{`"ssh/app.sig": FILE`, `"ssh" over ssh/app: FILE`}},
		"empty":               {"signature,artifact\nbroken.asc,ssh/app\n", Options{}, []string{`"broken.asc" over ssh/app: MISSING_SIGNATURE`}},
		"key as a signature":  {"signature,artifact\npgp/release-key.asc,ssh/app\n", Options{}, []string{`"pgp/release-key.asc" over ssh/app: NO_SIGNATURE`}},
		"nothing beside it":   {"signature\nx509/release.pem\n", Options{}, []string{`"x509/release.pem": NO_SIGNATURE`}},
		"wrong pairing":       {"signature\npipe.sig\n", Options{}, []string{`"pipe.sig": FILE`}},
		"other scheme":        {"signature,artifact\nftp://example.com/app.sig,\nssh/app.sig,file:///etc/passwd\nhttps://user:pass@example.com/app.sig,\n", Options{}, []string{`"line 2": MALFORMED_MANIFEST`, `"ssh/app.sig": MALFORMED_MANIFEST`, `"line 4": MALFORMED_MANIFEST`}},
		"leads out":           {"signature,artifact,keys\n../app.sig,,\nssh/app.sig,ssh/../../app,\nssh/app.sig,,/etc/passwd\n", Options{}, []string{`"line 2": OUTSIDE_ROOT`, `"ssh/app.sig": OUTSIDE_ROOT`, `"ssh/app.sig": OUTSIDE_ROOT`}},
		"link that leads out": {"signature,artifact,keys\nout/app.sig,,\nssh/app.sig,out/app,\nssh/app.sig,,out/app\n", Options{}, []string{`"out/app.sig": OUTSIDE_ROOT`, `"ssh/app.sig": OUTSIDE_ROOT`, `"ssh/app.sig": OUTSIDE_ROOT`}},
		"leads out, allowed":  {"signature,artifact\n" + outside + "/app.sig,\nout/app.sig,\n", Options{AllowOutside: true}, []string{`"` + outside[1:] + `/app.sig" over ` + relativeTo(t, root, outside+"/app"), `"out/app.sig" over out/app`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := collect(root, ReadManifest(root+"/manifest", strings.NewReader(test.manifest), test.options))
			if err != nil {
				t.Fatal(err)
			}
			checkLines(t, got, test.want)
		})
	}
}

func relativeTo(t *testing.T, root, path string) string {
	t.Helper()
	rel, err := filepath.Rel(root, path)
	if err != nil {
		t.Fatal(err)
	}
	return rel
}

// TestManifestRefused: what is no manifest ends it, with the line.
func TestManifestRefused(t *testing.T) {
	tests := map[string]struct{ manifest, want string }{
		"nothing":              {"", "line 1: is empty"},
		"only a mark":          {"\ufeff", "line 1: is empty"},
		"UTF-16":               {"\xff\xfes\x00", "line 1: is in UTF-16"},
		"JSON array":           {"[{}]", "line 1: is a JSON array"},
		"no column signature":  {"artifact\napp\n", "line 1: has no column signature"},
		"unknown column":       {"signature,sig\n", `line 1: has a column that is not known: "sig"`},
		"column twice":         {"signature,Signature\n", "line 1: has a column twice: signature"},
		"semicolons":           {"signature;artifact\n", `line 1: has a column that is not known: "signature;artifact"`},
		"too few values":       {"signature,artifact\na.sig,a\nb.sig\n", "line 3: has 1 columns, and the header 2"},
		"too many values":      {"signature\na,b\n", "line 2: has 2 columns, and the header 1"},
		"quote in a value":     {"signature\na\"b\n", "line 2: is no CSV"},
		"quote without end":    {"signature\na.sig\n\"b\n\n\n", "line 3: is no CSV"},
		"value of many lines":  {"signature,artifact\n\"a\nb\",c\n\"d\n\n", "line 4: is no CSV"},
		"endless value":        {"signature\n\"" + strings.Repeat("a\n", maxRow), "line 2: is longer than"},
		"endless line":         {"signature\n" + strings.Repeat("a", 2*maxRow), "line 2: is longer than"},
		"label that is none":   {"signature,labels\na.sig,b\n", `line 2: "b" is no label`},
		"label twice":          {"signature,labels\na.sig,b=1;b=2\n", `line 2: "b=2" is no label`},
		"neither true nor not": {"signature,decompress\na.sig,perhaps\n", "line 2: has in the column decompress"},
		"unknown member":       {`{"signature":"a","sig":"b"}`, `line 1: has a member that is not known: "sig"`},
		"member twice":         {`{"signature":"a","signature":"b"}`, "line 1: is no JSON object"},
		"number":               {"{\"signature\":\"a\"}\n{\"signature\":1}", `line 2: has something else than it should at "/signature"`},
		"broken JSON":          {"{\"signature\":\"a\"}\n\n{\"signature\":", "line 3: is no JSON object"},
		"two on a line":        {`{"signature":"a"} {"signature":"b"}`, "line 1: is no JSON object"},
		"not UTF-8":            {"{\"signature\":\"\xff\"}", "line 1: is no JSON object"},
		"endless JSON":         {`{"signature":"` + strings.Repeat("a", 2*maxRow), "line 1: is longer than"},
		"array later":          {"{\"signature\":\"a\"}\n[1]", "line 2: has something else than it should at"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := collect("", ReadManifest(t.TempDir()+"/m.csv", strings.NewReader(test.manifest), Options{}))
			if formats.ReasonOf(err) != ReasonMalformedManifest || !strings.Contains(err.Error(), "m.csv, "+test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			var p *formats.Error
			if errors.As(err, &p) && (p.Hint == "" || strings.Contains(p.Message, "\n")) {
				t.Errorf("said %q, hint %q", p.Message, p.Hint)
			}
		})
	}
}

// TestManifestThatCannotBeRead fails as whoever reads it does.
func TestManifestThatCannotBeRead(t *testing.T) {
	fault := errors.New("the disk is gone")
	for _, start := range []string{"", "signature\na.sig\n", "{\"signature\":\"a.sig\"}\n"} {
		r := io.MultiReader(strings.NewReader(start), &faulty{fault})
		if _, err := collect("", ReadManifest("-", r, Options{})); !errors.Is(err, fault) {
			t.Errorf("after %q: %v", start, err)
		}
	}
}

type faulty struct{ err error }

func (f *faulty) Read([]byte) (int, error) { return 0, f.err }

// FuzzManifest: rows are read or refused with a reason and a line, and are the same when they are written and read again. No name that is taken
// leads out of the folder.
func FuzzManifest(f *testing.F) {
	f.Add([]byte("signature,keys,artifact,digest,format,labels,decompress\na.sig,k1;k2,a,,ssh,b=1;c=2,true\n"))
	f.Add([]byte("\ufeffsignature\r\n\"a\r\nb.sig\"\r\n"))
	f.Add([]byte(`{"signature":"a.sig","keys":["k"],"artifact":"a","labels":{"b":"1"},"decompress":false}` + "\n"))
	f.Add([]byte("signature\n../../a.sig\n/etc/passwd\nhttps://a/../../b\n"))
	f.Fuzz(func(t *testing.T, manifest []byte) {
		rows, err := openManifest(strings.NewReader(string(manifest)))
		for n := 0; err == nil; n++ {
			var r row
			if r, _, err = rows.readRow(); err == nil {
				checkRow(t, r)
			}
			if n > len(manifest) {
				t.Fatal("more rows than octets")
			}
		}
		if !errors.Is(err, io.EOF) && formats.ReasonOf(err) != ReasonMalformedManifest {
			t.Fatal(err)
		}
	})
}

func checkRow(t *testing.T, r row) {
	t.Helper()
	checkAgain(t, r, writeCSV(t, r))
	if raw, err := json.Marshal(r); err == nil { // not of names that are not UTF-8
		checkAgain(t, r, string(raw))
	}
	tr, err := openTree(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	for _, text := range append([]string{r.Signature, r.Artifact}, r.Keys...) {
		at, problem := tr.locate(text)
		if problem != nil {
			continue
		}
		if !filepath.IsLocal(at.name) && at.name != "" || strings.Contains(at.name, "\x00") {
			t.Fatalf("%q is called %q", text, at.name)
		}
		if !at.url && !filepath.IsLocal(relativeTo(t, tr.path, at.path)) {
			t.Fatalf("%q leads to %q", text, at.path)
		}
	}
}

// writeCSV returns a row as a manifest of its own, or "" where CSV cannot have it: semicolons in labels, blanks around keys, carriage returns, which CSV drops before line ends.
func writeCSV(t *testing.T, r row) string {
	t.Helper()
	var labels []string
	for name, value := range r.Labels {
		if strings.ContainsAny(name, "; \t\r\n=") || strings.ContainsAny(value, "; \t\r\n") || strings.TrimSpace(name+value) != name+value {
			return ""
		}
		labels = append(labels, name+"="+value)
	}
	for _, k := range r.Keys {
		if strings.Contains(k, ";") || strings.TrimSpace(k) != k || k == "" {
			return ""
		}
	}
	decompress := ""
	if r.Decompress != nil {
		decompress = map[bool]string{true: "true", false: "false"}[*r.Decompress]
	}
	record := []string{r.Signature, strings.Join(r.Keys, ";"), r.Artifact, r.Digest, r.Format, strings.Join(labels, ";"), decompress}
	if strings.Contains(strings.Join(record, ""), "\r") {
		return ""
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	if err := errors.Join(w.Write(strings.Split(columnNames, ", ")), w.Write(record)); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	return b.String()
}

func checkAgain(t *testing.T, want row, manifest string) {
	t.Helper()
	if manifest == "" || len(manifest) > maxRow {
		return
	}
	rows, err := openManifest(strings.NewReader(manifest))
	if err != nil {
		t.Fatalf("%q: %v", manifest, err)
	}
	got, _, err := rows.readRow()
	if len(got.Labels)+len(want.Labels) == 0 {
		got.Labels, want.Labels = nil, nil
	}
	if len(got.Keys)+len(want.Keys) == 0 {
		got.Keys, want.Keys = nil, nil
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: got %v, %v, want %v", manifest, got, err, want)
	}
}

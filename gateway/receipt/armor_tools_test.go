// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// signer is a key of gpg's.
type signer struct {
	t       *testing.T
	home    string
	keyring string // as gpgv and apt read it
}

// newSigner makes a key. Tests that need a tool which is not on the machine are skipped; under CI they fail.
func newSigner(t *testing.T, tools ...string) *signer {
	t.Helper()
	for _, tool := range append(tools, "gpg", "gpgv") {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	home, err := os.MkdirTemp("", "gpg") // a short path: gpg's socket is within
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{t: t, home: home, keyring: filepath.Join(home, "keyring.gpg")}
	t.Cleanup(func() {
		_, _ = s.run("gpgconf", "--kill", "all")
		_ = os.RemoveAll(home)
	})
	s.must("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "release@example.org", "rsa4096", "sign", "never")
	s.must("gpg", "--batch", "--quiet", "--output", s.keyring, "--export")
	return s
}

func (s *signer) run(name string, args ...string) ([]byte, error) {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "GNUPGHOME="+s.home, "LC_ALL=C")
	return c.CombinedOutput()
}

func (s *signer) must(name string, args ...string) {
	s.t.Helper()
	if out, err := s.run(name, args...); err != nil {
		s.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// sign signs a file as asked, and returns the signature file with a batched proof in it, which verifies as it stands there.
func (s *signer) sign(how string, content []byte) []byte {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "file")
	writeFile(s.t, path, content)
	s.must("gpg", "--batch", "--quiet", "--digest-algo", "SHA256", "--armor", "--output", path+".asc", how, path)
	b := &signed{format: "pgp", signature: readFile(s.t, path+".asc"), keys: [][]byte{readFile(s.t, s.keyring)}, policy: formats.Policy{Now: time.Now()}}
	if how == "--detach-sign" {
		b.content = content
	}
	recorded := batch(s.t, b, receiptpb.Receipt_PROJECTED)
	file := embed(s.t, recorded)
	condensed, err := receipt.FindProof(file)
	if err != nil {
		s.t.Fatal(err)
	}
	o := recorded.options()
	o.Condensed = true
	if _, err := receipt.Verify(s.t.Context(), condensed, o); err != nil {
		s.t.Fatal(err)
	}
	return file
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestToolsPassEmbeddedProofs: gpg and gpgv verify what has a proof in it, refuse it once the file is another one, and read the same text.
func TestToolsPassEmbeddedProofs(t *testing.T) {
	s := newSigner(t)
	content := []byte("Source: app\n- with dashes\nFrom here\n")
	file, other, asc, clear := filepath.Join(s.home, "file"), filepath.Join(s.home, "other"), filepath.Join(s.home, "a.asc"), filepath.Join(s.home, "b.asc")
	writeFile(t, file, content)
	writeFile(t, other, []byte("another\n"))
	writeFile(t, asc, s.sign("--detach-sign", content))
	text := s.sign("--clear-sign", content)
	writeFile(t, clear, text)
	for _, args := range [][]string{
		{"gpgv", "--keyring", s.keyring, asc, file}, {"gpg", "--batch", "--verify", asc, file},
		{"gpgv", "--keyring", s.keyring, clear}, {"gpg", "--batch", "--verify", clear},
	} {
		if out, err := s.run(args[0], args[1:]...); err != nil || !bytes.Contains(out, []byte("Good signature")) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	if _, err := exec.LookPath("sqv"); err == nil { // that of newer releases of apt
		s.must("sqv", "--keyring", s.keyring, asc, file)
	}
	if out, err := s.run("gpgv", "--keyring", s.keyring, asc, other); err == nil {
		t.Errorf("another file: %s", out)
	}
	writeFile(t, clear, bytes.Replace(text, []byte("From here"), []byte("From there"), 1))
	if out, err := s.run("gpgv", "--keyring", s.keyring, clear); err == nil {
		t.Errorf("another text: %s", out)
	}
	writeFile(t, clear, text)
	if s.must("gpg", "--batch", "--quiet", "--yes", "--output", other, "--decrypt", clear); !bytes.Equal(readFile(t, other), content) {
		t.Errorf("gpg reads another text: %q", readFile(t, other))
	}
}

// TestAptPassesEmbeddedProofs: apt updates from an InRelease with a proof in its armor, from a Release.gpg as well, and not from one with
// anything after the armor.
func TestAptPassesEmbeddedProofs(t *testing.T) {
	s := newSigner(t, "apt-get")
	release := []byte(fmt.Sprintf("Origin: test\nSuite: x\nCodename: x\nDate: %s\nArchitectures: amd64\nComponents: main\nSHA256:\n %x 0 main/binary-amd64/Packages\n",
		time.Now().UTC().Format(time.RFC1123), sha256.Sum256(nil)))
	inRelease := s.sign("--clear-sign", release)
	for name, c := range map[string]struct {
		files map[string][]byte
		want  bool
	}{
		"InRelease":    {map[string][]byte{"InRelease": inRelease}, true},
		"Release.gpg":  {map[string][]byte{"Release": release, "Release.gpg": s.sign("--detach-sign", release)}, true},
		"after it":     {map[string][]byte{"InRelease": append(bytes.Clone(inRelease), "Comment: x\n"...)}, false},
		"another text": {map[string][]byte{"InRelease": bytes.Replace(inRelease, []byte("Origin: test"), []byte("Origin: best"), 1)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range c.files {
				writeFile(t, filepath.Join(dir, "repo/dists/x", file), content)
			}
			writeFile(t, filepath.Join(dir, "repo/dists/x/main/binary-amd64/Packages"), nil)
			out, err := s.aptUpdate(t, dir)
			lists, _ := filepath.Glob(filepath.Join(dir, "state/lists/*Release"))
			if ok := err == nil && len(lists) == 1; ok != c.want {
				t.Errorf("%v, %v\n%s", err, lists, out)
			}
		})
	}
}

// aptUpdate runs apt-get update with all that it keeps in dir, and with the one repository there.
func (s *signer) aptUpdate(t *testing.T, dir string) ([]byte, error) {
	t.Helper()
	for _, folder := range []string{"state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d", "etc/sources.list.d"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "status"), nil)
	writeFile(t, filepath.Join(dir, "sources.list"), []byte("deb [signed-by="+s.keyring+"] file:"+dir+"/repo x main\n"))
	args := []string{"update", "--error-on=any"}
	for _, option := range strings.Fields("Dir=DIR Dir::State=DIR/state Dir::State::status=DIR/status Dir::Cache=DIR/cache Dir::Etc=DIR/etc " +
		"Dir::Etc::sourcelist=DIR/sources.list Dir::Bin::methods=/usr/lib/apt/methods APT::Sandbox::User= APT::Architecture=amd64 Acquire::Languages=none") {
		args = append(args, "-o", strings.ReplaceAll(option, "DIR", dir))
	}
	return s.run("apt-get", args...)
}

// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// signing is a way to sign the file `artifact` with a real tool: the script makes `sig` and
// `key` in the folder it runs in. inside: the signature contains what it signs.
type signing struct {
	name, want, script string
	format             string // where it cannot be found from the signature
	inside             bool
}

const (
	newRSA = `openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:%BITS% -out private`
	newEC  = `openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-%BITS% -out private`
	newPGP = `gpg --batch --quiet --passphrase '' --quick-generate-key "$ID" %ALG% sign never; gpg --batch --export "$ID" >key; `
	pgpBy  = `gpg --batch --quiet --local-user "$ID" --output sig --digest-algo `
	pgpTwo = `gpg --batch --quiet --passphrase '' --quick-generate-key "$ID" rsa2048 sign never
		gpg --batch --quiet --passphrase '' --quick-generate-key "second.$ID" ed25519 sign never; gpg --batch --export >key; `
	newSSH = `ssh-keygen -q -N '' -C '' -f id %ARGS%; cp id.pub key; `
	newCMS = `; openssl req -x509 -new -key private -out key -days 30 -subj /CN=test; openssl cms -sign -binary -signer key -inkey private -in artifact -out sig `
	raw    = `; openssl pkey -in private -pubout -out key; openssl dgst -out sig -sign private `
	cert   = `; openssl req -x509 -new -key private -out key -days 30 -subj /CN=test; openssl dgst -out sig -sign private `
)

func fill(script, what, with string) string { return strings.ReplaceAll(script, what, with) }
func rsa(bits string) string                { return fill(newRSA, "%BITS%", bits) }
func ec(bits string) string                 { return fill(newEC, "%BITS%", bits) }
func pgp(alg string) string                 { return fill(newPGP, "%ALG%", alg) }
func ssh(args string) string                { return fill(newSSH, "%ARGS%", args) }

var signings = []signing{
	{name: "x509 RSA-2048", want: "NATIVE", script: rsa("2048") + raw + "-sha256 artifact", format: "x509"},
	{name: "x509 RSA-3072", want: "NATIVE", script: rsa("3072") + raw + "-sha256 artifact", format: "x509"},
	{name: "x509 RSA-4096", want: "NATIVE", script: rsa("4096") + raw + "-sha256 artifact", format: "x509"},
	{name: "x509 P-256", want: "NATIVE", script: ec("256") + raw + "-sha256 artifact"},
	{name: "x509 P-384", want: "NATIVE", script: ec("384") + raw + "-sha384 artifact"},
	{name: "x509 P-521", want: "NATIVE", script: ec("521") + raw + "-sha512 artifact"},
	{name: "x509 certificate RSA", want: "NATIVE", script: rsa("2048") + cert + "-sha256 artifact", format: "x509"},
	{name: "x509 certificate P-256", want: "NATIVE", script: ec("256") + cert + "-sha256 artifact"},
	{name: "x509 RSA SHA-512", want: "ATTESTED", script: rsa("2048") + raw + "-sha512 artifact", format: "x509"},

	{name: "pgp RSA-2048", want: "PROJECTED", script: pgp("rsa2048") + pgpBy + "SHA256 --detach-sign artifact"},
	{name: "pgp RSA-3072 armored", want: "PROJECTED", script: pgp("rsa3072") + pgpBy + "SHA256 --armor --detach-sign artifact"},
	{name: "pgp RSA-4096", want: "PROJECTED", script: pgp("rsa4096") + pgpBy + "SHA256 --detach-sign artifact"},
	{name: "pgp P-256", want: "PROJECTED", script: pgp("nistp256") + pgpBy + "SHA256 --detach-sign artifact"},
	{name: "pgp P-384", want: "PROJECTED", script: pgp("nistp384") + pgpBy + "SHA384 --detach-sign artifact"},
	{name: "pgp P-521", want: "PROJECTED", script: pgp("nistp521") + pgpBy + "SHA512 --detach-sign artifact"},
	{name: "pgp text", want: "PROJECTED", script: pgp("rsa2048") + pgpBy + "SHA256 --textmode --detach-sign artifact"},
	{name: "pgp cleartext", want: "PROJECTED", script: pgp("rsa2048") + pgpBy + "SHA256 --clear-sign artifact", inside: true},
	{name: "pgp subkey", want: "PROJECTED", script: `gpg --batch --quiet --passphrase '' --quick-generate-key "$ID" rsa2048 cert never
		gpg --batch --quiet --passphrase '' --quick-add-key "$(gpg --batch --with-colons --list-keys "$ID" | awk -F: '/^fpr/ {print $10; exit}')" rsa3072 sign never
		gpg --batch --export "$ID" >key; ` + pgpBy + "SHA256 --detach-sign artifact"},
	{name: "pgp RSA SHA-512", want: "ATTESTED", script: pgp("rsa2048") + pgpBy + "SHA512 --detach-sign artifact"},
	{name: "pgp Ed25519", want: "ATTESTED", script: pgp("ed25519") + pgpBy + "SHA256 --detach-sign artifact"},

	{name: "pgp cleartext by two", want: "ATTESTED", script: pgpTwo + `gpg --batch --quiet -u "$ID" -u "second.$ID" --output sig --digest-algo SHA256 --clear-sign artifact`, inside: true},
	{name: "pgp two armors", want: "ATTESTED", script: pgpTwo + `for id in "$ID" "second.$ID"; do gpg --batch --quiet -u "$id" --digest-algo SHA256 --armor --detach-sign <artifact >>sig; done`},

	{name: "ssh P-256", want: "PROJECTED", script: ssh("-t ecdsa -b 256") + "ssh-keygen -q -Y sign -n file -f id <artifact >sig"},
	{name: "ssh P-384", want: "PROJECTED", script: ssh("-t ecdsa -b 384") + "ssh-keygen -q -Y sign -n file -f id <artifact >sig"},
	{name: "ssh P-521", want: "PROJECTED", script: ssh("-t ecdsa -b 521") + "ssh-keygen -q -Y sign -n file -f id <artifact >sig"},
	{name: "ssh P-256 SHA-256", want: "PROJECTED", script: ssh("-t ecdsa -b 256") + "ssh-keygen -q -Y sign -n file -O hashalg=sha256 -f id <artifact >sig"},
	{name: "ssh RSA", want: "ATTESTED", script: ssh("-t rsa -b 3072") + "ssh-keygen -q -Y sign -n file -f id <artifact >sig"},
	{name: "ssh Ed25519", want: "ATTESTED", script: ssh("-t ed25519") + "ssh-keygen -q -Y sign -n file -f id <artifact >sig"},

	{name: "pkcs7 RSA-2048", want: "PROJECTED", script: rsa("2048") + newCMS + "-outform DER"},
	{name: "pkcs7 RSA-4096 PEM", want: "PROJECTED", script: rsa("4096") + newCMS + "-outform PEM"},
	{name: "pkcs7 P-256", want: "PROJECTED", script: ec("256") + newCMS + "-outform DER -md sha256"},
	{name: "pkcs7 P-384", want: "PROJECTED", script: ec("384") + newCMS + "-outform DER -md sha384"},
	{name: "pkcs7 without attributes", want: "PROJECTED", script: rsa("2048") + newCMS + "-outform DER -noattr"},
	{name: "pkcs7 attached", want: "PROJECTED", script: rsa("2048") + newCMS + "-outform DER -nodetach", inside: true},
	{name: "pkcs7 two signers", want: "PROJECTED", script: rsa("2048") + `; openssl req -x509 -new -key private -out one -days 30 -subj /CN=one
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout second -out two -days 30 -subj /CN=two 2>/dev/null; for c in one two; do openssl x509 -in $c -pubkey -noout; done >key
		openssl cms -sign -binary -signer one -inkey private -signer two -inkey second -md sha256 -in artifact -out sig -outform DER`},
	{name: "pkcs7 RSA SHA-512", want: "ATTESTED", script: rsa("2048") + newCMS + "-outform DER -md sha512"},

	{name: "minisign", want: "ATTESTED", script: "minisign -G -W -p key -s private >/dev/null; minisign -S -W -s private -m artifact -x sig >/dev/null"},
	{name: "minisign legacy", want: "ATTESTED", script: "minisign -G -W -p key -s private >/dev/null; minisign -S -l -W -s private -m artifact -x sig >/dev/null"},
	{name: "signify", want: "ATTESTED", script: "signify-openbsd -G -n -p k.pub -s k.sec; cp k.pub key; signify-openbsd -S -s k.sec -m artifact -x sig"},

	{name: "tuf", want: "PROJECTED", script: "tufdemo sig key", inside: true},
}

// stock is a gateway with everything that the cases share.
type stock struct {
	*deployment
	cosign, path string
}

// TestStockCosign: what the gateway records, stock cosign verifies from the exported files, and
// it refuses another artifact and a stranger's signature through the same gateway.
func TestStockCosign(t *testing.T) {
	t.Parallel() // it mostly waits
	s := &stock{deployment: deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t)), cosign: os.Getenv("COSIGN")}
	if s.cosign == "" {
		t.Fatal("$COSIGN does not name cosign: run make e2e")
	}
	s.path = filepath.Dir(buildProgram(t, "./demo/tufdemo")) + ":" + os.Getenv("PATH")
	s.start()
	t.Run("formats", func(t *testing.T) {
		for _, c := range signings {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s.check(t, c)
			})
		}
	})
	s.stop()
}

func (s *stock) command(dir, name string, arguments ...string) *exec.Cmd {
	cmd := exec.Command(name, arguments...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+s.path)
	return cmd
}

func (s *stock) check(t *testing.T, c signing) {
	expectedDir, strangerDir := s.sign(t, c, "expected"), s.sign(t, c, "stranger")
	expected, stranger := s.record(t, c, expectedDir), s.record(t, c, strangerDir)
	for i, command := range expected.commands {
		if out, err := s.cosignRun(expected.dir, command); err != nil {
			t.Errorf("cosign refuses: %v\n%s\n%s", err, strings.Join(command, " "), out)
		}
		s.refused(t, "another artifact", expected.dir, s.otherArtifact(t, expected.dir, command))
		s.refused(t, "a stranger's signature", expected.dir, withStranger(command, stranger.dir, stranger.commands[i]))
		if c.want != "ATTESTED" {
			s.refused(t, "a stranger's key", expected.dir, replaced(command, "--key", filepath.Join(stranger.dir, option(stranger.commands[i], "--key"))))
		}
	}
}

// recorded is a signature that went all the way.
type recorded struct {
	dir      string
	commands [][]string
}

// sign makes a folder with artifact, signature and key, and submits them without waiting.
func (s *stock) sign(t *testing.T, c signing, who string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), who)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "artifact"), []byte("an artifact\nof two lines\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sign := s.command(dir, "bash", "-euo", "pipefail", "-c", c.script)
	sign.Env = append(sign.Env, "ID="+strings.ReplaceAll(c.name, " ", ".")+"@"+who+".example", "GNUPGHOME="+newKeyring(t))
	if out, err := sign.CombinedOutput(); err != nil {
		t.Fatalf("signing: %v\n%s", err, out)
	}
	first := s.run(t, dir, s.submission(c, "--wait", "0", "--quiet")...)
	if err := os.WriteFile(filepath.Join(dir, "id"), []byte(strings.TrimSpace(first)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newKeyring returns an empty GnuPG folder: keyrings do not take several writers at once.
func newKeyring(t *testing.T) string {
	t.Helper()
	dir := must(os.MkdirTemp("", "gnupg")) // a short path: the agent's socket is in there
	t.Cleanup(func() {
		kill := exec.Command("gpgconf", "--kill", "all")
		kill.Env = append(os.Environ(), "GNUPGHOME="+dir)
		_ = kill.Run()
		_ = os.RemoveAll(dir)
	})
	return dir
}

func (s *stock) submission(c signing, more ...string) []string {
	arguments := []string{"submit", "--server", s.url, "--signature", "sig", "--key", "key", "--format", c.format, "--send-bytes"}
	return append(append(arguments, c.artifact()...), more...)
}

func (c signing) artifact() []string {
	if c.inside {
		return nil
	}
	return []string{"--artifact", "artifact"}
}

// record submits again, which is the same submission, for the receipt, verifies that and exports it.
func (s *stock) record(t *testing.T, c signing, dir string) recorded {
	t.Helper()
	id := string(must(os.ReadFile(filepath.Join(dir, "id"))))
	if out := s.run(t, dir, s.submission(c, "--receipt", "receipt.json")...); id == "" || !strings.Contains(out, "LOGGED  "+id+"  ") || !strings.Contains(out, " as "+c.want) {
		t.Fatalf("not %s, or not the submission %q:\n%s", c.want, id, out)
	}
	verify := append([]string{"verify", "--receipt", "receipt.json", "--key", "key", "--trusted-root", s.file(rootFile), "--gateway-trust", s.file(trustFile),
		"--export-cosign", "cosign", "--output", "json"}, c.artifact()...)
	var result struct{ Cosign [][]string }
	if err := json.Unmarshal([]byte(s.run(t, dir, verify...)), &result); err != nil || len(result.Cosign) == 0 {
		t.Fatalf("no export: %v", err)
	}
	return recorded{dir, result.Cosign}
}

func (s *stock) run(t *testing.T, dir string, arguments ...string) string {
	t.Helper()
	out, err := s.command(dir, s.program, arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

func (s *stock) cosignRun(dir string, command []string) ([]byte, error) {
	return s.command(dir, s.cosign, command[1:]...).CombinedOutput()
}

func (s *stock) refused(t *testing.T, what, dir string, command []string) {
	t.Helper()
	out, err := s.cosignRun(dir, command)
	if err == nil || !strings.Contains(err.Error(), "exit status") {
		t.Errorf("cosign takes %s (%v): %s\n%s", what, err, strings.Join(command, " "), out)
	}
	if strings.Contains(string(out), "unknown flag") || strings.Contains(string(out), "no such file") {
		t.Errorf("cosign refuses %s for the wrong reason:\n%s", what, out)
	}
}

// otherArtifact is the command for a file, or a digest, that is another.
func (s *stock) otherArtifact(t *testing.T, dir string, command []string) []string {
	t.Helper()
	if option(command, "--digest") != "" {
		return replaced(command, "--digest", strings.Repeat("ab", 32))
	}
	command = slices.Clone(command)
	blob := must(os.ReadFile(filepath.Join(dir, command[len(command)-1])))
	blob[len(blob)/2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "other"), blob, 0o600); err != nil {
		t.Fatal(err)
	}
	command[len(command)-1] = "other"
	return command
}

// withStranger is the expected signer's command over what a stranger's receipt was exported as.
func withStranger(command []string, dir string, stranger []string) []string {
	command = replaced(command, "--bundle", filepath.Join(dir, option(stranger, "--bundle")))
	if option(command, "--digest") != "" {
		return replaced(command, "--digest", option(stranger, "--digest"))
	}
	command[len(command)-1] = filepath.Join(dir, stranger[len(stranger)-1])
	return command
}

func option(command []string, name string) string {
	if i := slices.Index(command, name); i >= 0 {
		return command[i+1]
	}
	return ""
}

func replaced(command []string, name, value string) []string {
	command = slices.Clone(command)
	command[slices.Index(command, name)+1] = value
	return command
}

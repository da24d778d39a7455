// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// hintProof is a situation, made by the real tools, in which following the hint helps. Scripts are bash; plan prints the
// hint that plan gives, and chosen what it would record.
type hintProof struct {
	name      string
	situation string // prints the hint, unless it is given
	hint      func(t *testing.T) string
	command   string // the part of the hint that is a command
	fill      [][2]string
	then      string // after the command
	want      string // what that prints
}

const proofHead = `set -euo pipefail
plan() { rekor-gateway plan "$@" --output json > plan.json || true
  jq -r 'if .error then .error.hint else [.options[] | select(.representation == "PROJECTED" or .representation == "NATIVE").problem.hint // empty | select(. != "")][0] end' plan.json; }
chosen() { rekor-gateway plan "$@" --output json | jq -r .chosen; }
`

const newRelease = `mkdir -m 700 gnupg; export GNUPGHOME=$PWD/gnupg; echo release > app
gpg --batch -q --passphrase '' --quick-gen-key release@example.org rsa3072 sign never; gpg --armor --export release@example.org > release.asc
`

var hintProofs = []hintProof{
	{
		name:      "PGP over SHA-512 is attested",
		situation: newRelease + "gpg --batch -q --digest-algo SHA512 --detach-sign app; plan --signature app.sig --key release.asc; rm app.sig",
		command:   "gpg --digest-algo SHA256 --detach-sign FILE", fill: [][2]string{{"FILE", "app"}},
		then: "chosen --signature app.sig --key release.asc", want: "PROJECTED",
	}, {
		name:      "a signed PGP message",
		situation: newRelease + "gpg --batch -q --digest-algo SHA256 --armor --sign app; plan --format pgp --signature app.asc --key release.asc",
		command:   "gpg --detach-sign FILE", fill: [][2]string{{"FILE", "app"}},
		then: "chosen --signature app.sig --key release.asc", want: "ATTESTED",
	}, {
		name: "the key is missing",
		situation: newRelease + "gpg --batch -q --passphrase '' --quick-gen-key next@example.org rsa3072 sign never\n" +
			"gpg --batch -q --digest-algo SHA256 -u next@example.org --detach-sign app; plan --signature app.sig --key release.asc",
		command: "gpg --armor --export [0-9A-F]+", then: "chosen --signature app.sig --key out", want: "PROJECTED",
	}, {
		name:      "a PGP file is taken apart",
		situation: newRelease + "gpg --batch -q --digest-algo SHA256 --armor --detach-sign app",
		hint:      func(t *testing.T) string { return findHint(t, "take the file apart") }, // more signatures than a file may have
		command:   `gpg --dearmor < FILE.asc \| gpgsplit`, fill: [][2]string{{"FILE", "app"}},
		then: "chosen --signature 000001-002.sig --key release.asc", want: "PROJECTED",
	}, {
		name: "a raw RSA signature over SHA-1",
		situation: "echo release > app; openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out key; openssl pkey -in key -pubout -out pub\n" +
			"openssl dgst -sha1 -sign key -out app.sig app; plan --format x509 --signature app.sig --key pub",
		command: "openssl dgst -sha256 -sign KEY -out FILE.sig FILE", fill: [][2]string{{"KEY", "key"}, {"FILE", "app"}},
		then: "chosen --format x509 --signature app.sig --key pub", want: "NATIVE",
	}, {
		name: "a private key in place of the public one",
		situation: "echo release > app; openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key\n" +
			"openssl dgst -sha256 -sign key -out app.sig app; plan --format x509 --signature app.sig --key key",
		command: "openssl pkey -in KEY -pubout", fill: [][2]string{{"KEY", "key"}},
		then: "chosen --format x509 --signature app.sig --key out", want: "NATIVE",
	}, {
		name:      "an SSH signature for another namespace",
		situation: "echo release > app; ssh-keygen -q -t ecdsa -N '' -f id; ssh-keygen -q -Y sign -n git -f id app; plan --signature app.sig --key id.pub; rm app.sig",
		command:   "ssh-keygen -Y sign -n file -f KEY FILE", fill: [][2]string{{"KEY", "id"}, {"FILE", "app"}},
		then: "chosen --signature app.sig --key id.pub", want: "PROJECTED",
	}, {
		name:      "an SSH signature by Ed25519 is attested",
		situation: "echo release > app; ssh-keygen -q -t ed25519 -N '' -f ed; ssh-keygen -q -Y sign -n file -f ed app; plan --signature app.sig --key ed.pub; rm app.sig",
		command:   "ssh-keygen -t ecdsa", fill: [][2]string{{"ecdsa", "ecdsa -q -N '' -f id"}},
		then: "ssh-keygen -q -Y sign -n file -f id app; chosen --signature app.sig --key id.pub", want: "PROJECTED",
	}, {
		name: "a CMS signature over SHA-1",
		situation: "echo release > app; openssl req -x509 -newkey rsa:3072 -nodes -subj /CN=release -keyout key -out crt 2>/dev/null\n" +
			"openssl cms -sign -binary -md sha1 -signer crt -inkey key -outform DER -in app -out app.p7s; plan --signature app.p7s",
		command: "openssl cms -sign -binary -md sha256", fill: [][2]string{{"sha256", "sha256 -signer crt -inkey key -outform DER -in app"}},
		then: "chosen --signature out", want: "PROJECTED",
	}, {
		name:      "a digest of another length",
		situation: "echo release > app",
		hint: func(*testing.T) string {
			_, err := formats.ParseDigest("sha512:00")
			return describeFailure(err).Hint
		},
		command: "sha512sum FILE", fill: [][2]string{{"FILE", "app"}},
		then: "cut -d' ' -f1 out | tr -d '\\n' | wc -c", want: "128",
	},
}

// TestHintsHelp: following a hint leads out of the situation in which it is given.
func TestHintsHelp(t *testing.T) {
	for _, p := range hintProofs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.run(t)
		})
	}
}

func (p hintProof) run(t *testing.T) {
	dir, err := os.MkdirTemp("", "hint") // short: gpg's socket has to be within
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endAgent(t, dir) })
	hint := runProof(t, dir, p.situation)
	if p.hint != nil {
		hint = p.hint(t)
	}
	command := findCommand(t, hint, p.command)
	for _, f := range p.fill {
		command = strings.ReplaceAll(command, f[0], f[1])
	}
	runProof(t, dir, "[ ! -d gnupg ] || export GNUPGHOME=$PWD/gnupg\n{ "+command+"; } > out")
	if got := runProof(t, dir, p.then); strings.TrimSpace(got) != p.want {
		t.Errorf("%q was followed, and leads to %q, want %q", hint, got, p.want)
	}
}

func runProof(t *testing.T, dir, script string) string {
	t.Helper()
	shell := exec.Command("bash", "-c", proofHead+script)
	shell.Dir = dir
	var messages strings.Builder
	shell.Stderr = &messages
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", script, err, out, &messages)
	}
	return string(out)
}

func endAgent(t *testing.T, dir string) {
	home := filepath.Join(dir, "gnupg")
	if _, err := os.Stat(home); err == nil {
		kill := exec.Command("gpgconf", "--kill", "all")
		kill.Env = append(os.Environ(), "GNUPGHOME="+home)
		_ = kill.Run() // there may be none
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// findCommand returns what in the hint is the command.
func findCommand(t *testing.T, hint, command string) string {
	t.Helper()
	found := regexp.MustCompile(command).FindString(hint)
	if found == "" {
		t.Fatalf("the hint %q has no command like %q", hint, command)
	}
	return found
}

// findHint returns the one hint that begins so.
func findHint(t *testing.T, begin string) string {
	t.Helper()
	for hint := range readHints(t) {
		if strings.HasPrefix(hint, begin) {
			return hint
		}
	}
	t.Fatalf("no hint begins with %q", begin)
	return ""
}

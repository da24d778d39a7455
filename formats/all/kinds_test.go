// SPDX-License-Identifier: Apache-2.0

package all_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
)

// kind is an input of a kind on which verifiers fail people: what its own tool says, and what is said here without a format
// being named. Files are in testdata/kinds/FOLDER.
type kind struct {
	folder, signature, artifact string
	keys                        []string
	tool                        string // its own tool's command, run in the folder; "" where there is none
	good                        bool   // by that
	want                        formats.Reason
	says                        string // part of the variant, or of the refusal
}

const openPGP = `export GNUPGHOME=$(mktemp -d); gpg -q --import KEY && gpg --verify `

var kinds = []kind{
	{"rsa-large-exponent", "x509.sig", "app", []string{"x509.pub"}, "openssl dgst -sha256 -verify x509.pub -signature x509.sig app", true, formats.ReasonUnsupportedAlgorithm, "exponent"},
	{"rsa-large-exponent", "pgp.sig", "app", []string{"pgp.key"}, strings.Replace(openPGP, "KEY", "pgp.key", 1) + "pgp.sig app", true, formats.ReasonUnsupportedAlgorithm, "exponent"},
	{"x509-two-ec-keys", "app.sig", "app", []string{"old.pub", "new.pub"}, "openssl dgst -sha256 -verify old.pub -signature app.sig app", true, "", "DER, public key"},
	{"x509-two-ec-keys", "app.sig", "app", []string{"new.pub", "old.pub"}, "openssl dgst -sha256 -verify old.pub -signature app.sig app", true, "", "DER, public key"},
	{"x509-two-ec-keys", "app.sig", "app", []string{"new.pub"}, "openssl dgst -sha256 -verify new.pub -signature app.sig app", false, formats.ReasonSignatureInvalid, ""},
	{"x509-chain-messages", "app.sig", "app", []string{"c-sha1chain.pem"}, "openssl x509 -in c-sha1chain.pem -noout -pubkey >$TMPDIR/k && openssl dgst -sha256 -verify $TMPDIR/k -signature app.sig app", true, "", "certificate"},
	{"cert-unknown-critical-extension", "apple.sig", "app", []string{"apple.pem"}, "openssl x509 -in apple.pem -noout -pubkey >$TMPDIR/k && openssl dgst -sha256 -verify $TMPDIR/k -signature apple.sig app", true, "", "certificate"},
	{"x509-key-files", "app.sig", "app", []string{"bom.pub"}, "openssl dgst -sha256 -verify bom.pub -signature app.sig app", true, "", "public key"},
	{"x509-key-files", "app.sig", "app", []string{"compressed.pub"}, "openssl dgst -sha256 -verify compressed.pub -signature app.sig app", true, "", "public key"},
	{"messages-and-encodings", "q.leadtext.asc", "app", []string{"r.asc"}, strings.Replace(openPGP, "KEY", "r.asc", 1) + "q.leadtext.asc app", true, formats.ReasonMalformedSignature, "text before the signature, which is one of the format pgp"},
	{"messages-and-encodings", "dash.nde.asc", "", []string{"r.asc"}, strings.Replace(openPGP, "KEY", "r.asc", 1) + "dash.nde.asc", true, formats.ReasonUnsupportedFeature, "NotDashEscaped"},
	{"messages-and-encodings", "sig.raw.b64url", "app", []string{"r.pub"}, "", true, "", "base64"},
	{"usign-comment", "Packages.sig", "Packages", []string{"u.pub"}, "signify-openbsd -V -q -p u.pub -x Packages.sig -m Packages", true, "", "signify"},
	{"signify-embedded", "SHA256.sig", "", []string{"s.pub"}, "signify-openbsd -V -q -e -p s.pub -x SHA256.sig -m $TMPDIR/m && cmp $TMPDIR/m SHA256", true, "", "signify, embedded"},
	{"signify-embedded", "SHA256.sig", "SHA256", []string{"s.pub"}, "", true, "", "signify, embedded"},
	{"ssh-mpint-leading-zero", "sec.fixed.sig", "sec.txt", []string{"ek.pub"}, sshVerify("ek.pub", "sec.fixed.sig", "sec.txt"), true, "", "SSHSIG"},
	{"trailing-blank-line", "ssh.sig", "app", []string{"ssh.pub"}, sshVerify("ssh.pub", "ssh.sig", "app"), true, "", "SSHSIG"},
	{"tauri-base64", "mv.tauri", "mv", []string{"mv.tauri.pub"}, "base64 -d mv.tauri >$TMPDIR/s; base64 -d mv.tauri.pub >$TMPDIR/p; minisign -V -q -p $TMPDIR/p -x $TMPDIR/s -m mv", true, "", "prehashed"},
	{"tauri-base64", "mv.minisig", "mv", []string{"mv.tauri.pub"}, "minisign -V -q -P $(cat mv.pub) -x mv.minisig -m mv", true, "", "prehashed"},
	{"allowed-signers-unknown-type", "w64.sig", "app", []string{"allowed_signers.mldsa"}, "ssh-keygen -Y verify -f allowed_signers.mldsa -I e@x -n file -s w64.sig <app", true, "", "SSHSIG"},
	{"secret-not-noticed", "app.minisig", "app", []string{"throwaway-tauri.key"}, "", false, formats.ReasonSecretKey, "minisign"},
}

func sshVerify(pub, signature, artifact string) string {
	return `echo "s $(cut -d" " -f1,2 ` + pub + `)" >$TMPDIR/allowed && ssh-keygen -Y verify -f $TMPDIR/allowed -I s -n file -s ` + signature + " <" + artifact
}

func TestKinds(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.folder+" "+k.signature+" "+strings.Join(k.keys, " "), func(t *testing.T) {
			read := func(name string) []byte {
				b, err := os.ReadFile(filepath.Join("testdata", "kinds", k.folder, name))
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			if k.tool != "" {
				checkTool(t, k)
			}
			var keys [][]byte
			for _, name := range k.keys {
				keys = append(keys, read(name))
			}
			artifact := formats.Artifact{}
			if k.artifact != "" {
				artifact = formats.FromReader(bytes.NewReader(read(k.artifact)))
			}
			said, err := submitKind(t, read(k.signature), keys, artifact)
			if formats.ReasonOf(err) != k.want || (err == nil) != (k.want == "") {
				t.Fatalf("%v, want %q", err, k.want)
			}
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, k.says) {
				t.Errorf("says %q, not %q", said, k.says)
			}
		})
	}
}

func submitKind(t *testing.T, signature []byte, keys [][]byte, artifact formats.Artifact) (variant string, err error) {
	t.Helper()
	parsed, err := all.Formats().Parse(t.Context(), "", signature, keys, formats.Policy{Now: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		return "", err
	}
	_, err = parsed.Verify(t.Context(), artifact)
	return parsed.Describe().Variant, err
}

// checkTool asks the format's own tool.
func checkTool(t *testing.T, k kind) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", k.tool)
	cmd.Dir, cmd.Env = filepath.Join("testdata", "kinds", k.folder), append(os.Environ(), "TMPDIR="+t.TempDir())
	if out, err := cmd.CombinedOutput(); (err == nil) != k.good {
		t.Errorf("its own tool: %v, want %v: %s", err, k.good, out)
	}
}

// Numbers with leading zeros make the same submission as without them.
func TestLeadingZeroIsTheSame(t *testing.T) {
	dir := filepath.Join("testdata", "kinds", "ssh-mpint-leading-zero")
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	canonical := func(signature []byte) []byte {
		parsed, err := all.Formats().Parse(t.Context(), "", signature, [][]byte{read("ek.pub")}, formats.Policy{Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		v, err := parsed.Verify(t.Context(), formats.FromReader(bytes.NewReader(read("sec.txt"))))
		if err != nil {
			t.Fatal(err)
		}
		return v.Canonical
	}
	with := decodeArmored(t, read("sec.fixed.sig"))
	long := []byte("\x00\x00\x00\x48\x00\x00\x00\x20\x00")
	at := bytes.Index(with, long)
	if at < 0 {
		t.Fatal("the number has no leading zero")
	}
	// The zero goes, and with it one octet of the lengths of the number, of the signature and of what holds both.
	without := bytes.Clone(with)
	without = slices.Concat(without[:at], []byte("\x00\x00\x00\x47\x00\x00\x00\x1f"), without[at+len(long):])
	outer := at - len("\x00\x00\x00\x13ecdsa-sha2-nistp256") - 1
	without[outer]--
	if !bytes.Equal(canonical(with), canonical(without)) {
		t.Error("another submission")
	}
}

func decodeArmored(t *testing.T, armored []byte) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", "grep -v -e ---- | base64 -d")
	cmd.Stdin = bytes.NewReader(armored)
	blob, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

// SPDX-License-Identifier: Apache-2.0

package all

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func readTestFile(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// wrapText puts around a text what editors do.
func wrapText(file []byte) []byte {
	if !utf8.Valid(file) {
		return file
	}
	return append([]byte("\xef\xbb\xbf\r\n"), file...)
}

// policyFiles are key files that an operator might name, and a signature of the format.
var policyFiles = map[string]struct {
	signature string
	good      []string
}{
	"minisign": {"minisign/testdata/prehashed.minisig", []string{"minisign/testdata/signer.pub", "minisign/testdata/other.pub"}},
	"pgp":      {"pgp/testdata/ed25519.sig", []string{"pgp/testdata/ed25519.key", "pgp/testdata/rsa2048.key", "pgp/testdata/keyring.gpg"}},
	"ssh":      {"ssh/testdata/ecdsa-256.sig", []string{"ssh/testdata/ecdsa-256.pub", "ssh/testdata/allowed.signers", "ssh/testdata/ca.signers"}},
	"pkcs7":    {"pkcs7/testdata/rsa2048.der", []string{"pkcs7/testdata/rsa2048-cert.pem", "pkcs7/testdata/rsa2048-chain.pem"}},
	"tuf":      {"tuf/testdata/targets.json", []string{"tuf/testdata/root-1.json", "tuf/testdata/releases.json"}},
	"x509":     {"x509/testdata/p256.sig", []string{"x509/testdata/p256.pem", "x509/testdata/p256.der", "x509/testdata/p256-chain.pem"}},
}

// Every format checks an operator's key files, and names the line of what is wrong.
func TestPolicyKeysAreChecked(t *testing.T) {
	for _, f := range Formats().All() {
		checker, ok := f.(formats.KeyChecker)
		if !ok {
			t.Errorf("%s checks no key files", f.Name())
			continue
		}
		for _, file := range policyFiles[f.Name()].good {
			if err := formats.CheckKeyFile(t.Context(), checker, wrapText(readTestFile(t, file))); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	read := func(path string) string { return string(readTestFile(t, path)) }
	damaged := strings.Replace(read("pgp/testdata/ed25519.key"), "\nm", "\n!", 1)
	for name, c := range map[string]struct {
		format, file string
		line         int
	}{
		"minisign, nothing":         {"minisign", "", 1},
		"minisign, another's":       {"minisign", read("x509/testdata/p256.pem"), 1},
		"minisign, no key":          {"minisign", "untrusted comment: x\nRWno\n", 2},
		"minisign, secret":          {"minisign", read("minisign/testdata/throwaway-minisign.key"), 1},
		"pgp, nothing":              {"pgp", "", 1},
		"pgp, another's":            {"pgp", read("ssh/testdata/ecdsa-256.pub"), 1},
		"pgp, cut off":              {"pgp", read("pgp/testdata/keyring.gpg")[:1000], 0},
		"pgp, damaged":              {"pgp", damaged, 1},
		"pgp, the second damaged":   {"pgp", "a\n" + read("pgp/testdata/rsa2048.key") + "b\n" + damaged, 3 + strings.Count(read("pgp/testdata/rsa2048.key"), "\n")},
		"ssh, nothing":              {"ssh", "# none\n", 1},
		"ssh, another's":            {"ssh", read("minisign/testdata/signer.pub"), 1},
		"ssh, a type not known":     {"ssh", read("ssh/testdata/allowed_signers.mldsa"), 2},
		"ssh, the third line":       {"ssh", "# a\n" + read("ssh/testdata/ecdsa-256.pub") + "x y z\n", 3},
		"pkcs7, nothing":            {"pkcs7", "", 1},
		"pkcs7, damaged":            {"pkcs7", strings.Replace(read("pkcs7/testdata/rsa2048-cert.pem"), "MII", "MIX", 1), 1},
		"tuf, nothing":              {"tuf", "", 1},
		"tuf, names no keys":        {"tuf", read("tuf/testdata/timestamp.json"), 1},
		"tuf, edited":               {"tuf", strings.Replace(read("tuf/testdata/root-1.json"), `"version": 1`, `"version": 7`, 1), 1},
		"x509, another's":           {"x509", read("minisign/testdata/signer.pub"), 1},
		"x509, after blank lines":   {"x509", "\n\n" + read("minisign/testdata/signer.pub"), 3},
		"x509, second block broken": {"x509", read("x509/testdata/p256-cert.pem") + "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", 1 + strings.Count(read("x509/testdata/p256-cert.pem"), "\n")},
		"x509, weak":                {"x509", read("x509/testdata/rsa1024.pem"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Formats().Get(c.format)
			if err != nil {
				t.Fatal(err)
			}
			err = formats.CheckKeyFile(t.Context(), f.(formats.KeyChecker), []byte(c.file))
			var fault *formats.FileFault
			if !errors.As(err, &fault) || fault.Line != c.line {
				t.Errorf("%v, want a fault in line %d", err, c.line)
			}
		})
	}
}

// What is wrong with the policy's keys is no verdict on what a submitter sent.
func TestPolicyFaultsAreNoRefusals(t *testing.T) {
	for name, c := range policyFiles {
		for _, broken := range [][]byte{[]byte("no key at all"), {0xff}} {
			p := formats.Policy{Now: time.Now(), Keys: map[string][][]byte{name: {broken}}}
			sent := [][]byte{readTestFile(t, c.good[0])}
			if name == "pkcs7" {
				sent = nil
			}
			parsed, err := Formats().Parse(t.Context(), name, readTestFile(t, c.signature), sent, p)
			var fault *formats.PolicyFault
			if parsed != nil || !errors.As(err, &fault) || formats.ReasonOf(err) != "" || fault.Format != name {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := Formats().Parse(t.Context(), name, readTestFile(t, c.signature), [][]byte{bytes.Repeat([]byte("x"), 9)}, formats.Policy{Now: time.Now()})
		if formats.ReasonOf(err) == "" {
			t.Errorf("%s: a submitter's key that is none is no refusal: %v", name, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	"crypto/sha256"
	stdx509 "crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

func container(t *testing.T, name string) []byte { return file(t, "containers/"+name) }

// submit parses as every program does, without naming the format, and verifies over what testdata/containers signs.
func submit(t *testing.T, p formats.Policy, signature []byte, keys ...[]byte) (*formats.Verified, formats.Parsed, error) {
	t.Helper()
	if p.Now.IsZero() {
		p.Now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	parsed, err := formats.NewRegistry(x509.New()).Parse(t.Context(), "", signature, keys, p)
	if err != nil {
		return nil, nil, err
	}
	v, err := parsed.Verify(t.Context(), formats.FromReader(bytes.NewReader(container(t, "artifact.txt"))))
	return v, parsed, err
}

// identity returns the SPKI of a key in PEM that OpenSSL wrote.
func identity(t *testing.T, name string) []byte {
	t.Helper()
	block, _ := pem.Decode(container(t, name))
	return block.Bytes
}

// Each container of a key that tools write is read as that one key, and reads back from the receipt's copy.
func TestContainers(t *testing.T) {
	for kind, signature := range map[string]string{"p256": "p256.sig", "rsa": "rsa.sig", "ed25519-1": "ed25519-1.sig"} {
		want := identity(t, map[string]string{"p256": "p256-pkix.pem", "rsa": "rsa-pkix.pem", "ed25519-1": "ed25519-1.pem"}[kind])
		names, err := filepath.Glob(filepath.Join("testdata", "containers", kind+"*"))
		if err != nil || len(names) < 3 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			name = filepath.Base(name)
			if slices.Contains([]string{"p256-request.pem", "p256-trusted.pem", "p256-ssh2.pub"}, name) || strings.HasSuffix(name, ".sig") {
				continue
			}
			v, _, err := submit(t, formats.Policy{}, container(t, signature), container(t, name))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !bytes.Equal(v.Signers[0].SPKI, want) {
				t.Errorf("%s: another identity", name)
			}
			if again, _, err := submit(t, formats.Policy{}, container(t, signature), v.Keys...); err != nil || !bytes.Equal(again.Signers[0].SPKI, want) {
				t.Errorf("%s does not read back: %v", name, err)
			}
		}
	}
}

// What OpenSSL verifies with is what is read.
func TestContainersAgainstOpenSSL(t *testing.T) {
	for _, name := range []string{"p256-pkix.pem", "p256-bom.pem", "p256-crlf.pem", "p256-text.pem", "p256-compressed.pem", "p256-hybrid.pem",
		"p256-explicit.pem", "p256-explicit-compressed.pem", "p256-explicit-hybrid.pem", "p256-parameters.pem", "other-p256.pem"} {
		dir := filepath.Join("testdata", "containers")
		tool := exec.CommandContext(t.Context(), "openssl", "dgst", "-sha256", "-verify", filepath.Join(dir, name), "-signature", filepath.Join(dir, "p256.sig"), filepath.Join(dir, "artifact.txt")).Run()
		_, _, err := submit(t, formats.Policy{}, container(t, "p256.sig"), container(t, name))
		if (tool == nil) != (err == nil) {
			t.Errorf("%s: openssl %v, here %v", name, tool, err)
		}
	}
}

// A container that is not read is named, with the command that converts it.
func TestContainersToConvert(t *testing.T) {
	for name, hint := range map[string]string{
		"p256-request.pem": "openssl req", "p256-trusted.pem": "openssl x509", "p256-ssh2.pub": "ssh-keygen -i",
		"../../../pgp/testdata/armored.asc": "public key", "../../../minisign/testdata/signer.pub": "minisign",
	} {
		_, _, err := submit(t, formats.Policy{}, container(t, "p256.sig"), container(t, name))
		var e *formats.Error
		if !errors.As(err, &e) || e.Reason != formats.ReasonMalformedKey || !strings.Contains(e.Hint, hint) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key that is for RSA-PSS alone makes no other signatures, and none with another hash than its own.
func TestPSSKeys(t *testing.T) {
	for _, c := range []struct {
		signature, key string
		want           formats.Reason
	}{
		{"pss.sig", "pss-pkix.pem", ""}, {"pss384.sig", "pss384-pkix.pem", ""},
		{"pss.sig", "pss384-pkix.pem", formats.ReasonSignatureInvalid}, {"rsa.sig", "pss-pkix.pem", formats.ReasonSignatureInvalid},
	} {
		v, _, err := submit(t, formats.Policy{}, container(t, c.signature), container(t, c.key))
		if formats.ReasonOf(err) != c.want {
			t.Errorf("%s by %s: %v", c.signature, c.key, err)
		}
		if v == nil {
			continue
		}
		if _, _, err := submit(t, formats.Policy{}, container(t, c.signature), v.Keys...); err != nil {
			t.Errorf("%s: the receipt's key: %v", c.signature, err)
		}
	}
}

// Each of several keys is tried, of the submitter's and of the policy's, in any order and in one file; the one that verifies is
// the signer, whose receipt names no other.
func TestSeveralKeys(t *testing.T) {
	for _, c := range []struct {
		signature string
		keys      []string
		signer    string
	}{
		{"p256.sig", []string{"p256-pkix.pem", "other-p256.pem"}, "p256-pkix.pem"},
		{"p256.sig", []string{"other-p256.pem", "p256-pkix.pem"}, "p256-pkix.pem"},
		{"ed25519-1.sig", []string{"ed25519-2.pem", "ed25519-1.pem"}, "ed25519-1.pem"},
		{"ed25519-2.sig", []string{"ed25519-both.pem"}, "ed25519-2.pem"},
		{"ed25519-1.sig", []string{"other-p256.pem", "ed25519-both.pem", "rsa-pkix.pem"}, "ed25519-1.pem"},
		{"rsa.sig", []string{"pss-pkix.pem", "rsa-pkix.pem"}, "rsa-pkix.pem"},
	} {
		var keys [][]byte
		for _, k := range c.keys {
			keys = append(keys, container(t, k))
		}
		for name, p := range map[string]formats.Policy{"sent": {}, "policy's": {Keys: map[string][][]byte{"x509": keys}}} {
			sent := keys
			if p.Keys != nil {
				sent = nil
			}
			v, parsed, err := submit(t, p, container(t, c.signature), sent...)
			if err != nil {
				t.Errorf("%s, keys %s: %v", c.signature, name, err)
				continue
			}
			if len(v.Signers) != 1 || !bytes.Equal(v.Signers[0].SPKI, identity(t, c.signer)) || len(v.Keys) != 1 {
				t.Errorf("%s, keys %s: another signer", c.signature, name)
			}
			if d := parsed.Describe(); len(d.Signers) == 0 || len(d.Candidates) == 0 {
				t.Errorf("%s: description %+v", c.signature, d)
			}
		}
	}
	_, _, err := submit(t, formats.Policy{}, container(t, "p256.sig"), container(t, "other-p256.pem"), file(t, "p256.pem"))
	if formats.ReasonOf(err) != formats.ReasonSignatureInvalid || !strings.Contains(err.Error(), "none of the 2 keys") {
		t.Errorf("by neither: %v", err)
	}
}

// Which of several keys signed decides what the policy says of it, not which others there are.
func TestSeveralKeysUnderPolicy(t *testing.T) {
	ids := map[string][sha256.Size]byte{}
	for _, name := range []string{"p256-pkix.pem", "other-p256.pem"} {
		ids[name] = sha256.Sum256(identity(t, name))
	}
	keys := [][]byte{container(t, "other-p256.pem"), container(t, "p256-pkix.pem")}
	for name, c := range map[string]struct {
		p    formats.Policy
		want formats.Reason
	}{
		"the signer is forbidden":     {formats.Policy{ForbiddenSigners: [][sha256.Size]byte{ids["p256-pkix.pem"]}}, formats.ReasonForbiddenSigner},
		"the other is forbidden":      {formats.Policy{ForbiddenSigners: [][sha256.Size]byte{ids["other-p256.pem"]}}, ""},
		"the signer is allowed":       {formats.Policy{AllowedSigners: [][sha256.Size]byte{ids["p256-pkix.pem"]}}, ""},
		"the other is allowed":        {formats.Policy{AllowedSigners: [][sha256.Size]byte{ids["other-p256.pem"]}}, formats.ReasonKeyNotTrusted},
		"the policy lists another":    {formats.Policy{Keys: map[string][][]byte{"x509": {file(t, "p256.pem")}}}, formats.ReasonKeyNotTrusted},
		"the policy lists the signer": {formats.Policy{Keys: map[string][][]byte{"x509": {file(t, "p256.pem"), container(t, "p256-cert.der")}}}, ""},
	} {
		if _, _, err := submit(t, c.p, container(t, "p256.sig"), keys...); formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each further Ed25519 key hashes the artifact once more, which the account pays.
func TestSeveralKeysAreCharged(t *testing.T) {
	cost := func(keys ...[]byte) int64 {
		w := formats.NewWork(formats.MaxWork)
		ctx := formats.WithWork(t.Context(), w)
		parsed, err := x509.New().Parse(ctx, container(t, "ed25519-1.sig"), keys, strict(t))
		if err != nil {
			t.Fatal(err)
		}
		before := w.Spent()
		_, _ = parsed.Verify(ctx, formats.FromReader(bytes.NewReader(make([]byte, 8<<20))))
		return w.Spent() - before
	}
	one, two := cost(container(t, "ed25519-1.pem")), cost(container(t, "ed25519-1.pem"), container(t, "ed25519-2.pem"))
	if two < one+8<<20 {
		t.Errorf("one key costs %d units, two %d", one, two)
	}
}

// A key with an exponent that nothing here verifies with is refused as that, in every container, and says nothing of
// signature or artifact.
func TestLargeExponent(t *testing.T) {
	for _, name := range []string{"exponent-pkix.pem", "exponent-pkcs1.pem", "exponent-cert.pem"} {
		_, _, err := submit(t, formats.Policy{}, container(t, "exponent.sig"), container(t, name))
		if formats.ReasonOf(err) != formats.ReasonUnsupportedAlgorithm || !strings.Contains(err.Error(), "exponent") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without roots the leaf counts as its key, whatever its chain is, and a note names what is wrong with that; with roots
// the refusal does.
func TestChainFaults(t *testing.T) {
	roots := stdx509.NewCertPool()
	roots.AddCert(certificate(t, "containers/root.pem"))
	for name, fault := range map[string]string{
		"chain-sha1.pem":         "certificate 1 of 2 is signed with SHA1-RSA",
		"chain-stranger.pem":     "the signature of certificate 1 of 2 is not by the key of certificate 2",
		"chain-no-authority.pem": "certificate 2 of 3 is not one of a certificate authority",
	} {
		v, parsed, err := submit(t, formats.Policy{}, container(t, "p256.sig"), container(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if notes := strings.Join(parsed.Describe().Notes, "\n"); !strings.Contains(notes, fault) {
			t.Errorf("%s: notes %q", name, notes)
		}
		if bytes.Count(v.Keys[0], []byte("BEGIN")) != 1 {
			t.Errorf("%s: the issuers are in the receipt", name)
		}
		_, _, err = submit(t, formats.Policy{Roots: roots}, container(t, "p256.sig"), container(t, name))
		if name == "chain-stranger.pem" { // the leaf is by the root, whoever else was sent
			if err != nil {
				t.Errorf("%s, with its root: %v", name, err)
			}
			continue
		}
		if formats.ReasonOf(err) != formats.ReasonKeyNotTrusted || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s, with roots: %v", name, err)
		}
	}
	other := stdx509.NewCertPool()
	other.AddCert(certificate(t, "root-cert.pem"))
	_, _, err := submit(t, formats.Policy{Roots: other}, container(t, "p256.sig"), container(t, "p256-cert-text.pem"))
	if formats.ReasonOf(err) != formats.ReasonKeyNotTrusted || !strings.Contains(err.Error(), "the issuer of the signer's certificate") {
		t.Errorf("another root: %v", err)
	}
}

// The encodings of a raw signature are one submission.
func TestSignatureEncodings(t *testing.T) {
	for _, c := range []struct{ signature, key string }{{"p256.sig", "p256-pkix.pem"}, {"rsa.sig", "rsa-pkix.pem"}, {"ed25519-1.sig", "ed25519-1.pem"}} {
		raw := container(t, c.signature)
		first, _, err := submit(t, formats.Policy{}, raw, container(t, c.key))
		if err != nil {
			t.Fatal(err)
		}
		text := base64.StdEncoding.EncodeToString(raw)
		for name, encoded := range map[string]string{
			"base64": text, "without padding": strings.TrimRight(text, "="), "in lines": text[:60] + "\r\n" + text[60:] + "\n", "byte order mark": "\xef\xbb\xbf" + text,
			"base64url": base64.URLEncoding.EncodeToString(raw), "base64url without padding": base64.RawURLEncoding.EncodeToString(raw) + "\n",
			"hex": hex.EncodeToString(raw) + "\n", "upper hex": strings.ToUpper(hex.EncodeToString(raw)), "base64 of base64": base64.StdEncoding.EncodeToString([]byte(text + "\n")),
		} {
			v, _, err := submit(t, formats.Policy{}, []byte(encoded), container(t, c.key))
			if err != nil || !bytes.Equal(v.Canonical, first.Canonical) {
				t.Errorf("%s, %s: %v", c.signature, name, err)
			}
		}
		for name, encoded := range map[string]string{"text after it": text + "\n#", "both alphabets": "+-" + text[2:], "cut": text[:len(text)-5], "half a digit": hex.EncodeToString(raw)[1:]} {
			if _, _, err := submit(t, formats.Policy{}, []byte(encoded), container(t, c.key)); err == nil {
				t.Errorf("%s, %s: accepted", c.signature, name)
			}
		}
	}
}

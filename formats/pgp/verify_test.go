// SPDX-License-Identifier: Apache-2.0

package pgp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pgp"
)

func parseFiles(t testing.TB, sig, key string, p formats.Policy) formats.Parsed {
	t.Helper()
	p.Now = now
	parsed, err := pgp.New().Parse(context.Background(), read(t, sig), [][]byte{read(t, key)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestSignedDigest: what a client projects from the bytes is all that Verify needs without them.
func TestSignedDigest(t *testing.T) {
	for _, g := range valid {
		t.Run(g.name, func(t *testing.T) {
			p := parseFiles(t, g.sig, g.key, g.policy)
			var a formats.Artifact
			if g.artifact != "" {
				a = formats.FromReader(bytes.NewReader(read(t, g.artifact)))
			}
			local, err := p.Verify(context.Background(), a)
			if err != nil {
				t.Fatal(err)
			}
			if overlong := g.sig == "p256-SHA512.sig"; overlong || !g.projects || len(local.Parts) > 0 {
				checkNoSignedDigest(t, p, g.artifact == "")
				return
			}
			checkSignedDigest(t, p, local, g.artifact == "")
		})
	}
}

func checkNoSignedDigest(t *testing.T, p formats.Parsed, embedded bool) {
	t.Helper()
	if n := len(p.Describe().SignedDigests); n != 0 {
		t.Errorf("%d signed digests offered", n)
	}
	d := formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)}
	_, err := p.Verify(context.Background(), formats.FromSignedDigest(d))
	if formats.ReasonOf(err) != formats.ReasonNeedsBytes && !embedded {
		t.Errorf("got %v", err)
	}
}

func checkSignedDigest(t *testing.T, p formats.Parsed, local *formats.Verified, embedded bool) {
	t.Helper()
	want := local.Projections[0]
	if got := p.Describe().SignedDigests; len(got) != 1 || got[0] != want.SignedDigest().Algorithm {
		t.Errorf("signed digests %v", got)
	}
	far, err := p.Verify(context.Background(), formats.FromSignedDigest(want.SignedDigest()))
	if err != nil {
		t.Fatal(err)
	}
	if len(far.Projections) != 1 || !far.Projections[0].Digest.Equal(want.Digest) || far.Projections[0].VerifyDigest() != nil {
		t.Error("another projection")
	}
	if !bytes.Equal(far.Canonical, local.Canonical) {
		t.Error("another canonical form")
	}
	if !embedded && (len(far.Digests) != 0 || far.Size != -1) {
		t.Error("something is said of an artifact nobody saw")
	}
	wrong := formats.Digest{Algorithm: want.Digest.Algorithm, Value: bytes.Clone(want.Digest.Value)}
	wrong.Value[5] ^= 1
	if _, err := p.Verify(context.Background(), formats.FromSignedDigest(wrong)); err == nil {
		t.Error("another digest was accepted")
	}
	short := formats.Digest{Algorithm: want.Digest.Algorithm, Value: want.Digest.Value[:1]}
	if _, err := p.Verify(context.Background(), formats.FromSignedDigest(short)); err == nil {
		t.Error("a short digest was accepted")
	}
}

// TestConcurrent: a Parsed is not changed by Verify.
func TestConcurrent(t *testing.T) {
	p, file := parseFiles(t, "text.asc", "rsa3072.key", formats.Policy{}), read(t, "text")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if _, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(file))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestDigestAlone(t *testing.T) {
	d := formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)}
	for file, want := range map[string]formats.Reason{
		"armored.asc": formats.ReasonNeedsBytes, "cleartext.asc": formats.ReasonArtifactNotExpected,
	} {
		_, err := parseFiles(t, file, "rsa3072.key", formats.Policy{}).Verify(context.Background(), formats.FromDigest(d))
		if formats.ReasonOf(err) != want {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
	}
	other := formats.Digest{Algorithm: formats.SHA512, Value: make([]byte, 64)}
	_, err := parseFiles(t, "armored.asc", "rsa3072.key", formats.Policy{}).Verify(context.Background(), formats.FromSignedDigest(other))
	if formats.ReasonOf(err) != formats.ReasonWrongDigestAlgorithm {
		t.Errorf("got %v", err)
	}
}

// TestFileBesideCleartext: the file given beside the signature is compared, and is the artifact. gpg signs a text
// without the line end of its last line, go-crypto with it.
func TestFileBesideCleartext(t *testing.T) {
	notes := string(read(t, "notes"))
	const mismatch = formats.ReasonArtifactMismatch
	for name, c := range map[string]struct {
		file   string
		v4, v6 formats.Reason
	}{
		"as it was":                 {file: notes},
		"CRLF":                      {file: strings.ReplaceAll(notes, "\n", "\r\n")},
		"blanks stripped":           {file: strings.ReplaceAll(notes, "blanks  ", "blanks")},
		"without last end":          {file: strings.TrimSuffix(notes, "\n"), v6: mismatch},
		"a line more":               {file: notes + "\n", v4: mismatch},
		"two lines more":            {file: notes + "\n\n", v4: mismatch, v6: mismatch},
		"empty":                     {file: "", v4: mismatch, v6: mismatch},
		"another":                   {file: strings.ToUpper(notes), v4: mismatch, v6: mismatch},
		"endless":                   {file: strings.Repeat("\n", formats.MaxSignatureSize+2), v4: mismatch, v6: mismatch},
		"what is inside, gpg":       {file: signedText(t, "cleartext.asc"), v6: mismatch},
		"what is inside, go-crypto": {file: signedText(t, "v6-rsa-cleartext.asc")},
	} {
		for sig, want := range map[string]formats.Reason{
			"cleartext.asc rsa3072.key": c.v4, "cleartext-ed25519.asc ed25519.key": c.v4,
			"v6-rsa-cleartext.asc v6-rsa.key": c.v6, "v6-p256-cleartext.asc v6-p256.key": c.v6, "v6-ed25519-cleartext.asc v6-ed25519.key": c.v6,
		} {
			sig, key, _ := strings.Cut(sig, " ")
			v, err := parseFiles(t, sig, key, formats.Policy{}).Verify(context.Background(), formats.FromReader(strings.NewReader(c.file)))
			if formats.ReasonOf(err) != want {
				t.Errorf("%s, %s: got %v, want %q", name, sig, err, want)
				continue
			}
			if sum := sha256.Sum256([]byte(c.file)); err == nil && !bytes.Equal(v.Digests[0].Value, sum[:]) {
				t.Errorf("%s, %s: the digest is not the file's", name, sig)
			}
		}
	}
}

// TestWhatCleartextHolds: with no file beside it, the artifact is the text as signed, and that text given as a file
// is the same artifact.
func TestWhatCleartextHolds(t *testing.T) {
	for sig, key := range map[string]string{
		"cleartext.asc": "rsa3072.key", "v6-rsa-cleartext.asc": "v6-rsa.key", "v6-ed25519-cleartext.asc": "v6-ed25519.key",
	} {
		p := parseFiles(t, sig, key, formats.Policy{})
		alone, err := p.Verify(context.Background(), formats.Artifact{})
		if err != nil {
			t.Fatal(err)
		}
		beside, err := p.Verify(context.Background(), formats.FromReader(strings.NewReader(signedText(t, sig))))
		if err != nil || !beside.Digests[0].Equal(alone.Digests[0].Digest) || beside.Size != alone.Size {
			t.Errorf("%s: %v", sig, err)
		}
	}
}

// signedText is what a cleartext-signed file has as signed, by the library.
func signedText(t *testing.T, name string) string {
	block, _ := clearsign.Decode(read(t, name))
	if block == nil {
		t.Fatalf("%s is not cleartext-signed", name)
	}
	return string(block.Bytes)
}

// TestCollision: a historical policy lets SHA-1 pass, but not an artifact made to collide. The
// artifact is the start of a SHAttered file.
func TestCollision(t *testing.T) {
	p := parseFiles(t, "sha1.sig", "rsa2048.key", historical)
	_, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(read(t, "shattered"))))
	if formats.ReasonOf(err) != formats.ReasonWeakAlgorithm {
		t.Errorf("got %v", err)
	}
}

func TestDescribe(t *testing.T) {
	for file, want := range map[string][3]string{
		"rsa4096-SHA512.sig rsa4096.key":  {"detached, v4", "RSA-4096/SHA-512", "gpg --digest-algo SHA256 --detach-sign FILE"},
		"p256-SHA512.sig p256.key":        {"detached, v4", "ECDSA P-256/SHA-512", "gpg --digest-algo SHA256 --detach-sign FILE"},
		"p521.sig p521.key":               {"detached, v4", "ECDSA P-521/SHA-512", "gpg --digest-algo SHA512 --detach-sign FILE"},
		"text.asc rsa3072.key":            {"detached text, v4", "RSA-3072/SHA-256", "--detach-sign"},
		"v6-rsa-cleartext.asc v6-rsa.key": {"cleartext, v6", "RSA-2048/SHA-256", "--clear-sign"},
		"v3-SHA256.sig v3.key":            {"detached, v3", "RSA-2048/SHA-256", "--detach-sign"},
		"v6-ed25519.sig v6-ed25519.key":   {"detached, v6", "Ed25519/SHA-256", "--digest-algo SHA256 --detach-sign FILE"},
	} {
		sig, key, _ := strings.Cut(file, " ")
		d := parseFiles(t, sig, key, formats.Policy{}).Describe()
		if d.Variant != want[0] || d.Algorithm != want[1] || !d.ClaimedTime.Equal(made) {
			t.Errorf("%s: %s, %s, %s", sig, d.Variant, d.Algorithm, d.ClaimedTime)
		}
		if !strings.Contains(d.Candidates[0].Remedy, want[2]) {
			t.Errorf("%s: remedy %q", sig, d.Candidates[0].Remedy)
		}
	}
}

// TestLoggable: Rekor v2 has a name for ECDSA on the NIST curves with the curve's hash
// and for RSA with SHA-256, and for nothing else.
func TestLoggable(t *testing.T) {
	for file, loggable := range map[string]bool{
		"rsa2048-SHA256.sig rsa2048.key": true, "rsa3072-SHA256.sig rsa3072.key": true, "rsa4096-SHA256.sig rsa4096.key": true,
		"rsa2048-SHA512.sig rsa2048.key": false, "ed25519.sig ed25519.key": false, "rsa3072-SHA384.sig rsa3072.key": false, "p256-SHA512.sig p256.key": false,
		"p256.sig p256.key": true, "p384.sig p384.key": true, "p521.sig p521.key": true, "subkey.sig subkey.key": true,
	} {
		sig, key, _ := strings.Cut(file, " ")
		c := parseFiles(t, sig, key, formats.Policy{}).Describe().Candidates[0]
		if formatstest.TakenByRekor(c) != loggable {
			t.Errorf("%s: %+v", sig, c)
		}
	}
}

func TestDetect(t *testing.T) {
	entries, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		want := ext == ".sig" || ext == ".asc" || ext == ".key" // keys are claimed so as to be told apart
		if got := pgp.New().Detect(readAny(t, e)); got != want && ext != ".gpg" {
			t.Errorf("%s: detected %v", e.Name(), got)
		}
	}
	for _, other := range []string{
		"", "\x88", "-----BEGIN SSH SIGNATURE-----\n", "-----BEGIN PKCS7-----\n", "untrusted comment: x\n", `{"signed":{}}`,
		"\x30\x82\x01\x00", strings.Repeat("\x88", 256), strings.Repeat("\xc2\x04", 200),
	} {
		if pgp.New().Detect([]byte(other)) {
			t.Errorf("claims %.20q", other)
		}
	}
}

func readAny(t *testing.T, e os.DirEntry) []byte {
	if e.IsDir() {
		return nil
	}
	return read(t, e.Name())
}

// TestMessage: what an EdDSA signature is over is a digest, which a log may show.
func TestMessage(t *testing.T) {
	for file, size := range map[string]int{"ed25519.sig ed25519.key": 64, "v6-ed25519.sig v6-ed25519.key": 32, "rsa4096-SHA512.sig rsa4096.key": 0} {
		sig, key, _ := strings.Cut(file, " ")
		v, err := parseFiles(t, sig, key, formats.Policy{}).Verify(t.Context(), formats.FromReader(bytes.NewReader(read(t, "artifact"))))
		if err != nil {
			t.Fatal(err)
		}
		p := v.Projections[0]
		if len(p.Message) != size || size > 0 && (p.Recipe.Hash == "" || p.SignedDigest().Algorithm != p.Recipe.Hash || p.Scheme != formats.Ed25519) {
			t.Errorf("%s: %+v", sig, p)
		}
	}
}

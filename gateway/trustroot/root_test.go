// SPDX-License-Identifier: Apache-2.0

package trustroot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/mod/sumdb/note"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]crypto.Signer{"ed25519": ed, "p256": ec}
}

func spki(t *testing.T, k crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestWrittenRootVerifiesCheckpoints(t *testing.T) {
	for name, key := range keys(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "trusted_root.json")
			made, err := New(LogKey{Origin: "log.example", SPKI: spki(t, key), Start: start})
			if err != nil {
				t.Fatal(err)
			}
			if err := made.Write(path); err != nil {
				t.Fatal(err)
			}
			read, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			text := signNote(t, key, "log.example")
			got, err := note.Open(text, note.VerifierList(read.Verifiers("log.example")...))
			if err != nil {
				t.Fatal(err)
			}
			l, ok := read.Log(got.Sigs[0].Name, got.Sigs[0].Hash)
			if !ok || !l.Start.Equal(start) || !l.End.IsZero() || !bytes.Equal(l.SPKI, spki(t, key)) {
				t.Errorf("found %+v, %v", l, ok)
			}
			if _, ok := read.Log("other.example", l.KeyHash); ok {
				t.Error("found a log under another origin")
			}
		})
	}
}

func signNote(t *testing.T, key crypto.Signer, origin string) []byte {
	t.Helper()
	s, err := signature.LoadSigner(key, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := rekornote.NewNoteSigner(t.Context(), origin, s)
	if err != nil {
		t.Fatal(err)
	}
	text, err := note.Sign(&note.Note{Text: origin + "\n1\nAAAA\n"}, ns)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestSeveralKeysOfOneOrigin(t *testing.T) {
	both := keys(t)
	r, err := New(LogKey{Origin: "log.example", SPKI: spki(t, both["p256"]), Start: start, End: start.Add(time.Hour)},
		LogKey{Origin: "log.example", SPKI: spki(t, both["ed25519"]), Start: start.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Verifiers("log.example")); n != 2 {
		t.Errorf("%d verifiers, want 2", n)
	}
}

func TestParseRefuses(t *testing.T) {
	r, err := New(LogKey{Origin: "log.example", SPKI: spki(t, keys(t)["ed25519"]), Start: start})
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for name, bad := range map[string]string{
		"empty":            "",
		"unknown field":    strings.Replace(good, `"tlogs"`, `"more": 1, "tlogs"`, 1),
		"other media type": strings.Replace(good, "version=0.1", "version=9", 1),
		"no host":          strings.Replace(good, "https://log.example", "https://", 1),
		"spaced host":      strings.Replace(good, "https://log.example", "https://log example", 1),
		"other key type":   strings.Replace(good, "PKIX_ED25519", "PKIX_ECDSA_P256_SHA_256", 1),
		"no key type":      strings.Replace(good, "PKIX_ED25519", "PUBLIC_KEY_DETAILS_UNSPECIFIED", 1),
		"other tree hash":  strings.Replace(good, "SHA2_256", "SHA2_512", 1),
		"no start":         strings.Replace(good, `"start"`, `"end"`, 1),
		"no log id":        strings.Replace(good, `"keyId"`, `"keyID"`, 1),
		"trailing data":    good + "{}",
		"too large":        strings.Repeat(" ", MaxSize) + good,
	} {
		if r, err := Parse([]byte(bad)); err == nil || r != nil {
			t.Errorf("%s: accepted", name)
		}
	}
	twice, err := New(LogKey{Origin: "log.example", SPKI: r.logs[0].SPKI}, LogKey{Origin: "log.example", SPKI: r.logs[0].SPKI})
	if err == nil || twice != nil {
		t.Error("one log twice: accepted")
	}
}

func TestNewRefusesOrigin(t *testing.T) {
	for _, origin := range []string{"", "log.example/2026", "log.example:8080", "a b", "a+b"} {
		if _, err := New(LogKey{Origin: origin, SPKI: spki(t, keys(t)["ed25519"])}); err == nil {
			t.Errorf("origin %q: accepted", origin)
		}
	}
}

func FuzzParse(f *testing.F) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		f.Fatal(err)
	}
	r, err := New(LogKey{Origin: "log.example", SPKI: der, Start: start})
	if err != nil {
		f.Fatal(err)
	}
	b, err := r.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			if r != nil {
				t.Fatal("a root beside an error")
			}
			return
		}
		again, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(again); err != nil {
			t.Fatalf("does not read what it wrote: %v", err)
		}
	})
}

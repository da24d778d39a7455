// SPDX-License-Identifier: Apache-2.0

package textlayer_test

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func inUTF16(b []byte, big bool) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + string(b))) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

// Every private key that a tool wrote is noticed, as it is and in everything that people put around it.
func TestPrivateKeysOfTools(t *testing.T) {
	names, err := filepath.Glob("testdata/throwaway*")
	if err != nil || len(names) < 35 {
		t.Fatalf("%d keys, %v", len(names), err)
	}
	for _, name := range names {
		key := read(t, name)
		forms := map[string][]byte{
			"as it is": key, "base64": []byte(base64.StdEncoding.EncodeToString(key)), "base64url": []byte(base64.RawURLEncoding.EncodeToString(key)),
			"base64 of UTF-16": []byte(base64.StdEncoding.EncodeToString(inUTF16(key, false))),
		}
		if !bytes.ContainsFunc(key, func(r rune) bool { return r < '\t' || r == '\ufffd' }) {
			forms["UTF-16"], forms["UTF-16, big"] = inUTF16(key, false), inUTF16(key, true)
			forms["UTF-16 without a mark"] = inUTF16(key, false)[2:]
			forms["byte order mark"] = append([]byte("\xef\xbb\xbf"), key...)
			forms["CRLF, indented"] = []byte("\r\n  " + strings.ReplaceAll(string(key), "\n", "\r\n  ") + "\r\n")
			forms["text before"] = append([]byte("my key:\n\n"), key...)
			if bytes.HasPrefix(key, []byte("-----BEGIN ")) {
				forms["Kubernetes Secret"] = []byte(`{"kind":"Secret","data":{"cosign.key":"` + base64.StdEncoding.EncodeToString(key) + `"}}`)
			}
			if name == "testdata/throwaway.jwk" || name == "testdata/throwaway.jwks" || name == "testdata/throwaway-tuf.json" {
				delete(forms, "text before") // no JSON then
			}
		} else {
			delete(forms, "base64 of UTF-16")
		}
		if name == "testdata/throwaway-tauri.key" { // in base64 already, and seen through once
			forms = map[string][]byte{"as it is": key, "UTF-16": inUTF16(key, false), "byte order mark": forms["byte order mark"]}
		}
		for form, data := range forms {
			s, ok := textlayer.FindSecret(data)
			if !ok || s.Kind == "" || s.Public == "" {
				t.Errorf("%s, %s: %+v", filepath.Base(name), form, s)
			}
		}
	}
}

// A file is a private key when it is one from its first line on.
func TestWholeFiles(t *testing.T) {
	names, _ := filepath.Glob("testdata/throwaway*")
	for _, name := range names {
		switch filepath.Base(name) {
		case "throwaway-tauri.key": // in base64 already
			continue
		}
		key := read(t, name)
		for _, data := range [][]byte{key, []byte(base64.StdEncoding.EncodeToString(key)), append([]byte("\n"), key...)} {
			if _, ok := textlayer.IsSecret(data); !ok && (key[0] < 0x80 || data[0] != '\n') && key[0] != 0x30 {
				t.Errorf("%s is not noticed", name)
			}
		}
	}
	for _, text := range []string{
		"#!/bin/sh\ngrep -q -e '-----BEGIN PRIVATE KEY-----' \"$1\" && exit 1\n", "# Keys\n\nThey begin so:\n\n    -----BEGIN PRIVATE KEY-----\n",
		"release 1.0\n", "", "untrusted comment: x\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
	} {
		if s, ok := textlayer.IsSecret([]byte(text)); ok {
			t.Errorf("%q: %s", text, s.Kind)
		}
	}
}

// Nothing that is no private key is taken for one: public keys, signatures, certificates, artifacts of all formats.
func TestNoPrivateKeys(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "fuzz":
			return fs.SkipDir
		case d.IsDir(), !strings.Contains(name, "testdata"), strings.Contains(name, "throwaway"), strings.Contains(name, "secret"):
			return nil
		}
		if ext := filepath.Ext(name); ext == ".sh" || ext == ".go" || ext == ".java" {
			return nil
		}
		files++
		if s, ok := textlayer.FindSecret(read(t, name)); ok {
			t.Errorf("%s: %s", name, s.Kind)
		}
		return nil
	})
	if err != nil || files < 300 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestWordsAreNoPrivateKey(t *testing.T) {
	for _, text := range []string{
		"Never send your PRIVATE KEY to anybody.\n",
		"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- -----BEGIN PRIVATE KEY-----\n- -----END PRIVATE KEY-----\n-----BEGIN PGP SIGNATURE-----\n",
		"see PuTTY-User-Key-File-3 and AGE-SECRET-KEY-1 in the manual\n",
		`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, `{"d":"a word","k":1}`, `{"keyval":{"public":"AA","private":""}}`,
		`{"disk":{"encrypted":true,"data":"/dev/sda2"}}`, `{"encrypted":true,"data":["a","b"]}`, // no key of go-tuf's
		"untrusted comment: a key whose id starts like a secret\nRWRCS" + strings.Repeat("A", 51) + "\n",
		"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20" + strings.Repeat("x", 32), // a DigestInfo
	} {
		if s, ok := textlayer.FindSecret([]byte(text)); ok {
			t.Errorf("%.60q: %s", text, s.Kind)
		}
	}
}

// A raw signature is any octets: none of many is taken for a private key, for a text or for another format in base64.
func TestRawSignaturesStay(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		raw := make([]byte, []int{64, 96, 132, 256, 384, 512}[random.IntN(6)])
		for i := range raw {
			raw[i] = byte(random.Uint32())
		}
		if s, ok := textlayer.FindSecret(raw); ok {
			t.Fatalf("%x: %s", raw, s.Kind)
		}
		if got, err := textlayer.Unwrap(raw); err != nil || !bytes.Equal(got, raw) {
			t.Fatalf("%x: %x, %v", raw, got, err)
		}
		text := []byte(base64.StdEncoding.EncodeToString(raw))
		if got, err := textlayer.Unwrap(text); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%s: %x, %v", text, got, err)
		}
	}
}

// What is made to take long takes no longer than its length lets expect.
func TestHostileLengths(t *testing.T) {
	for _, piece := range []string{"RWQAAEIy", "RWRCS", "\nRWRCS", "PRIVATE KEY", "-----BEGIN ", "PuTTY-User-Key-File-", "\n PuTTY-User-Key-File", "[", `{"kty":`, " ", "\x94\x00"} {
		data := bytes.Repeat([]byte(piece), (4<<20)/len(piece))
		start := time.Now()
		textlayer.FindSecret(data)
		_, _ = textlayer.Unwrap(data)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("4 MiB of %q took %v", piece, took)
		}
	}
}

// A private key in JSON is noticed behind a public key, where it would be taken for nothing.
func TestPrivateKeyBehindText(t *testing.T) {
	public := "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQ==\n-----END PUBLIC KEY-----\n"
	for _, name := range []string{"throwaway.jwk", "throwaway.jwks", "throwaway-tuf.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, before := range []string{public, "my key:\r\n\n", "[not JSON\n{nor this\n"} {
			if _, ok := textlayer.FindSecret(append([]byte(before), raw...)); !ok {
				t.Errorf("%s behind %.12q is not noticed", name, before)
			}
		}
	}
	if _, ok := textlayer.FindSecret([]byte(public + `{"kty":"EC","crv":"P-256","x":"a","y":"b"}`)); ok {
		t.Error("a public key is called private")
	}
}

// SPDX-License-Identifier: Apache-2.0

package textlayer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// findReference is findJSON by encoding/json, as it was before it read faster.
func findReference(data []byte) bool {
	if findFirstReference(data) {
		return true
	}
	if len(data) > maxJSON {
		return false
	}
	for left := maxJSONs; left > 0; {
		_, rest, found := bytes.Cut(data, []byte("\n"))
		if !found {
			break
		}
		data = rest
		if text := bytes.TrimLeft(data, " \t"); len(text) == 0 || text[0] != '{' && text[0] != '[' {
			continue
		}
		left--
		if findFirstReference(data) {
			return true
		}
	}
	return false
}

func findFirstReference(data []byte) bool {
	v, ok := decodeReference(data)
	return ok && holdsReference(v)
}

func decodeReference(data []byte) (v any, ok bool) {
	text := bytes.TrimLeft(data, blanks)
	if len(text) > maxJSON || len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return nil, false
	}
	return v, json.NewDecoder(bytes.NewReader(text)).Decode(&v) == nil
}

func holdsReference(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, holdsReference)
	case string:
		_, ok := findPEM([]byte(v))
		if inner, encoded := DecodeBase64([]byte(v)); !ok && encoded {
			_, ok = findPEM(inner)
		}
		return ok
	case map[string]any:
		if isSecretReference(v) {
			return true
		}
		for _, e := range v {
			if holdsReference(e) {
				return true
			}
		}
	}
	return false
}

func isSecretReference(v map[string]any) bool {
	if data, _ := v["data"].(map[string]any); v["encrypted"] == true && data["ciphertext"] != nil {
		return true
	}
	if _, jwk := v["kty"].(string); jwk && (v["d"] != nil || v["k"] != nil) {
		return true
	}
	value, _ := v["keyval"].(map[string]any)
	for name, member := range value {
		if strings.EqualFold(name, "private") && member != nil && member != "" {
			return true
		}
	}
	return false
}

// checkSearch: what the reference finds is found; what it can read and holds no name twice is judged the same.
func checkSearch(t *testing.T, data []byte) {
	t.Helper()
	_, got := findFirstJSON(data)
	want := findFirstReference(data)
	if want && !got {
		t.Fatalf("%.300q: not found", data)
	}
	v, ok := decodeReference(data)
	if ok && got != want && jsontext.NewDecoder(bytes.NewReader(data)).SkipValue() == nil {
		t.Fatalf("%.300q: found, was not", data)
	}
	if ok && HoldsSecret(v) != holdsReference(v) {
		t.Fatalf("%.300q: decoded, found is %v", data, HoldsSecret(v))
	}
	if _, got := findJSON(data); !got && (want || findReference(data)) {
		t.Fatalf("%.300q: not found behind", data)
	}
}

// secretJSONs are private keys in JSON, and what only looks like them.
func secretJSONs() []string {
	pem := "-----BEGIN PRIVATE KEY-----\\nMA==\\n-----END PRIVATE KEY-----"
	list := []string{
		`{"kty":"EC","d":"x"}`, `{"k":0,"kty":""}`, `{"kty":1,"d":"x"}`, `{"kty":"EC","d":null,"k":null}`, `{"kty":"EC","D":"x"}`, `{"\u006bty":"EC","\u0064":false}`, `[[{"a":{"kty":"EC","d":{}}}]]`,
		`{"keyval":{"private":"x"}}`, `{"keyval":{"PRIvate":1}}`, `{"keyval":{"private":""}}`, `{"keyval":{"private":null}}`, `{"keyval":{"private":[]}}`, `{"keyval":[{"private":1}]}`, `{"private":"x"}`,
		`{"encrypted":true,"data":{"ciphertext":"x"}}`, `{"data":{"ciphertext":0},"encrypted":true}`, `{"encrypted":"true","data":{"ciphertext":"x"}}`, `{"encrypted":true,"data":{"ciphertext":null}}`,
		`{"encrypted":true,"data":[{"ciphertext":"x"}]}`, `{"encrypted":true,"ciphertext":"x"}`, `{"encrypted":true,"encrypted":false,"data":{"ciphertext":1}}`, `{"encrypted":false,"encrypted":true,"data":{"ciphertext":1}}`,
		`{"kty":"EC","kty":1,"d":1}`, `{"keyval":{"private":"","private":"x"}}`, `{"keyval":{"private":"x"},"keyval":1}`, `{"\ud800":1,"kty":"EC","d":1}`, "{\"\xff\":\"\xff\",\"kty\":\"EC\",\"d\":1}",
		`["` + pem + `"]`, `["-----BEGIN \u0050RIVATE KEY-----"]`, `["- -----BEGIN PRIVATE KEY-----"]`, `["BEGIN PRIVATE KEY"]`, "[\"-BEGIN \xff\xff\xff PRIVATE KEY\"]", `{"` + pem + `":1}`, `["-BEGIN PRIVATE KEY"]`,
		`{"n":1e999,"kty":"EC","d":1}`, `{"kty":"EC","d":1`, `{"kty":"EC","d":1}}`, `{"kty":"EC","d":1} x`, "{\n\"a\":\n{\n\"kty\":\"EC\",\n\"x\":1\n}}\n[{\"kty\":\"EC\",\"d\":1}]", `{"kty":"EC" "d":1}`,
		strings.Repeat("[\n", 20) + strings.Repeat("]", 20) + "\n" + `{"kty":"EC","d":1}`,
	}
	for i := range 8 { // at every place in a group of base64
		text := strings.Repeat("x", i) + "\n-----BEGIN PRIVATE KEY-----"
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			list = append(list, `["`+e.EncodeToString([]byte(text))+`"]`, `["`+e.EncodeToString([]byte(text))[1:]+`"]`)
		}
		list = append(list, `["`+base64.StdEncoding.EncodeToString([]byte("-BEGIN "+strings.Repeat("x", i)+"PRIVATE KEY"))+`"]`)
	}
	for _, depth := range []int{100, 9_999, 10_000, 10_001} {
		list = append(list, strings.Repeat("[", depth)+`{"kty":"EC","d":1}`+strings.Repeat("]", depth))
	}
	list = append(list, "[\n[\n"+strings.Repeat("[", 9_998)+`{"kty":"EC","d":1}`+strings.Repeat("]", 9_998)) // too deep from the first line alone
	return list
}

// TestSearchAsBefore: private keys, files of all formats, and random changes to both.
func TestSearchAsBefore(t *testing.T) {
	t.Parallel()
	list := secretJSONs()
	names, _ := filepath.Glob("testdata/*.j*")
	more, err := filepath.Glob("../tuf/testdata/*.json")
	if err != nil || len(more) < 15 {
		t.Fatalf("%d files, %v", len(more), err)
	}
	for _, name := range append(names, more...) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(data))
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for _, s := range list {
		checkSearch(t, []byte(s))
		checkSearch(t, []byte("my key:\n"+s))
		checkSearch(t, fmt.Appendf(nil, "{\"a\":[1]}\n %s\n%s", s, s))
		for range 50 {
			b := []byte(s)
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			checkSearch(t, b)
			checkSearch(t, b[:rng.IntN(len(b))])
		}
	}
}

// TestSearchBeyondBefore: what other readers may take for a private key, and encoding/json does not read or passes over.
func TestSearchBeyondBefore(t *testing.T) {
	open := strings.Repeat("[\n", maxJSONs+1)
	inner := open + strings.Repeat("]", maxJSONs+1) + "\n"
	for _, s := range []string{
		`{"kty":"EC","d":1`, `{"keys":[{"kty":"EC","d":1},`, `{"encrypted":true,"data":{"ciphertext":"x"}`, `[{"kty":"EC","d":1} {}]`, `{"n":1e999,"kty":"EC","d":1}`,
		`{"keyval":{"private":"x"},"keyval":{}}`, inner + `{"kty":"EC","d":1}`, open + "x\n" + `{"kty":"EC","d":1}`,
	} {
		if _, ok := FindSecret([]byte(s)); !ok {
			t.Errorf("%.60q: not found", s)
		}
		if findReference([]byte(s)) {
			t.Errorf("%.60q: was found", s)
		}
	}
}

// TestBrokenReadOnce: what breaks off is not read again from each line that it began on.
func TestBrokenReadOnce(t *testing.T) {
	const texts = 1000 // with an escape, for which memory is taken
	data := []byte(strings.Repeat("[\n", maxJSONs+1) + strings.Repeat(`"\n",`, texts))
	if n := testing.AllocsPerRun(5, func() { findJSON(data) }); n > 1.5*texts {
		t.Errorf("%v allocations for %d texts", n, texts)
	}
}

// TestSecretCapitals: no text that PEM is found in lacks the letters without which nobody looks.
func TestSecretCapitals(t *testing.T) {
	for before := range 6 {
		for _, c := range []byte("\x00 a\xff") {
			text := bytes.Repeat([]byte{c}, before)
			text = append(text, "PRIVATE KEY"...)
			text = append(text, bytes.Repeat([]byte{c}, 2)...)
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
				if s := e.EncodeToString(text); !strings.ContainsAny(s, secretCapitals) {
					t.Errorf("%q in base64 is %s", text, s)
				}
			}
		}
	}
}

// FuzzFindJSON holds the search against encoding/json's.
func FuzzFindJSON(f *testing.F) {
	for _, s := range secretJSONs() {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	f.Fuzz(checkSearch)
}

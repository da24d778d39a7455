// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"hash"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/ProtonMail/go-crypto/openpgp"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func rebuild(t testing.TB, r formats.Recipe, artifact io.Reader) string {
	t.Helper()
	out, err := io.ReadAll(r.Reader(artifact))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func crlf(t testing.TB, text string) string {
	return rebuild(t, formats.Recipe{Artifact: true, CRLF: true}, bytes.NewReader([]byte(text)))
}

func TestRecipe(t *testing.T) {
	for name, c := range map[string]struct {
		recipe formats.Recipe
		want   string
	}{
		"artifact":         {formats.Recipe{Artifact: true}, "a\nb"},
		"nothing":          {formats.Recipe{}, ""},
		"between":          {formats.Recipe{Prefix: []byte("<"), Artifact: true, Suffix: []byte(">")}, "<a\nb>"},
		"as text":          {formats.Recipe{Prefix: []byte("\n"), Artifact: true, CRLF: true, Suffix: []byte("\n")}, "\na\r\nb\n"},
		"without artifact": {formats.Recipe{Prefix: []byte("<"), Suffix: []byte(">"), CRLF: true}, "<>"},
	} {
		if got := rebuild(t, c.recipe, bytes.NewReader([]byte("a\nb"))); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	sum := sha512.Sum512([]byte("<a\nb>"))
	hashed := formats.Recipe{Prefix: []byte("<"), Artifact: true, Suffix: []byte(">"), Hash: formats.SHA512}
	if got := rebuild(t, hashed, bytes.NewReader([]byte("a\nb"))); got != string(sum[:]) {
		t.Errorf("hashed: %x", got)
	}
	if got := rebuild(t, formats.Recipe{Prefix: []byte("<")}, nil); got != "<" {
		t.Errorf("without an artifact: %q", got)
	}
}

func TestRecipeReaderFails(t *testing.T) {
	broken := errors.New("broken")
	failing := iotest.ErrReader(broken)
	if _, err := io.ReadAll(formats.Recipe{Artifact: true, Hash: formats.SHA512}.Reader(failing)); !errors.Is(err, broken) {
		t.Errorf("hashed: %v", err)
	}
	for _, text := range []bool{false, true} {
		src := io.MultiReader(bytes.NewReader([]byte("a\n")), iotest.ErrReader(broken))
		if _, err := io.ReadAll(formats.Recipe{Artifact: true, CRLF: text}.Reader(src)); !errors.Is(err, broken) {
			t.Errorf("as text %v: %v", text, err)
		}
	}
}

// TestLineEnds: a line ends with LF, or with CR and LF. Other CRs are part of the text.
func TestLineEnds(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a": "a", "\n": "\r\n", "\r\n": "\r\n", "\n\n": "\r\n\r\n", "\r\n\n": "\r\n\r\n",
		"a\nb\r\nc": "a\r\nb\r\nc", "\r": "\r", "a\rb": "a\rb", "\ra\n": "\ra\r\n",
		"\n\r": "\r\n\r", "\r\r": "\r\r", "\r\r\n": "\r\r\n", "\r\r\r\n": "\r\r\r\n", " \n": " \r\n",
	} {
		if got := crlf(t, in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// TestLineEndsOfAllShortTexts tries every text of up to seven letters of three.
func TestLineEndsOfAllShortTexts(t *testing.T) {
	for n := range 8 {
		text := make([]byte, n)
		for i := range pow(3, n) {
			for at := range text {
				text[at] = "a\r\n"[i/pow(3, at)%3]
			}
			checkLineEnds(t, string(text))
		}
	}
}

func pow(base, exponent int) int {
	out := 1
	for range exponent {
		out *= base
	}
	return out
}

// FuzzLineEnds: as checkLineEnds says, whatever the text.
func FuzzLineEnds(f *testing.F) {
	for _, text := range []string{"a\nb\n", "a\r\nb\r\n", "\r\r\n", "\r", "a\rb\n", "\n\r\n\r"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkLineEnds(t, text) })
}

// checkLineEnds: twice is as once, reads cut anywhere change nothing, and go-crypto hashes the
// same. It differs where an even number of CRs stands before LF, as it does not see that the
// last of them belongs to the line end, and writes another; its result is then another text,
// and so nothing that it signed with such line ends verifies here.
func checkLineEnds(t testing.TB, text string) {
	t.Helper()
	once := crlf(t, text)
	if twice := crlf(t, once); twice != once {
		t.Errorf("%q becomes %q, then %q", text, once, twice)
	}
	slow := rebuild(t, formats.Recipe{Artifact: true, CRLF: true}, iotest.OneByteReader(bytes.NewReader([]byte(text))))
	if slow != once {
		t.Errorf("%q becomes %q, and byte by byte %q", text, once, slow)
	}
	var theirs written
	_, _ = openpgp.NewCanonicalTextHash(&theirs).Write([]byte(text))
	if (theirs.String() == once) == evenCRs([]byte(text)) {
		t.Errorf("%q becomes %q, with go-crypto %q", text, once, theirs.String())
	}
}

// evenCRs reports whether some LF comes after an even number of CRs, two or more.
func evenCRs(text []byte) bool {
	run := 0
	return slices.ContainsFunc(text, func(b byte) bool {
		even := b == '\n' && run > 0 && run%2 == 0
		if run++; b != '\r' {
			run = 0
		}
		return even
	})
}

// written is a hash that keeps what is written.
type written struct {
	hash.Hash
	bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) { return w.Buffer.Write(p) }
func (w *written) Reset()                      { w.Buffer.Reset() }

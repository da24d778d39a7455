// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// readLong reads body, with strings of more than short bytes taken out.
func readLong(t *testing.T, body io.Reader, short int, maxArtifact int64, memory *gateway.Memory) (*LongJSON, error) {
	t.Helper()
	account, err := memory.Admit(RequestMemory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(account.Close)
	r := NewReader(Config{MaxArtifact: maxArtifact, MaxSpool: 4 * maxArtifact, SpoolDir: t.TempDir()})
	out := &LongJSON{held: account.Part()}
	s := longScanner{r: r, keep: true, short: short, src: bufio.NewReaderSize(body, max(16, short/16)), out: out}
	if err := s.scan(); err != nil {
		out.Close()
		return nil, err
	}
	return out, nil
}

// FuzzReadLongJSON: what is read in a stream says what the whole body says when it is decoded at once, and is refused where that could not be decoded.
// It is counted, and given back.
func FuzzReadLongJSON(f *testing.F) {
	long := base64.StdEncoding.EncodeToString([]byte("an artifact of some length"))
	f.Add([]byte(`{"kind":"rekord","spec":{"data":{"content":"` + long + `"},"signature":{"content":"AA=="}}}`))
	f.Add([]byte(`{"a":"` + strings.ReplaceAll(long, "Y", `\u0059`) + `","b":["` + long + `","` + long + `"]}`))
	f.Add([]byte(`{"a":"` + long[:20] + `\n\/` + long[20:] + `"}`))
	f.Add([]byte(`"` + long[:24] + `==AAAA"`))
	f.Add([]byte(`"AA==AAAAAAAAAAAAAAAAAAAA"`))
	f.Add([]byte(`"` + long[:21] + `\ud800\udc00"`))
	f.Add([]byte(`"` + long + `\`))
	f.Add([]byte("\"" + long + "\n\""))
	f.Add([]byte(`"` + strings.Repeat(`\n`, 400) + `"`))
	f.Fuzz(func(t *testing.T, sent []byte) {
		const short, most = 16, 64
		memory := gateway.NewMemory(64 << 20)
		j, err := readLong(t, iotest.HalfReader(bytes.NewReader(sent)), short, most, memory)
		if err != nil {
			checkClientsFault(t, err)
			if formats.ReasonOf(err) != formats.ReasonTooLarge && isWhole(sent, short) {
				t.Errorf("%q is refused: %v", sent, err)
			}
			return
		}
		compareWhole(t, j, sent)
		j.Close()
		if used := memory.Used(); used != RequestMemory {
			t.Errorf("%d bytes stay held", used-RequestMemory)
		}
	})
}

// isWhole reports whether raw is JSON, and its strings of more than short bytes are base64.
func isWhole(raw []byte, short int) bool {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
	for {
		v, err := dec.ReadToken()
		switch {
		case err == io.EOF: //nolint:errorlint // jsontext's own
			return true
		case err != nil:
			return false
		case v.Kind() == jsontext.KindString && len(v.String()) > short:
			if _, err := base64.StdEncoding.DecodeString(v.String()); err != nil {
				return false
			}
		}
	}
}

// compareWhole compares what was read of whole in a stream with what a decoder makes of it.
func compareWhole(t *testing.T, j *LongJSON, whole []byte) {
	t.Helper()
	streamed, want := j.Decoder(), jsontext.NewDecoder(bytes.NewBuffer(whole))
	for {
		got, gotErr := streamed.ReadToken()
		if got.Kind() == jsontext.KindString {
			got = got.Clone()
		}
		expected, err := want.ReadToken()
		if gotErr != nil || err != nil {
			if errors.Is(gotErr, io.EOF) != errors.Is(err, io.EOF) || (gotErr == nil) != (err == nil) && len(j.longs) == 0 {
				t.Errorf("%q: %v, and decoded at once %v", whole, gotErr, err)
			}
			return
		}
		long := j.FindLong(streamed)
		if long == nil {
			if got.String() != expected.String() || got.Kind() != expected.Kind() {
				t.Errorf("%q: %s, and decoded at once %s", whole, got, expected)
			}
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(expected.String())
		read, rerr := io.ReadAll(long.Artifact().Reader())
		if err != nil || rerr != nil || !bytes.Equal(raw, read) || long.Size != int64(len(raw)) || long.SHA256 != sha256.Sum256(raw) {
			t.Errorf("%q: %q %v, and decoded at once %q %v", whole, read, rerr, raw, err)
		}
	}
}

// A large artifact in JSON costs no memory, its end is found wherever it is, and what is wrong with it is told.
func TestReadLongJSON(t *testing.T) {
	const size = 20 << 20
	artifact := make([]byte, size)
	_, _ = rand.Read(artifact)
	text := base64.StdEncoding.EncodeToString(artifact)
	body := `{"data":{"content":"` + text + `"},"signature":"QUJD"}`
	memory := gateway.NewMemory(1 << 20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	j, err := readLong(t, strings.NewReader(body), MaxShortString, size, memory)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	if len(j.longs) != 1 || j.longs[0].SHA256 != sha256.Sum256(artifact) || string(j.raw) != `{"data":{"content":""},"signature":"QUJD"}` {
		t.Errorf("%d long strings, and %s", len(j.longs), j.raw)
	}
	j.Close()
	long := text[:MaxShortString+4]
	for name, test := range map[string]struct {
		body   string
		most   int64
		reason formats.Reason
	}{
		"too large":               {body, size - 1, formats.ReasonTooLarge},
		"line ends without end":   {`"` + strings.Repeat(`\r\n`, 4<<20) + `"`, 1 << 20, formats.ReasonTooLarge},
		"spaces without end":      {strings.Repeat(" ", MaxLongRest+1), size, formats.ReasonTooLarge},
		"four long strings":       {`["` + strings.Repeat(long+`","`, 4) + `"]`, size, formats.ReasonTooLarge},
		"no base64":               {`"` + long + `!!"`, size, "MALFORMED_REQUEST"},
		"base64url":               {`"` + long + `__--"`, size, "MALFORMED_REQUEST"},
		"padding within":          {`"` + long + `AA==AAAA"`, size, "MALFORMED_REQUEST"},
		"a cut quantum":           {`"` + long + `A"`, size, "MALFORMED_REQUEST"},
		"a cut string":            {`{"a":"` + long, size, "MALFORMED_REQUEST"},
		"a control character":     {`"` + long + "\n" + `AAAA"`, size, "MALFORMED_REQUEST"},
		"an escape that is none":  {`"` + long + `\x"`, size, "MALFORMED_REQUEST"},
		"half of a surrogate":     {`"` + long + `\ud800"`, size, "MALFORMED_REQUEST"},
		"a long name is not read": {`{"` + long + "\x00" + `":1}`, size, "MALFORMED_REQUEST"},
	} {
		_, err := readLong(t, strings.NewReader(test.body), MaxShortString, test.most, gateway.NewMemory(64<<20))
		if formats.ReasonOf(err) != test.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readLong(t, strings.NewReader(strings.Repeat("[", 2<<20)), MaxShortString, size, gateway.NewMemory(1<<20)); !errors.Is(err, gateway.ErrMemoryFull) {
		t.Errorf("with little memory: %v", err)
	}
}

// What a body holds on disk is gone when it is closed, and when it is refused.
func TestLongJSONGivesDiskBack(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(make([]byte, 2*MaxShortString))
	r := NewReader(Config{MaxArtifact: 1 << 20, MaxSpool: 1 << 20, SpoolDir: t.TempDir()})
	for body, ok := range map[string]bool{`["` + long + `","` + long + `"]`: true, `["` + long + `","` + long + `!"]`: false} {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		account, err := gateway.NewMemory(1 << 20).Admit(RequestMemory)
		if err != nil {
			t.Fatal(err)
		}
		j, err := r.ReadLongJSON(req.WithContext(gateway.WithHeld(req.Context(), account)), http.NewResponseController(httptest.NewRecorder()), true)
		if (err == nil) != ok {
			t.Fatalf("%v", err)
		}
		if ok {
			if used := r.spool.Used(); used != 4*MaxShortString {
				t.Errorf("%d bytes on disk", used)
			}
			j.Close()
		}
		if used := r.spool.Used(); used != 0 {
			t.Errorf("%d bytes stay on disk", used)
		}
	}
}

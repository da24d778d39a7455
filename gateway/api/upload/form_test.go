// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

func formPart(name, content string) string {
	return "--x\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + content + "\r\n"
}

// post is a request whose memory is counted in m.
func post(t *testing.T, m *gateway.Memory, contentType string, body io.Reader) *http.Request {
	t.Helper()
	held, err := m.Admit(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(held.Close)
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.Header.Set("Content-Type", contentType)
	return r.WithContext(gateway.WithHeld(r.Context(), held))
}

func readWith(t *testing.T, m *gateway.Memory, contentType, body string) (*Submission, error) {
	t.Helper()
	r := NewReader(Config{MaxArtifact: 1 << 20, MaxSpool: 1 << 20, SpoolDir: t.TempDir()})
	return r.ReadSubmission(httptest.NewRecorder(), post(t, m, contentType, strings.NewReader(body)), needKey)
}

// What a body holds is counted while it is held, and a body that finds no room is refused and counts for nothing.
func TestBodiesAreCounted(t *testing.T) {
	const large = 100 << 10
	key := strings.Repeat("k", large)
	form := formPart("signature", "sig") + formPart("key", key) + "--x--\r\n"
	json := `{"signature":"c2ln","keys":["` + strings.Repeat("QUFB", large/4) + `"]}`
	for name, c := range map[string]struct {
		kind, body string
		left       int64 // once it is read
	}{
		"form": {"multipart/form-data; boundary=x", form, FormMemory + large},
		"JSON": {"application/json", json, large},
	} {
		m := gateway.NewMemory(4 << 20)
		sub, err := readWith(t, m, c.kind, c.body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if used := m.Used(); used < c.left || used > 2*c.left+512 {
			t.Errorf("%s: %d bytes are counted, at least %d are held", name, used, c.left)
		}
		if sub.Close(); m.Used() != 0 || sub.Header.Keys != nil {
			t.Errorf("%s: %d bytes stay held", name, m.Used())
		}
		full := gateway.NewMemory(large / 2)
		if _, err := readWith(t, full, c.kind, c.body); !errors.Is(err, gateway.ErrMemoryFull) || full.Used() != 0 {
			t.Errorf("%s without room: %v, %d bytes stay held", name, err, full.Used())
		}
	}
}

// The header lines of a part are few, although mime/multipart takes 10 MiB of them.
func TestPartHeadersAreBound(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("A: b\r\n", n/6) }
	for name, c := range map[string]struct {
		body string
		want formats.Reason
	}{
		"as curl sends": {"--x\r\n" + lines(600) + "Content-Disposition: form-data; name=\"signature\"\r\n\r\ns\r\n--x--\r\n", ""},
		"too many":      {"--x\r\n" + lines(2*MaxPartHeader) + "\r\n", formats.ReasonTooLarge},
		"one long line": {"--x\r\nA: " + strings.Repeat("b", 2*MaxPartHeader), formats.ReasonTooLarge},
		"preamble":      {strings.Repeat("text\r\n", MaxPartHeader), formats.ReasonTooLarge},
		"after a part":  {formPart("signature", strings.Repeat("s", 1<<20)) + "--x\r\n" + lines(2*MaxPartHeader), formats.ReasonTooLarge},
	} {
		sub, err := readWith(t, gateway.NewMemory(16<<20), "multipart/form-data; boundary=x", c.body)
		if formats.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if sub != nil {
			sub.Close()
		}
	}
}

// A plan's form may have an artifact, which is read past, however large.
func TestReadHeaderSkipsTheArtifact(t *testing.T) {
	body := formPart("artifact", strings.Repeat("a", 1<<20)) + formPart("signature", "sig") + "--x--\r\n"
	m := gateway.NewMemory(16 << 20)
	sub, err := NewReader(Config{MaxArtifact: 2 << 20}).ReadHeader(httptest.NewRecorder(), post(t, m, "multipart/form-data; boundary=x", strings.NewReader(body)))
	if err != nil || string(sub.Header.Signature) != "sig" {
		t.Fatalf("%v", err)
	}
	if sub.Close(); m.Used() != 0 {
		t.Errorf("%d bytes stay held", m.Used())
	}
}

// Tiny values, of which JSON can hold millions, take many times their size once they are decoded.
func TestJSONIsNotInflated(t *testing.T) {
	var labels bytes.Buffer
	for i := range MaxJSONLabels / 8 {
		fmt.Fprintf(&labels, `"%x":"",`, i)
	}
	for name, c := range map[string]struct {
		body string
		want formats.Reason
	}{
		"many keys":   {`{"keys":[` + strings.Repeat(`"",`, 100_000) + `""]}`, problem.ReasonMalformedRequest},
		"many labels": {`{"labels":{` + labels.String() + `"a":"b"}}`, gateway.ReasonMalformedLabel},
		"few of both": {`{"signature":"c2ln","keys":["YQ==","YQ=="],"labels":{"a":"b","c":"d"}}`, ""},
	} {
		sub, err := readWith(t, gateway.NewMemory(16<<20), "application/json", c.body)
		if formats.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if sub != nil {
			sub.Close()
		}
	}
}

// Whoever misspells a part is told which one.
func TestUnknownPartsAreNamed(t *testing.T) {
	_, err := readWith(t, gateway.NewMemory(16<<20), "multipart/form-data; boundary=x", formPart("artefact", "x")+"--x--\r\n")
	if p := problem.FromError(err); !strings.Contains(p.Message, `"artefact"`) || !strings.Contains(p.Hint, "artifact") {
		t.Errorf("%+v", p)
	}
}

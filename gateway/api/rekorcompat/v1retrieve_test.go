// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
)

// TestRetrieveLongKey: a signature or key that is too long to be held is not looked for, and nothing stays held of it.
func TestRetrieveLongKey(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(make([]byte, upload.MaxShortString))
	for name, signed := range map[string]string{
		"signature": fmt.Sprintf(`"content":%q,"publicKey":{"content":"AA=="}`, long),
		"key":       fmt.Sprintf(`"content":"AA==","publicKey":{"content":%q}`, long),
	} {
		memory := gateway.NewMemory(256 << 20)
		account, err := memory.Admit(upload.RequestMemory)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"entries":[{"kind":"hashedrekord","apiVersion":"0.0.1","spec":{"data":{"hash":{"algorithm":"sha256","value":"00"}},"signature":{%s}}}]}`, signed)
		v := NewV1(V1Config{Upload: upload.Config{MaxArtifact: 1 << 20, MaxSpool: 1 << 22, SpoolDir: t.TempDir()}, Log: func() V1Log { return nil }})
		r := httptest.NewRequest(http.MethodPost, V1RetrievePath, bytes.NewReader([]byte(body)))
		err = v.ServeRetrieve(httptest.NewRecorder(), r.WithContext(gateway.WithHeld(r.Context(), account)))
		if formats.ReasonOf(err) != formats.ReasonTooLarge {
			t.Errorf("a long %s: %v", name, err)
		}
		if used := memory.Used(); used != upload.RequestMemory {
			t.Errorf("a long %s: %d bytes stay held", name, used-upload.RequestMemory)
		}
	}
}

// TestRetrieveTUF: metadata is looked for as the entry that the log makes of it and its root, where it takes them.
func TestRetrieveTUF(t *testing.T) {
	var log V1Log
	v := &V1{cfg: V1Config{Service: knowsFormats{}, Log: func() V1Log { return log }}}
	find := func(metadata string) (queries, error) {
		read := func(name string) []byte { return must(os.ReadFile("../../../formats/tuf/testdata/" + name)) }
		body := fmt.Appendf(nil, `{"entries":[{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":%s},"root":{"content":%q}}}]}`, read(metadata), base64.StdEncoding.EncodeToString(read("root-1.json")))
		return v.readQueries(t.Context(), must(readLongBody(t, bytes.NewReader(body), false)))
	}
	q, err := find("snapshot.json")
	if err != nil || len(q.ids) != 1 {
		t.Fatalf("%+v, %v", q, err)
	}
	if again, err := find("timestamp.json"); err != nil || len(again.ids) != 1 || again.ids[0] == q.ids[0] {
		t.Errorf("%+v, %v", again, err)
	}
	for metadata, want := range map[string]formats.Reason{"targets.json": formats.ReasonUnsupportedFeature, "targets-one.json": formats.ReasonThresholdNotMet} {
		if q, err := find(metadata); formats.ReasonOf(err) != want || len(q.ids) > 0 {
			t.Errorf("%s: %+v, %v", metadata, q, err)
		}
	}
	log = lateLog{} // of Rekor v2 there is no such entry, and it is not said that it cannot be located
	if q, err := find("snapshot.json"); formats.ReasonOf(err) != formats.ReasonUnsupportedFeature || len(q.ids) > 0 {
		t.Errorf("over a facade: %+v, %v", q, err)
	}
}

// lateLog is a facade that nobody asks.
type lateLog struct {
	V1Log
	V1Awaiter
}

// knowsFormats is a V1Service that is asked for formats alone.
type knowsFormats struct{ V1Service }

func (knowsFormats) Formats() *formats.Registry { return all.Formats() }

// FuzzReadQueries: what is asked for is no more than the log's server takes, and what is not taken is the client's fault.
func FuzzReadQueries(f *testing.F) {
	long := base64.StdEncoding.EncodeToString(make([]byte, upload.MaxShortString))
	signed := func(kind, format, text string) []byte {
		return fmt.Appendf(nil, `{"entries":[{"kind":%q,"apiVersion":"0.0.1","spec":{"data":{"content":%q},"signature":{"format":%q,"content":%q,"publicKey":{"content":%q}}}}]}`, kind, text, format, text, text)
	}
	f.Add([]byte(`{"logIndexes":[0,1],"entryUUIDs":["` + fmt.Sprintf("%080x", 1) + `"],"entries":null}`))
	f.Add(signed(kindRekord, "minisign", long))
	f.Add(signed(kindRekord, "ssh", "AAAA"))
	f.Add(bytes.ReplaceAll(signed(kindHashedRekord, "", long), []byte(`"data":{"content":"`+long+`"}`), []byte(`"data":{"hash":{"algorithm":"sha256","value":"00"}}`)))
	f.Add([]byte(`{"entries":[{"kind":"tuf","apiVersion":"0.0.1","spec":{"metadata":{"content":{"a":"` + long + `"}},"root":{"content":{}}}}]}`))
	v := &V1{cfg: V1Config{Service: knowsFormats{}, Log: func() V1Log { return nil }}}
	f.Fuzz(func(t *testing.T, body []byte) {
		j, err := readLongBody(t, bytes.NewReader(body), false)
		if err != nil {
			return
		}
		q, err := v.readQueries(formats.EnsureWork(t.Context()), j)
		if n := len(q.ids) + len(q.indexes); n > MaxQueries || err == nil && n == 0 {
			t.Errorf("%d are asked for", n)
		}
		if err != nil && formats.ReasonOf(err) == "" {
			t.Errorf("%v is no refusal", err)
		}
	})
}

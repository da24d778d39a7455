// SPDX-License-Identifier: Apache-2.0

package rekord

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var sample = Record{Whole: formats.Whole{Format: "ssh", Signature: []byte("signature"), Key: []byte("key\n")}, Digest: [32]byte{0xab, 31: 1}}

const sampleBody = `{"apiVersion":"0.0.1","kind":"rekord","spec":{"data":{"hash":{"algorithm":"sha256","value":` +
	`"ab00000000000000000000000000000000000000000000000000000000000001"}},"signature":{"content":"c2lnbmF0dXJl","format":"ssh","publicKey":{"content":"a2V5Cg=="}}}}`

func TestBody(t *testing.T) {
	body, err := Body(sample)
	if err != nil || string(body) != sampleBody || !IsRekord(body) {
		t.Fatalf("%s, %v", body, err)
	}
	r, err := Parse(body)
	if err != nil || r.Format != "ssh" || string(r.Signature) != "signature" || string(r.Key) != "key\n" || r.Digest != sample.Digest {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRefusedRecords(t *testing.T) {
	for name, edit := range map[string]func(*Record){
		"format":    func(r *Record) { r.Format = "x509" },
		"injection": func(r *Record) { r.Format = `ssh","x":"` },
		"signature": func(r *Record) { r.Signature = nil },
		"key":       func(r *Record) { r.Key = nil },
		"size":      func(r *Record) { r.Key = make([]byte, MaxBody) },
	} {
		r := sample
		edit(&r)
		if body, err := Body(r); err == nil || body != nil {
			t.Errorf("%s: %.80s", name, body)
		}
	}
}

// TestParseIsStrict: what the log would write in another way, or not at all, is no entry.
func TestParseIsStrict(t *testing.T) {
	for name, edit := range map[string][2]string{
		"upper case":    {"ab00", "AB00"},
		"short digest":  {"ab00", "ab"},
		"algorithm":     {"sha256", "sha512"},
		"white space":   {`"spec":{`, `"spec": {`},
		"order":         {`"content":"c2lnbmF0dXJl","format":"ssh"`, `"format":"ssh","content":"c2lnbmF0dXJl"`},
		"base64":        {"a2V5Cg==", "a2V5Cg"},
		"base64 bits":   {"a2V5Cg==", "a2V5Ch=="},
		"escaped":       {`"ssh"`, `"\u0073sh"`},
		"another kind":  {`"rekord"`, `"hashedrekord"`},
		"version":       {"0.0.1", "0.0.2"},
		"more":          {`"format":"ssh"`, `"format":"ssh","url":"x"`},
		"twice":         {`"data":{`, `"data":{},"data":{`},
		"the artifact":  {`"data":{`, `"data":{"content":"YQ==",`},
		"unknown":       {`"ssh"`, `"x509"`},
		"no signature":  {"c2lnbmF0dXJl", ""},
		"trailing data": {"}}}}", "}}}}\n"},
	} {
		body := []byte(strings.Replace(sampleBody, edit[0], edit[1], 1))
		if r, err := Parse(body); err == nil {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestRequest: the log is sent what it records, and the artifact.
func TestRequest(t *testing.T) {
	q := NewRequest([]byte(sampleBody))
	sent := append(append(bytes.Clone(q.Head), "YXJ0aWZhY3Q="...), q.Tail...)
	var read struct {
		Spec struct{ Data map[string]any }
	}
	if err := json.Unmarshal(sent, &read); err != nil || read.Spec.Data["content"] != "YXJ0aWZhY3Q=" || read.Spec.Data["hash"] == nil {
		t.Errorf("%s: %v", sent, err)
	}
	if without := strings.Replace(string(sent), `"content":"YXJ0aWZhY3Q=",`, "", 1); without != sampleBody {
		t.Errorf("%s", without)
	}
}

// FuzzParse: what is read is what is written again, at the cost of a few copies.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sampleBody))
	f.Add([]byte(strings.Replace(sampleBody, "ssh", "minisign", 1)))
	f.Add([]byte(strings.Repeat(`"`, 1000)))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := Parse(body)
		if err != nil {
			if r.Signature != nil || r.Key != nil || r.Format != "" {
				t.Errorf("%+v beside %v", r, err)
			}
			return
		}
		again, err := Body(r)
		if err != nil || !bytes.Equal(again, body) {
			t.Errorf("%s became %s, %v", body, again, err)
		}
		if len(r.Signature)+len(r.Key) > len(body) {
			t.Error("more came out than went in")
		}
	})
}

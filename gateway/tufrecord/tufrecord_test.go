// SPDX-License-Identifier: Apache-2.0

package tufrecord

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var sample = formats.Whole{Format: "tuf", Signature: []byte(`{"signatures":[]}`), Key: []byte(`{"root":1}`), Embedded: true, SpecVersion: "1.0.31"}

const sampleBody = `{"apiVersion":"0.0.1","kind":"tuf","spec":{"metadata":{"content":"eyJzaWduYXR1cmVzIjpbXX0="},"root":{"content":"eyJyb290IjoxfQ=="},"spec_version":"1.0.31"}}`

func TestBody(t *testing.T) {
	body, err := Body(sample)
	if err != nil || string(body) != sampleBody || !IsTUF(body) {
		t.Fatalf("%s, %v", body, err)
	}
	if w, err := Parse(body); err != nil || !reflect.DeepEqual(w, sample) {
		t.Errorf("%+v, %v", w, err)
	}
}

func TestRefusedRecords(t *testing.T) {
	for name, edit := range map[string]func(*formats.Whole){
		"format":         func(w *formats.Whole) { w.Format = "ssh" },
		"metadata":       func(w *formats.Whole) { w.Signature = nil },
		"root":           func(w *formats.Whole) { w.Key = nil },
		"version":        func(w *formats.Whole) { w.SpecVersion = "" },
		"injection":      func(w *formats.Whole) { w.SpecVersion = `1","x":"` },
		"version's size": func(w *formats.Whole) { w.SpecVersion = strings.Repeat("1", 33) },
	} {
		w := sample
		edit(&w)
		if body, err := Body(w); err == nil || body != nil {
			t.Errorf("%s: %.80s", name, body)
		}
	}
	for _, size := range []int{48 << 10, MaxBody, 10 * MaxBody} {
		w := sample
		w.Signature = make([]byte, size)
		if body, err := Body(w); !errors.Is(err, ErrTooLarge) || body != nil {
			t.Errorf("%d bytes: %.80s, %v", size, body, err)
		}
	}
}

// TestParseIsStrict: what the log would write in another way, or not at all, is no entry.
func TestParseIsStrict(t *testing.T) {
	for name, edit := range map[string][2]string{
		"white space":   {`"spec":{`, `"spec": {`},
		"order":         {`"metadata":{"content":"eyJzaWduYXR1cmVzIjpbXX0="},"root":{"content":"eyJyb290IjoxfQ=="}`, `"root":{"content":"eyJyb290IjoxfQ=="},"metadata":{"content":"eyJzaWduYXR1cmVzIjpbXX0="}`},
		"base64":        {"eyJyb290IjoxfQ==", "eyJyb290IjoxfQ"},
		"base64 bits":   {"eyJyb290IjoxfQ==", "eyJyb290IjoxfR=="},
		"escaped":       {`"1.0.31"`, `"\u0031.0.31"`},
		"another kind":  {`"tuf"`, `"rekord"`},
		"version":       {"0.0.1", "0.0.2"},
		"spec version":  {"1.0.31", "one"},
		"more":          {`"spec_version"`, `"x":"y","spec_version"`},
		"twice":         {`"root":{`, `"root":{},"root":{`},
		"as JSON":       {`"eyJyb290IjoxfQ=="`, `{"root":1}`},
		"no root":       {"eyJyb290IjoxfQ==", ""},
		"trailing data": {`.31"}}`, `.31"}}` + "\n"},
	} {
		body := []byte(strings.Replace(sampleBody, edit[0], edit[1], 1))
		if w, err := Parse(body); err == nil || !reflect.DeepEqual(w, formats.Whole{}) {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
	}
}

// FuzzParse: what is read is what is written again, at the cost of a few copies.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sampleBody))
	f.Add([]byte(strings.Replace(sampleBody, "1.0.31", "1", 1)))
	f.Add([]byte(strings.Repeat(`"`, 1000)))
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := Parse(body)
		if err != nil {
			if !reflect.DeepEqual(w, formats.Whole{}) {
				t.Errorf("%+v beside %v", w, err)
			}
			return
		}
		again, err := Body(w)
		if err != nil || !bytes.Equal(again, body) {
			t.Errorf("%s became %s, %v", body, again, err)
		}
		if len(w.Signature)+len(w.Key)+len(w.SpecVersion) > len(body) {
			t.Error("more came out than went in")
		}
		if allocated := testing.AllocsPerRun(1, func() { _, _ = Parse(body) }); allocated > 20 {
			t.Errorf("%v allocations for %d bytes", allocated, len(body))
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func meter(t testing.TB) *formats.Meter {
	t.Helper()
	m, err := formats.StartWork(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// FuzzDecodeJSON: what is decoded has one meaning. Its canonical form is that of the bytes as
// they came, and decoding that form gives it again.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"b":[true,false,null,"\u00e9\"\\"]}`, `{"a":1,"a":2}`, `{"a":1.0}`, `{"a":-0}`, `{"a":"\ud800"}`,
		`{"a":"\ud83d\ude00"}`, `{"\n":"\u0000"}`, `{"a":[[[]]]} `, "{\"a\":\"\xff\"}", `{"a":<}`, `{"<>&":"\u2028"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := decodeJSON(meter(t), data, formats.ReasonMalformedSignature)
		if err != nil {
			if o.members != nil || formats.ReasonOf(err) == "" {
				t.Fatalf("%v beside %v", o, err)
			}
			return
		}
		ours, err := encodeCanonical(meter(t), o.members)
		if err != nil {
			t.Fatalf("no canonical form: %v", err)
		}
		raw, err := cjson.EncodeCanonical(json.RawMessage(data))
		if err != nil || !bytes.Equal(ours, raw) {
			t.Fatalf("canonical form %q, of the raw bytes %q (%v)", ours, raw, err)
		}
		again, err := decodeJSON(meter(t), escapeControls(ours), formats.ReasonMalformedSignature)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := cjson.EncodeCanonical(again.members); err != nil || !bytes.Equal(ours, twice) {
			t.Fatalf("canonical form %q, decoded again %q (%v)", ours, twice, err)
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzIndentJSON: what is valid and has no white space but blanks comes out as json.Indent's.
func FuzzIndentJSON(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `{"a":{},"b":[], "c":[{}, []],"d":[1,-2.5e+3,true,null,"x"]}`, `""`, `"\\"`, `"\""`, `"\\\"", "`, `{"a\\":"b\\\\","c":"{[,:]}  \n é"}`,
		`[[[[ { "a" : [ [ ] ] } ]]]]`, strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("[", 70) + "1" + strings.Repeat("]", 70),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) || strings.ContainsAny(text, "\t\r\n") {
			t.Skip()
		}
		var want bytes.Buffer
		if err := json.Indent(&want, []byte(strings.Trim(text, " ")), "", indentStep); err != nil {
			t.Fatal(err)
		}
		if got := indentJSON(nil, []byte(text)); string(got) != want.String() {
			t.Errorf("%q becomes\n%s\nnot\n%s", text, got, want.String())
		}
	})
}

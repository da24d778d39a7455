// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

func readTestJSON(t *testing.T, text string) (*Submission, error) {
	t.Helper()
	memory := gateway.NewMemory(256 << 20)
	held, err := memory.Admit(0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	return readJSON(strings.NewReader(text), held, nil)
}

func TestReadJSON(t *testing.T) {
	got, err := readTestJSON(t, `{
		"signature": "-_8=", "keys": ["-_8", "+/8=", "\u002b/8", "YWJj\nZGVm\n", ""], "artifact": "aGVsbG8", "digest": "sha256:00", "signedDigest": "sha512:11",
		"format": "x509", "representation": "NATIVE", "decompress": "gzip", "publishCertificate": true, "labels": {"a": "b", "A": "<>"}
	}`)
	if err != nil {
		t.Fatal(err)
	}
	bits := []byte{0xfb, 0xff}
	want := Header{
		Signature: bits, Keys: [][]byte{bits, bits, bits, []byte("abcdef"), {}}, Digest: "sha256:00", SignedDigest: "sha512:11", Format: "x509", Representation: "NATIVE",
		Decompress: "gzip", PublishCertificate: true, Labels: map[string]string{"a": "b", "A": "<>"},
	}
	if !reflect.DeepEqual(got.Header, want) {
		t.Errorf("%+v", got.Header)
	}
	if artifact, err := io.ReadAll(got.Artifact.Reader()); err != nil || string(artifact) != "hello" {
		t.Errorf("artifact %q, %v", artifact, err)
	}
	absent, err := readTestJSON(t, `{"signature":null,"keys":null,"artifact":null,"digest":null,"labels":null,"publishCertificate":null}`)
	if err != nil || !reflect.DeepEqual(absent.Header, Header{}) || absent.Artifact.Reader() != nil {
		t.Errorf("%+v, %v", absent, err)
	}
	if empty, err := readTestJSON(t, `{"artifact":""}`); err != nil || empty.Artifact.Reader() == nil {
		t.Errorf("an empty artifact is none: %v", err)
	}
}

func TestJSONIsStrict(t *testing.T) {
	const base = `"signature":"YQ=="`
	for name, c := range map[string]struct{ text, want string }{
		"twice":                   {`{` + base + `,"digest":"a","digest":"b"}`, `the field "digest" is there twice`},
		"twice, differently":      {`{` + base + `,"\u0073ignature":"YQ=="}`, `the field "signature" is there twice`},
		"label twice":             {`{` + base + `,"labels":{"a":"b","a":"c"}}`, `the field "a" is there twice`},
		"another letter case":     {`{"Signature":"YQ=="}`, `there is no field "Signature"`},
		"the other name":          {`{` + base + `,"signed_digest":"x"}`, `there is no field "signed_digest"`},
		"for batches alone":       {`{"ref":"x",` + base + `}`, `there is no field "ref"`},
		"unknown":                 {`{` + base + `,"artefact":{"a":[1]}}`, `there is no field "artefact"`},
		"unknown, odd":            {`{"\u001b[31m\u202e` + strings.Repeat("x", 100) + `":1}`, `there is no field "\x1b[31m\u202e`},
		"both alphabets":          {`{"signature":"-/8="}`, "is not the JSON"},
		"no base64":               {`{"signature":"a"}`, "is not the JSON"},
		"no string":               {`{"signature":["YQ=="]}`, "is not the JSON"},
		"number":                  {`{"digest":1}`, "is not the JSON"},
		"no truth":                {`{"publishCertificate":"true"}`, "is not the JSON"},
		"keys, no list":           {`{"keys":"YQ=="}`, "is not the JSON"},
		"labels, no object":       {`{"labels":["a"]}`, "is not the JSON"},
		"label, no text":          {`{"labels":{"a":1}}`, "is not the JSON"},
		"list":                    {`[]`, "is not the JSON"},
		"nothing":                 {``, "is not the JSON"},
		"cut off":                 {`{"keys":["YQ=="`, "is not the JSON"},
		"invalid UTF-8":           {"{\"format\":\"\xff\"}", "is not the JSON"},
		"something after":         {`{` + base + `} {}`, "something after"},
		"too many keys":           {`{"keys":[` + strings.Repeat(`"",`, MaxParts) + `""]}`, "more than 64 keys"},
		"too many labels":         {`{"labels":{` + manyLabels(4000) + `}}`, "the labels are larger"},
		"a long text":             {`{"format":"` + strings.Repeat("x", MaxField+1) + `"}`, "too large"},
		"a large object for text": {`{"format":{` + manyLabels(4000) + `}}`, "is not the JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readTestJSON(t, c.text)
			if err == nil || got != nil {
				t.Fatalf("%+v passed", got)
			}
			p := problem.FromError(err)
			if !strings.Contains(p.Message, c.want) || p.Status != 400 && p.Status != 413 || len(p.Message) > 200 || strings.ContainsAny(p.Message, "\x1b\u202e") {
				t.Errorf("%d %q, want %q", p.Status, p.Message, c.want)
			}
		})
	}
}

func manyLabels(n int) string {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `"%d":"",`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// A broken connection is not taken for malformed JSON.
func TestJSONCutOffByTheConnection(t *testing.T) {
	memory := gateway.NewMemory(64 << 20)
	held, err := memory.Admit(0)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if _, err := readJSON(io.MultiReader(strings.NewReader(`{"sig`), failing{broken}), held, nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

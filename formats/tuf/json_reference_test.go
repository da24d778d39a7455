// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// reference is decodeJSON by encoding/json, as it was before it read faster.
type reference struct {
	meter  *formats.Meter
	tokens *json.Decoder
	reason formats.Reason
	values int
}

func decodeReference(m *formats.Meter, data []byte, reason formats.Reason) (map[string]any, error) {
	if err := m.ChargeBytes(costOctet * len(data)); err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, errMalformed(reason, errNotUnicode)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, errMalformed(reason, errNotJSON)
	}
	if rest := bytes.Trim(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, formats.NewError(formats.ReasonTrailingData, "there is data after the end of the JSON object",
			"send one metadata file at a time, unchanged")
	}
	d := reference{meter: m, tokens: json.NewDecoder(bytes.NewReader(raw)), reason: reason}
	d.tokens.UseNumber()
	v, err := d.decodeValue(0)
	if err != nil {
		return nil, err
	}
	members, ok := v.(map[string]any)
	if !ok {
		return nil, errMalformed(reason, errors.New("the file is no JSON object"))
	}
	return members, nil
}

func (d *reference) decodeValue(depth int) (any, error) {
	if d.values++; d.values > maxValues || depth > maxDepth {
		return nil, formats.NewError(formats.ReasonTooLarge, "the metadata holds too many values or nests them too deeply",
			"split the metadata, for example by delegations")
	}
	if err := d.meter.ChargeElements(costValue); err != nil {
		return nil, err
	}
	t, err := d.tokens.Token()
	if err != nil {
		return nil, errMalformed(d.reason, errNotJSON)
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return d.decodeObject(depth)
		}
		return d.decodeArray(depth)
	case json.Number:
		if _, err := t.Int64(); err != nil || t == "-0" {
			return nil, errMalformed(d.reason, errors.New("a number is not an integer of 64 bits"))
		}
	case string:
		if strings.ContainsRune(t, utf8.RuneError) {
			return nil, errMalformed(d.reason, errNotUnicode)
		}
	}
	return t, nil
}

func (d *reference) decodeArray(depth int) (any, error) {
	list := []any{}
	for d.tokens.More() {
		v, err := d.decodeValue(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.tokens.Token()
	return list, err
}

func (d *reference) decodeObject(depth int) (any, error) {
	members := map[string]any{}
	for d.tokens.More() {
		t, err := d.tokens.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errMalformed(d.reason, errNotJSON)
		}
		if strings.ContainsRune(name, utf8.RuneError) {
			return nil, errMalformed(d.reason, errNotUnicode)
		}
		if _, twice := members[name]; twice {
			return nil, errMalformed(d.reason, fmt.Errorf("the member %.40q stands twice in one object", name))
		}
		if members[name], err = d.decodeValue(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := d.tokens.Token()
	return members, err
}

// findReference is findMembers by encoding/json.
func findReference(data []byte) outline {
	names, all := referenceNames(data)
	return outline{slices.Contains(names, "signed"), slices.Contains(names, "signatures"), all}
}

func referenceNames(data []byte) (names []string, complete bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	depth, isName := 0, false
	for {
		t, err := dec.Token()
		if err != nil {
			return names, false
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return names, true
		}
		s, ok := t.(string)
		if isName = depth == 1 && ok && !isName; isName {
			names = append(names, s)
		}
	}
}

// checkReading holds the reading of data against the reference: the same values or the same refusal in the same words,
// for the same work.
func checkReading(t *testing.T, data []byte) {
	t.Helper()
	work, referenceWork := formats.NewWork(formats.MaxWork), formats.NewWork(formats.MaxWork)
	got, err := decodeJSON(meterOf(t, work), data, formats.ReasonMalformedSignature)
	want, wantErr := decodeReference(meterOf(t, referenceWork), data, formats.ReasonMalformedSignature)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || formats.ReasonOf(err) != formats.ReasonOf(wantErr) {
		t.Fatalf("%.200q: %v, was %v", data, err, wantErr)
	}
	if !reflect.DeepEqual(got.members, want) {
		t.Fatalf("%.200q: %#v, was %#v", data, got.members, want)
	}
	if work.Spent() != referenceWork.Spent() {
		t.Fatalf("%.200q: %d units, were %d", data, work.Spent(), referenceWork.Spent())
	}
	checkOutline(t, data)
}

// maxNesting is where the library's reading ends; encoding/json had no bound on what it only walked over. What
// nests that deep is refused by Parse.
const maxNesting = 10_000

func checkOutline(t *testing.T, data []byte) {
	t.Helper()
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) || bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > maxNesting {
		return
	}
	if got, want := findMembers(data), findReference(data); got != want {
		t.Fatalf("%.200q: %+v, was %+v", data, got, want)
	}
}

func meterOf(t *testing.T, w *formats.Work) *formats.Meter {
	t.Helper()
	m, err := formats.StartWork(formats.WithWork(t.Context(), w), "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func nest(depth int, inner string) string {
	return `{"signed":` + strings.Repeat("[", depth) + inner + strings.Repeat("]", depth) + `,"signatures":[]}`
}

// oddJSON is what JSON readers differ in.
func oddJSON() []string {
	list := []string{
		"", " ", "{", "}", "[", "]", "{}", "[]", "null", "true", "1", "-", "01", "1x", `"a"x`, "nullx", "{}x", "{} \n{}", "{} \v", "\xef\xbb\xbf{}", "{}\x00", "\x00{}", "{\x00}",
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"\ud800":1,"\udfff":2}`, `{"\ufffd":1}`, "{\"\xff\":1}", "{\"\xff\":1,\"\xfe\":2}",
		`{"a":1,}`, `{,"a":1}`, `{"a" 1}`, `{"a"}`, `{"a",}`, `{"a"::1}`, `{1:2}`, `{"a":1 "b":2}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[1}`, `{"a":{]}`, `{'a':1}`, `{a:1}`, `{"a":1]`,
		`{"signed":1x,"signatures":1}`, `{"signed":{},"signatures":[]`, `{"\u0073igned":1,"signatures\u0000":2}`, `{"signed":"signatures"}`, `{"x":"signed","y":"signatures"}`,
		`{"signed":1e999,"signatures":[]}`, `{"a":[-1e999],"signed":1}`, `{"a":1e-999,"signed":1}`, `{"signed":{},"signed":{},"signatures":1}`, `{"x":{"signed":1,"signatures":2}}`,
	}
	for _, n := range []string{
		"0", "-0", "00", "-", "+1", "1.0", "1.", ".1", "1e2", "1E+2", "1e", "-0.0", "-1", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
		"1" + strings.Repeat("0", 400), "0x10", "1_000", "NaN", "Infinity", "nul", "tru", "falsee", "True", "١",
	} {
		list = append(list, `{"a":`+n+`}`, `{"a":[`+n+`],"signed":1}`)
	}
	for _, s := range []string{
		`\u0000`, `\ud800`, `\udc00`, `\ud800\ud800`, `\ud83d\ude00`, `\uD83D\uDE00`, `\ud83d\u0041`, `\ud83dx`, `\ufffd`, `\uFFFD`, `\uFFFE`, `\uffff`, "\ufffd", "\xff", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		`\x41`, `\u12`, `\u123g`, `\`, `\"`, `\\`, `\/`, `\b\f\n\r\t`, `\'`, "\n", "\x00", "\x1f", "\x7f", "\u2028", `\u2028`, "é", "e\u0301", "<>&", "💣",
	} {
		list = append(list, `{"a":"`+s+`"}`, `{"`+s+`":1}`, `{"signed":"`+s+`","signatures":1}`, `{"a`+s+`":1,"a`+s+`":2}`)
	}
	for _, depth := range []int{1, maxDepth - 1, maxDepth, maxDepth + 1, 100, maxNesting - 2, maxNesting - 1, maxNesting, maxNesting + 1} {
		list = append(list, nest(depth, ""), nest(depth, "1.5"), nest(depth, "x"), nest(depth, "")+"x", strings.Repeat("[", depth), strings.Repeat("[", depth)+strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth))
	}
	return list
}

// TestReadsAsBefore: metadata, what JSON readers differ in, and random changes to both read as encoding/json reads them.
func TestReadsAsBefore(t *testing.T) {
	t.Parallel()
	rng := mathrand.New(mathrand.NewPCG(5, 6))
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		data := read(t, filepath.Base(file))
		checkReading(t, data)
		for range 200 {
			checkReading(t, mutate(rng, data))
		}
	}
	for _, s := range oddJSON() {
		checkReading(t, []byte(s))
		checkReading(t, []byte(" \n"+s+"\t"))
	}
}

// TestManyValuesAsBefore: the bound on values comes after the grammar and before what is said of any later value.
func TestManyValuesAsBefore(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("0,", maxValues-3) // with the two around them and the last
	for _, s := range []string{`{"a":[` + zeros + `0]}`, `{"a":[` + zeros + `0,0]}`, `{"a":[` + zeros + `0,0.5]}`, `{"a":[` + zeros + `0.5]}`, `{"a":[` + zeros + `0,x]}`} {
		checkReading(t, []byte(s))
	}
}

// TestOutlineOfPrefixes: whatever is cut off, the members before it are seen, and no others.
func TestOutlineOfPrefixes(t *testing.T) {
	t.Parallel()
	docs := [][]byte{read(t, "targets.json"), read(t, "root-1.json"), []byte(`{"signed":{"a":[1.5e3,-0,"\ud83d\ude00\ud800"]},"signatures":[null,true,false,{}]} {`)}
	for _, s := range oddJSON() {
		if len(s) < 1000 {
			docs = append(docs, []byte(s))
		}
	}
	for _, doc := range docs {
		for n := range len(doc) + 1 {
			checkOutline(t, doc[:n])
		}
	}
}

// TestDetectNested: what is nested deeper than is read is none of TUF's, which nests no deeper than some levels.
func TestDetectNested(t *testing.T) {
	for depth, want := range map[int]bool{maxNesting - 1: true, maxNesting + 1: false} {
		if got := New().Detect([]byte(nest(depth, ""))); got != want {
			t.Errorf("%d levels: %v", depth, got)
		}
	}
}

// FuzzReadsAsBefore holds the reading against encoding/json's.
func FuzzReadsAsBefore(f *testing.F) {
	for _, s := range oddJSON() {
		if len(s) < 1000 {
			f.Add([]byte(s))
		}
	}
	for _, name := range []string{"targets.json", "root-1.json", "snapshot.json"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkReading(t, data)
		checkOutline(t, data[:len(data)/2])
	})
}

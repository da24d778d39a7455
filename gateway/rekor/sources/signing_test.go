// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

func describe(shards []rekorv2.Shard) []string {
	var out []string
	for _, s := range shards {
		end := "-"
		if !s.End.IsZero() {
			end = s.End.Format(time.DateOnly)
		}
		out = append(out, fmt.Sprintf("%s %s…%s write=%s read=%s closed=%v", s.Origin, s.Start.Format(time.DateOnly), end, s.GRPCURL, s.ReadURL, s.Closed))
	}
	slices.Sort(out)
	return out
}

// TestShards: a shard is written to while the signing config and its key say so; what the signing config has dropped is read.
func TestShards(t *testing.T) {
	keys := rootOf(
		keyOf("old.example", lastYear.AddDate(-1, 0, 0), lastYear),
		keyOf("one.example", lastYear, time.Time{}),
		keyOf("two.example", lastYear, midnight.AddDate(1, 0, 0)),
		keyOf("other.example", lastYear, time.Time{}),
		keyOf("static.example", lastYear, time.Time{}),
	)
	services := configOf(anyOf, 0,
		serviceOf("two.example", "a", 2, midnight, time.Time{}),
		serviceOf("one.example", "a", 2, lastYear.AddDate(-1, 0, 0), midnight),
		serviceOf("next.example", "a", 2, midnight.AddDate(0, 6, 0), time.Time{}), // no key yet
		serviceOf("rekor.example", "a", 1, lastYear, time.Time{}),
		serviceOf("other.example", "b", 2, lastYear, time.Time{}),
	)
	c := read(t, Snapshot{TrustedRoot: keys, SigningConfig: services})
	one := "one.example 2025-06-01…2026-06-02 write=https://one.example read=https://one.example/api/v2 closed=false"
	two := "two.example 2026-06-02…2027-06-02 write=https://two.example read=https://two.example/api/v2 closed=false"
	other := "other.example 2025-06-01…- write=https://other.example read=https://other.example/api/v2 closed=false"
	former := []Former{{Origin: "one.example", ReadURL: "https://archive.example", Closed: true}}
	for name, test := range map[string]struct {
		log  Log
		at   time.Time
		want []string
		err  string
	}{
		"of an operator":        {Log{Operator: "a"}, now, []string{one, two}, ""},
		"of another":            {Log{Operator: "b"}, now, []string{other}, ""},
		"of which":              {Log{}, now, nil, "operator: a, b"},
		"of nobody":             {Log{Operator: "c"}, now, nil, "it has a, b"},
		"former but in use":     {Log{Operator: "a", Former: former}, now, []string{one, two}, ""},
		"former":                {Log{Operator: "a", Former: former}, midnight, []string{"one.example 2025-06-01…2026-06-02 write= read=https://archive.example closed=true", two}, ""},
		"former elsewhere":      {Log{Operator: "b", Former: []Former{{Origin: "old.example", ReadURL: "https://archive.example"}}}, now, []string{"old.example 2024-06-01…2025-06-01 write= read=https://archive.example closed=false", other}, ""},
		"former and unknown":    {Log{Operator: "b", Former: []Former{{Origin: "gone.example", ReadURL: "https://archive.example"}}}, now, nil, "no key for the former log called gone.example"},
		"static beside them":    {Log{Origin: "static.example", GRPCURL: "https://w", ReadURL: "https://r"}, now, []string{"static.example 2025-06-01…- write=https://w read=https://r closed=false"}, ""},
		"static without a key":  {Log{Origin: "nobody.example"}, now, nil, "no key in use for a log called nobody.example"},
		"before there is a key": {Log{Operator: "a"}, lastYear.AddDate(0, 0, -1), nil, "no key in use for a log of operator"},
		"before there is a log": {Log{Operator: "a"}, lastYear.AddDate(-2, 0, 0), nil, "no log of Rekor API version 2 that is in use"},
	} {
		got, err := c.ListShards(test.log, test.at)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", name, err, test.err)
			continue
		}
		slices.Sort(test.want)
		if !slices.Equal(describe(got), test.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(describe(got), "\n"), strings.Join(test.want, "\n"))
		}
	}
}

// TestDroppedShards: with one operator alone, all of the trusted root's logs that are nobody else's are his.
func TestDroppedShards(t *testing.T) {
	c := read(t, Snapshot{
		TrustedRoot:   rootOf(keyOf("old.example", lastYear, now), keyOf("new.example", lastYear, time.Time{}), keyOf("static.example", lastYear, time.Time{})),
		SigningConfig: configOf(anyOf, 0, serviceOf("new.example", "a", 2, lastYear, time.Time{})),
	})
	got, err := c.ListShards(Log{Others: []string{"static.example"}}, now)
	want := []string{
		"new.example 2025-06-01…- write=https://new.example read=https://new.example/api/v2 closed=false",
		"old.example 2025-06-01…2026-06-01 write= read=https://old.example/api/v2 closed=false",
	}
	if err != nil || !slices.Equal(describe(got), want) {
		t.Errorf("%v\n%s", err, strings.Join(describe(got), "\n"))
	}
}

// TestSelectors: no policy may record in fewer logs than the signing config wants.
func TestSelectors(t *testing.T) {
	keys := rootOf(keyOf("a.example", lastYear, time.Time{}))
	a, b := serviceOf("a.example", "a", 2, lastYear, time.Time{}), serviceOf("b.example", "b", 2, lastYear, time.Time{})
	v1 := serviceOf("v1.example", "c", 1, lastYear, time.Time{})
	log := []Log{{Operator: "a"}}
	both := []Log{{Operator: "a"}, {Operator: "a", RekorV1: true}}
	ofA1 := serviceOf("v1.example", "a", 1, lastYear, time.Time{})
	for name, test := range map[string]struct {
		config []byte
		need   int
		err    string
		logs   []Log // nil: that of Rekor v2
	}{
		"version 1":                {configOf(anyOf, 0, v1), 1, "", []Log{{RekorV1: true}}},
		"both of one":              {configOf(allOf, 0, a, ofA1), 2, "", both},
		"both of one, all of two":  {configOf(allOf, 0, a, b, ofA1), 2, "in 2 logs (ALL), and no more than 1 of them", both},
		"any":                      {configOf(anyOf, 0, a, b, v1), 1, "", nil},
		"any, none of them needed": {configOf(anyOf, 0, a, b), 0, "in 1 logs (ANY), and no more than 0", nil},
		"all":                      {configOf(allOf, 0, a, b, v1), 2, "", nil},
		"all, but one":             {configOf(allOf, 0, a, b), 1, "in 2 logs (ALL), and no more than 1 of them are sure to get it: configure one for each operator, a, b", nil},
		"all of one":               {configOf(allOf, 0, a, v1), 1, "", nil},
		"exactly one":              {configOf(exactly, 1, a, b), 1, "", nil},
		"exactly two":              {configOf(exactly, 2, a, b), 2, "", nil},
		"exactly two, but one":     {configOf(exactly, 2, a, b), 1, "in 2 logs (EXACT)", nil},
		"more than there are":      {configOf(exactly, 3, a, b, v1), 2, "wants 3 logs, and has those of 2 operators", nil},
		"version 1 alone":          {configOf(anyOf, 0, v1), 1, "version 1 alone: set kind: rekor-v1", nil},
		"version 3 alone":          {configOf(anyOf, 0, serviceOf("x.example", "c", 3, lastYear, time.Time{})), 1, "no log of Rekor API version 2", nil},
		"no logs":                  {configOf(anyOf, 0), 1, "no log of Rekor API version 2", nil},
		"ended":                    {configOf(anyOf, 0, serviceOf("a.example", "a", 2, lastYear, now.Add(-time.Second))), 1, "that is in use", nil},
	} {
		c := read(t, Snapshot{TrustedRoot: keys, SigningConfig: test.config})
		logs := log
		if test.logs != nil {
			logs = test.logs
		}
		err := c.CheckSelected(logs, test.need, now)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", name, err, test.err)
		}
		if err := c.CheckSelected(nil, 0, now); err != nil {
			t.Errorf("%s: a policy without logs of the source: %v", name, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	keys := rootOf(keyOf("a.example", lastYear, time.Time{}))
	good := strings.ReplaceAll(string(configOf(anyOf, 0, serviceOf("a.example", "a", 2, lastYear, time.Time{}))), " ", "")
	for name, bad := range map[string]string{
		"empty":             "",
		"no JSON":           "{",
		"unknown field":     strings.Replace(good, "{", `{"more":1,`, 1),
		"media type":        strings.Replace(good, "v0.2", "v0.1", 1),
		"no selector":       strings.Replace(good, `"selector":"ANY"`, "", 1),
		"unknown selector":  strings.Replace(good, `"ANY"`, `"SOME"`, 1),
		"exact, no count":   strings.Replace(good, `"ANY"`, `"EXACT"`, 1),
		"no log config":     strings.Replace(good, `"rekorTlogConfig":{"selector":"ANY"},`, "", 1),
		"too large":         good + strings.Repeat(" ", 4<<20),
		"data after it":     good + "{}",
		"too many services": string(configOf(anyOf, 0, slices.Repeat([]rootService{serviceOf("a.example", "a", 2, lastYear, time.Time{})}, 1001)...)),
	} {
		if bad == good {
			t.Fatalf("%s: nothing changed in %s", name, good)
		}
		if _, err := (Snapshot{TrustedRoot: keys, SigningConfig: []byte(bad)}).Read(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := (Snapshot{TrustedRoot: []byte("{"), SigningConfig: []byte(good)}).Read(); err == nil {
		t.Error("a faulty trusted root is accepted")
	}
	for _, url := range []string{"a.example", "ftp://a.example", "https://", "https://a.example/path", "https://u:p@a.example", "https://a.example?q"} {
		s := serviceOf("", "a", 2, lastYear, time.Time{})
		s.URL = url
		if got, err := read(t, Snapshot{TrustedRoot: keys, SigningConfig: configOf(anyOf, 0, s)}).ListShards(Log{}, now); err == nil {
			t.Errorf("%s: %v", url, describe(got))
		}
	}
}

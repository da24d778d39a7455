// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

var sampleManifest = `{"version": 1, "createTime": "2026-11-01T02:03:04.005Z", "program": "v1", "schemaVersion": 4, "size": 4096,
 "sha256": "` + strings.Repeat("0a", 32) + `", "incarnation": "", "submissions": 3,
 "entries": {"pending": 2, "inDoubt": 1, "logged": 1, "failed": 0},
 "checkpoints": [{"origin": "log.example", "keyId": "", "size": 18446744073709551615}], "forks": 0}`

func TestParseManifest(t *testing.T) {
	for name, test := range map[string]struct {
		old, with string
		want      string // in the error; "" for none
	}{
		"as it is":        {"", "", ""},
		"no checkpoints":  {`[{"origin": "log.example", "keyId": "", "size": 18446744073709551615}]`, `null`, ""},
		"newer":           {`"version": 1`, `"version": 2, "more": 1`, "version 2, this one knows 1"},
		"no version":      {`"version": 1, `, ``, "missing"},
		"unknown field":   {`"forks"`, `"more": 1, "forks"`, "unknown field"},
		"something after": {`"forks": 0}`, `"forks": 0} {}`, "after top-level value"},
		"short digest":    {`0a", "inc`, `", "inc`, "sha256"},
		"no digest":       {`"sha256"`, `"program"`, "sha256"},
		"no size":         {`"size": 4096`, `"size": 0`, "size"},
		"negative":        {`"schemaVersion": 4`, `"schemaVersion": -4`, "schemaVersion"},
		"of no object":    {sampleManifest, `[]`, "cannot unmarshal"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parseManifest([]byte(strings.Replace(sampleManifest, test.old, test.with, 1)))
			switch {
			case test.want == "" && (err != nil || m.Submissions != 3 || m.Checkpoints == nil):
				t.Errorf("%+v: %v", m, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestReadManifestIsBounded(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, ManifestFile), sampleManifest+strings.Repeat(" ", maxManifest))
	if _, err := readManifest(folder); !errors.Is(err, ErrDamaged) {
		t.Errorf("error %v", err)
	}
}

// FuzzManifest: what is taken is written as it was read.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(sampleManifest))
	f.Add([]byte(`{"version": 2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseManifest(raw)
		if err != nil {
			return
		}
		once, err := encodeManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseManifest(once)
		if err != nil {
			t.Fatalf("%s\n%v", once, err)
		}
		twice, err := encodeManifest(again)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%s\n%s\n%v", once, twice, err)
		}
	})
}

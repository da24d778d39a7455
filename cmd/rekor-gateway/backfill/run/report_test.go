// SPDX-License-Identifier: Apache-2.0

package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
)

// TestReportPart: what stands where a report is written first is written over if an earlier run has left it, and else left as it is; that of a dry
// run never takes the place of what became of signatures.
func TestReportPart(t *testing.T) {
	for name, c := range map[string]struct {
		content  string
		replaced []string
		force    bool
		want     string // the reason; "" is a report
	}{
		"nothing":              {"", []string{reportHead}, false, ""},
		"a killed run's":       {reportHead + `"app.sig"`, []string{reportHead, plannedHead}, false, ""},
		"somebody's notes":     {"my notes\n", []string{reportHead, plannedHead}, false, "FILE_EXISTS"},
		"notes, with --force":  {"my notes\n", []string{reportHead, plannedHead}, true, ""},
		"a run's, for dry run": {reportHead + `"app.sig"`, []string{plannedHead}, false, "FILE_EXISTS"},
	} {
		path := filepath.Join(t.TempDir(), "report.jsonl")
		if err := os.WriteFile(path+reportSuffix, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := openReport(path, c.force, c.replaced...)
		if c.want != "" {
			if err == nil {
				t.Errorf("%s: it is written over", name)
			} else if f := fault.Describe(err); string(f.Reason) != c.want || f.Hint == "" || string(must(os.ReadFile(path+reportSuffix))) != c.content {
				t.Errorf("%s: %+v", name, f)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := r.add(outcome{}.in(stateDone)); err != nil {
			t.Error(err)
		}
		if _, err := r.finish(true); err != nil || !strings.HasPrefix(string(must(os.ReadFile(path))), reportHead) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestReportIsTheRunsOwn: a report is never written into a file that somebody else can go on writing.
func TestReportIsTheRunsOwn(t *testing.T) {
	if os.Geteuid() != 0 {
		return // nobody else may be made its owner
	}
	path := filepath.Join(t.TempDir(), "report.jsonl")
	theirs := must(os.Create(path + reportSuffix))
	defer theirs.Close()
	if err := theirs.Chown(65534, 65534); err != nil {
		t.Fatal(err)
	}
	if _, err := openReport(path, false, reportHead); err == nil || fault.Describe(err).Reason != fault.ReasonFileExists {
		t.Errorf("%v", err)
	}
	r := must(openReport(path, true, reportHead))
	if _, err := r.finish(true); err != nil || os.SameFile(must(os.Stat(path)), must(theirs.Stat())) {
		t.Errorf("%v", err)
	}
}

// TestReportOfTwoRuns: of two runs with one report, the second is refused while the first writes, and never cuts off what the first has finished,
// however the two meet.
func TestReportOfTwoRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.jsonl")
	first := must(openReport(path, false, reportHead))
	if _, err := openReport(path, true, reportHead); err == nil || fault.Describe(err).Reason != fault.ReasonFileExists {
		t.Errorf("a second one: %v", err)
	}
	late := must(os.OpenFile(path+reportSuffix, os.O_RDWR, 0)) // as the second has opened it, before it locks it
	defer late.Close()
	if err := first.add(outcome{}.in(stateDone)); err != nil {
		t.Fatal(err)
	}
	if _, err := first.finish(true); err != nil {
		t.Fatal(err)
	}
	if own, err := lockReportPart(late); own || err != nil {
		t.Errorf("a finished report is taken for its part: %v", err)
	}
}

// TestReportTellsNamesApart: files whose names are no text have different ones in a report.
func TestReportTellsNamesApart(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"app", "bad\xff", "bad\xfe", "bad\ufffd", `"bad\xff"`, `bad\xff`, `"app"`} {
		o := outcome{item: backfill.Item{Name: name, Artifact: name}, Receipt: name}.in(stateDone)
		raw, err := jsonv2.Marshal(o)
		if err != nil || o.Artifact != o.Name || o.Receipt != o.Name || seen[string(raw)] != "" {
			t.Errorf("%q is %s, as %q is: %v", name, raw, seen[string(raw)], err)
		}
		seen[string(raw)] = name
	}
}

// TestReportSaysDecompress: whoever verifies by the report has to know that the signature is over what is inside of the file.
func TestReportSaysDecompress(t *testing.T) {
	item := backfill.Item{Name: "app.tar.sign", Artifact: "app.tar.xz", Decompress: true}
	for _, line := range []any{outcome{item: item}.in(stateDone), newPlannedLine(item, planGroup{})} {
		raw, err := jsonv2.Marshal(line)
		if err != nil || !strings.Contains(string(raw), `"artifact":"app.tar.xz","decompress":true`) {
			t.Errorf("%s %v", raw, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var update = flag.Bool("update", false, "rewrite the tables in docs/strictness.md")

var strictnessDoc = filepath.Join("..", "..", "docs", "strictness.md")

// TestStrictness measures the table of docs/strictness.md and compares it with the file, or
// writes it with -update. Whatever the others do, rekor-gateway does what is required.
func TestStrictness(t *testing.T) {
	var table bytes.Buffer
	table.WriteString("| Input | Required | Own tool | Library | Rekor v1.5.4 | rekor-gateway |\n|---|---|---|---|---|---|\n")
	for _, row := range strictRows() {
		fmt.Fprintf(&table, "| **%s** | | | | | |\n", row.title)
		for _, c := range row.cases {
			t.Run(row.title+": "+c.what, func(t *testing.T) { table.WriteString(c.measure(t)) })
		}
	}
	doc, err := os.ReadFile(strictnessDoc)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, doc, "table", table.String())
	want = between(t, want, "classes", classList())
	want = between(t, want, "vectors", vectorReport())
	switch {
	case *update:
		if err := os.WriteFile(strictnessDoc, want, 0o644); err != nil {
			t.Fatal(err)
		}
	case !bytes.Equal(doc, want):
		t.Error("docs/strictness.md does not say what was measured; rewrite it with: make strictness")
		t.Log(differences(string(doc), string(want)))
	}
}

// between replaces what stands between the comments "begin name" and "end name".
func between(t *testing.T, doc []byte, name, content string) []byte {
	begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->"
	before, rest, ok := strings.Cut(string(doc), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("docs/strictness.md lacks the markers of %q", name)
	}
	return []byte(before + begin + content + end + after)
}

// differences lists the lines that only one of the texts has.
func differences(have, want string) string {
	var out strings.Builder
	for _, side := range []struct{ sign, text, other string }{{"-", have, want}, {"+", want, have}} {
		for line := range strings.Lines(side.text) {
			if !strings.Contains(side.other, line) {
				out.WriteString(side.sign + line)
			}
		}
	}
	return out.String()
}

// measure asks everybody and returns the table's line.
func (c strictCase) measure(t *testing.T) string {
	ours := rekorGateway(c.submission)
	if ours.reason != c.want || ours.accepted != (c.want == accepted) {
		t.Errorf("rekor-gateway %v (%s), want %q", ours, ours.detail, c.want)
		return ""
	}
	if c.holds != nil && !c.holds(ours) {
		t.Errorf("does not hold: %s", c.also)
	}
	if c.as != nil {
		if other := rekorGateway(*c.as); !bytes.Equal(other.verified.Canonical, ours.verified.Canonical) {
			t.Error("another submission")
		}
	}
	line := fmt.Sprintf("| %s | %s |", c.what, required(c.want, c.also))
	for _, name := range []string{ownTool, library, rekorV1} {
		line += " " + c.cell(t, name) + " |"
	}
	return line + " " + cellOf(ours) + " |\n"
}

func (c strictCase) cell(t *testing.T, name string) string {
	if why, ok := c.absent[name]; ok {
		return "n/a: " + why
	}
	v := ask(panels[c.format][name], t.TempDir(), c.submission)
	if v.absent {
		return "n/a: " + v.detail
	}
	t.Logf("%s %v", name, v)
	return cellOf(v)
}

func cellOf(v verdict) string {
	switch {
	case v.accepted:
		return "accepts"
	case v.reason != "":
		return "refuses: `" + string(v.reason) + "`"
	case strings.HasPrefix(v.detail, "PANIC"):
		return "panics"
	}
	return "refuses"
}

func required(want formats.Reason, also string) string {
	switch {
	case want != accepted:
		return "refuse"
	case also != "":
		return "accept; " + also
	}
	return "accept"
}

// classList documents the classes of disagreements, in two lists.
func classList() string {
	var stricter, laxer strings.Builder
	for _, c := range classes {
		out := &stricter
		if c.laxer {
			out = &laxer
		}
		scope := c.format
		if scope == "" {
			scope = "all formats"
		}
		fmt.Fprintf(out, "- **%s** (%s). %s\n", c.name, scope, c.why)
	}
	return "rekor-gateway refuses what at least one of the others accepts:\n\n" + stricter.String() +
		"\nrekor-gateway accepts what at least one of the others refuses:\n\n" + laxer.String()
}

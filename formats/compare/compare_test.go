// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// disagreement is one judge's verdict that is not rekor-gateway's.
type disagreement struct {
	submission
	judge        string
	ours, theirs verdict
}

// TestCompare puts every variation before all judges and holds each disagreement with
// rekor-gateway to a class of the table.
func TestCompare(t *testing.T) {
	count := wantedCount(t)
	for _, format := range slices.Sorted(maps.Keys(panels)) {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			seen, unknown := map[string]int{}, map[string][]disagreement{}
			for _, s := range variations(t, format, count) {
				for _, d := range compare(t.TempDir(), s) {
					if c := classify(d); c != nil {
						seen[c.name]++
						continue
					}
					unknown[d.title()] = append(unknown[d.title()], d)
				}
			}
			report(t, seen, unknown)
		})
	}
}

// TestRekorVersion: what is called Rekor v1.5.4 here and in docs/strictness.md is just that.
func TestRekorVersion(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/sigstore/rekor").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); "Rekor "+got != rekorV1 {
		t.Errorf("this is Rekor %s", got)
	}
}

// compare returns the judges that disagree with rekor-gateway.
func compare(dir string, s submission) []disagreement {
	var out []disagreement
	ours := rekorGateway(s)
	for name, j := range panels[s.format] {
		theirs := ask(j, dir, s)
		if !theirs.absent && theirs.accepted != ours.accepted {
			out = append(out, disagreement{s, name, ours, theirs})
		}
	}
	return out
}

// title is what disagreements without a class are grouped by.
func (d disagreement) title() string {
	return fmt.Sprintf("%s, %s: rekor-gateway %v, %s %v", d.format, d.kind, d.ours, d.judge, d.theirs)
}

// report fails for disagreements without a class, and keeps one example of each group to
// look at, below the folder that COMPARE_KEEP names.
func report(t *testing.T, seen map[string]int, unknown map[string][]disagreement) {
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%5d × %s", seen[name], name)
	}
	for i, title := range slices.Sorted(maps.Keys(unknown)) {
		list := unknown[title]
		t.Errorf("no class for %d × %s (%s: %s)", len(list), title, list[0].base, list[0].ours.detail)
		if keep := os.Getenv("COMPARE_KEEP"); keep != "" {
			list[0].keep(t, filepath.Join(keep, fmt.Sprint(strings.ReplaceAll(t.Name(), "/", "-"), "-", i)))
		}
	}
}

func (d disagreement) keep(t *testing.T, dir string) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(dir, "signature", d.signature)
	put(dir, "about", []byte(d.title()+"\n"+d.ours.detail+"\n"))
	if d.artifact != nil {
		put(dir, "artifact", d.artifact)
	}
	for i, k := range d.keys {
		put(dir, fmt.Sprint("key-", i), k)
	}
}

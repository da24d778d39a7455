// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// vectorSet are the test vectors of another project, as testdata/vectors/take.sh took them.
type vectorSet struct {
	project   string // as docs/strictness.md names it
	dir       string // below testdata/vectors
	format    string
	namespace string // SSH: what the vectors are signed for
	vectors   []vector
}

// vector is a submission of a set's files.
type vector struct {
	files    string // signature and keys
	artifact string
	want     formats.Reason
	at       time.Time // when it was valid; zero is now
	signify  bool
	differs  string // why the project's own verdict is the opposite; "" when it is the same
}

// TestVectors holds rekor-gateway to the right verdict on each vector, and what the format's other verifiers say of it to the
// classes of disagreement.
func TestVectors(t *testing.T) {
	for _, set := range vectorSets {
		for _, v := range set.vectors {
			t.Run(set.dir+"/"+v.files, func(t *testing.T) {
				s := set.submission(v)
				s.require(t, v.want)
				if !v.at.IsZero() {
					return // the others have one clock
				}
				for _, d := range compare(t.TempDir(), s) {
					if classify(d) == nil {
						t.Errorf("no class for %s", d.title())
					}
				}
			})
		}
	}
}

// require fails unless rekor-gateway has that verdict, and keeps its promises.
func (s submission) require(t *testing.T, want formats.Reason) {
	t.Helper()
	v := rekorGateway(s)
	if v.reason != want || v.accepted != (want == accepted) {
		t.Errorf("rekor-gateway %v (%s), want %q", v, v.detail, want)
	}
	if err := promises(s, v); err != nil {
		t.Error(err)
	}
}

func (set vectorSet) submission(v vector) submission {
	fields := strings.Fields(v.files)
	s := submission{format: set.format, base: fields[0], kind: asMade, signature: readVector(set.dir, fields[0]), signify: v.signify, namespace: set.namespace}
	for _, k := range fields[1:] {
		s.keys = append(s.keys, readVector(set.dir, k))
	}
	if v.artifact != "" {
		s.artifact = readVector(set.dir, v.artifact)
	}
	return s.under(func(p *formats.Policy) {
		if set.namespace != "" {
			p.SSHNamespaces = []string{set.namespace}
		}
		if !v.at.IsZero() {
			p.Now = v.at
		}
	})
}

func readVector(dir, name string) []byte {
	return must(os.ReadFile(filepath.Join("testdata", "vectors", dir, name)))
}

// TestVectorsComplete: each file that was taken is used.
func TestVectorsComplete(t *testing.T) {
	used := map[string]bool{}
	for _, set := range vectorSets {
		for _, v := range set.vectors {
			for _, name := range append(strings.Fields(v.files), v.artifact) {
				used[filepath.Join(set.dir, name)] = true
			}
		}
	}
	root := filepath.Join("testdata", "vectors")
	check(filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		name, _ := filepath.Rel(root, path)
		if err == nil && !info.IsDir() && strings.Contains(name, string(filepath.Separator)) &&
			!strings.HasPrefix(name, conformance) && !used[name] {
			t.Errorf("%s is not used", name)
		}
		return err
	}))
}

// vectorReport is what docs/strictness.md says of the vectors: how many there are, and why verdicts differ.
func vectorReport() string {
	var table, reasons strings.Builder
	table.WriteString("| Vectors | Submissions | Same verdict | Another |\n|---|---|---|---|\n")
	line := func(project string, all, differ int) {
		fmt.Fprintf(&table, "| %s | %d | %d | %d |\n", project, all, all-differ, differ)
	}
	for _, set := range vectorSets {
		differ := slices.DeleteFunc(slices.Clone(set.vectors), func(v vector) bool { return v.differs == "" })
		line(set.project, len(set.vectors), len(differ))
		for _, v := range differ {
			fmt.Fprintf(&reasons, "- %s, `%s`: %s\n", set.project, strings.Fields(v.files)[0], v.differs)
		}
	}
	all, differ := 0, 0
	for _, g := range bundleGroups {
		all += len(g.cases())
		names := g.differing()
		differ += len(names)
		if len(names) > 0 {
			fmt.Fprintf(&reasons, "- %s, %d bundles (`%s`): %s\n", conformanceProject, len(names), strings.Join(names, "`, `"), g.differs)
		}
	}
	line(conformanceProject, all, differ)
	return table.String() + "\n" + reasons.String()
}

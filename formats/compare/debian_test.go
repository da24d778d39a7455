// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// debianKeyrings are what the packages debian-keyring and debian-archive-keyring install.
const debianKeyrings = "/usr/share/keyrings"

// corpus is one kind of signatures that Debian carries.
type corpus struct {
	name  string
	least int // submissions; fewer are no comparison
	list  []submission
}

// TestDebian puts signatures of Debian's developers, archive and upstream authors, as apt fetched them, before
// rekor-gateway and gpgv, with Debian's own keyrings: each time the verdict is the same, or the difference has a class.
func TestDebian(t *testing.T) {
	dir := os.Getenv("DEBIAN_CORPUS")
	if dir == "" {
		t.Skip("run it with: make debian")
	}
	developers := prepareDebianKeys(t, "debian-keyring.gpg", "debian-maintainers.gpg")
	archive := prepareDebianKeys(t, "debian-archive-keyring.gpg")
	for _, c := range []corpus{
		{".dsc", 36, cleartexts(t, developers, dir, "dsc/*.dsc")},
		{"InRelease", 1, cleartexts(t, archive, dir, "lists/*_InRelease")},
		{"upstream .asc", 6, upstreams(t, dir)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if len(c.list) < c.least {
				t.Fatalf("%d files were fetched, fewer than %d", len(c.list), c.least)
			}
			c.compare(t)
		})
	}
}

// debianKeyring is a keyring twice: as the file that gpgv reads, and as rekor-gateway prepares it.
type debianKeyring struct {
	files    []string
	prepared formats.PreparedKeys
}

func prepareDebianKeys(t *testing.T, names ...string) debianKeyring {
	var k debianKeyring
	var contents [][]byte
	for _, n := range names {
		k.files = append(k.files, filepath.Join(debianKeyrings, n))
		contents = append(contents, readFile(t, k.files[len(k.files)-1]))
	}
	f, err := plugins.Get("pgp")
	if err != nil {
		t.Fatal(err)
	}
	if k.prepared, err = f.(formats.KeyPreparer).PrepareKeys(context.Background(), contents); err != nil {
		t.Fatal(err)
	}
	return k
}

// cleartexts are files whose signature stands around what is signed.
func cleartexts(t *testing.T, keyring debianKeyring, dir, pattern string) (list []submission) {
	for _, path := range glob(t, dir, pattern) {
		signature := readFile(t, path)
		list = append(list, submission{format: "pgp", base: filepath.Base(path), kind: asMade, signature: signature,
			keys: keyring.prepared.Select(signature), keyrings: keyring.files})
	}
	return list
}

// upstreams are the sources that carry a detached signature, with the keys that Debian's packagers took from the authors.
func upstreams(t *testing.T, dir string) (list []submission) {
	for _, path := range glob(t, dir, "upstream/*.asc") {
		name, _, _ := strings.Cut(filepath.Base(path), "_")
		keys := readFile(t, filepath.Join(dir, "upstream", name+".keys"))
		list = append(list, submission{format: "pgp", base: filepath.Base(path), kind: asMade, signature: readFile(t, path),
			keys: [][]byte{keys}, keyrings: []string{put(t.TempDir(), "keys.gpg", dearmorKeys([][]byte{keys}))},
			artifact: readFile(t, strings.TrimSuffix(path, ".asc"))})
	}
	return list
}

// compare logs how many verdicts agree, and fails for disagreements without a class. What is accepted has to be refused once
// the signed content is another.
func (c corpus) compare(t *testing.T) {
	agreed := 0
	seen, kinds, unknown := map[string]int{}, map[string]int{}, map[string][]disagreement{}
	for _, s := range c.list {
		s.policy = func(p *formats.Policy) { p.Now = time.Now() } // gpgv has no other clock
		ours, theirs := rekorGateway(s), gpgvVerify(t.TempDir(), s)
		kinds[fmt.Sprintf("rekor-gateway %v, gpgv %v", ours, theirs)]++
		if err := promises(s, ours); err != nil {
			t.Errorf("%s: %v", s.base, err)
		}
		d := disagreement{s, ownTool, ours, theirs}
		switch known := classify(d); {
		case ours.accepted == theirs.accepted:
			agreed++
		case known != nil:
			seen[known.name]++
			t.Logf("%s: %s (%s)", s.base, known.name, ours.detail)
		default:
			unknown[d.title()] = append(unknown[d.title()], d)
		}
		if altered := s.alter(); gpgvVerify(t.TempDir(), altered).accepted {
			t.Errorf("%s, altered: gpgv accepts", s.base)
		} else if v := rekorGateway(altered); v.accepted || ours.accepted && v.reason != formats.ReasonArtifactMismatch {
			t.Errorf("%s, altered: rekor-gateway %v", s.base, v)
		}
	}
	t.Logf("%d of %d verdicts agree", agreed, len(c.list))
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%5d × %s", kinds[k], k)
	}
	report(t, seen, unknown)
}

// alter returns the submission with one more line signed than there was.
func (s submission) alter() submission {
	if s.artifact != nil {
		s.artifact = append([]byte("another line\n"), s.artifact...)
		return s
	}
	s.signature = bytes.Replace(s.signature, []byte("\n\n"), []byte("\n\nAnother: line\n"), 1)
	return s
}

// gpgvVerify asks gpgv, which exits 0 for good signatures by keys of the keyrings.
func gpgvVerify(dir string, s submission) verdict {
	var args []string
	for _, k := range s.keyrings {
		args = append(args, "--keyring", k)
	}
	args = append(args, put(dir, "sig", s.signature))
	if s.artifact != nil {
		args = append(args, put(dir, "artifact", s.artifact))
	}
	return judged(run(dir, nil, "gpgv", args...))
}

func glob(t *testing.T, dir, pattern string) []string {
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func readFile(t *testing.T, path string) []byte {
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

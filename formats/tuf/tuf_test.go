// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func strict() formats.Policy     { return formats.Policy{Now: now} }
func historical() formats.Policy { return formats.Policy{Now: now, Historical: formats.AllowAll(true)} }

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readAll(t testing.TB, names ...string) [][]byte {
	t.Helper()
	out := make([][]byte, len(names))
	for i, n := range names {
		out[i] = read(t, n)
	}
	return out
}

func pinning(t testing.TB, names ...string) formats.Policy {
	p := strict()
	for _, n := range names {
		p.TUFRoots = append(p.TUFRoots, sha256.Sum256(read(t, n)))
	}
	return p
}

func TestConformance(t *testing.T) {
	vector := func(name, file string, want formats.Reason, keys ...string) formatstest.Vector {
		return formatstest.Vector{Name: name, Signature: read(t, file), Keys: readAll(t, keys...), Policy: strict(), Want: want}
	}
	projects := func(v formatstest.Vector) formatstest.Vector { v.Projects = true; return v }
	target := func(v formatstest.Vector) formatstest.Vector {
		v.Artifact = read(t, "target.txt")
		sum := sha256.Sum256(v.Artifact)
		v.Digest = &formats.Digest{Algorithm: formats.SHA256, Value: sum[:]}
		return v
	}
	under := func(p formats.Policy, v formatstest.Vector) formatstest.Vector { v.Policy = p; return v }
	formatstest.Run(t, formatstest.Suite{Format: New(), Vectors: []formatstest.Vector{
		projects(vector("two of four, P-256 and P-384", "targets.json", "", "root-1.json")),
		projects(target(vector("with a target", "targets.json", "", "root-1.json"))),
		projects(vector("one of two is Ed25519", "targets-mixed.json", "", "root-1.json")),
		projects(target(vector("one of two is Ed25519, with a target", "targets-mixed.json", "", "root-1.json"))),
		projects(vector("Ed25519", "snapshot.json", "", "root-1.json")),
		projects(vector("RSA-PSS", "timestamp.json", "", "root-1.json")),
		projects(vector("first root signed by itself", "root-1.json", "", "root-1.json")),
		projects(vector("rotated root", "root-2.json", "", "root-1.json")),
		projects(vector("third root with the chain", "root-3.json", "", "root-2.json", "root-1.json")),
		projects(vector("targets with the chain of roots", "targets.json", "", "root-3.json", "root-1.json", "root-2.json")),
		projects(under(pinning(t, "root-1.json"), vector("chain from the pinned root", "targets.json", "", "root-1.json", "root-2.json"))),
		projects(target(vector("delegated role", "releases.json", "", "root-1.json", "delegating.json"))),
		under(historical(), vector("expired, historical", "targets-expired.json", "", "root-1.json")),
		under(historical(), vector("expired root, historical", "expired-root-targets.json", "", "expired-root.json")),

		vector("expired", "targets-expired.json", formats.ReasonMetadataExpired, "root-1.json"),
		vector("expired root", "expired-root-targets.json", formats.ReasonMetadataExpired, "expired-root.json"),
		vector("one of two", "targets-one.json", formats.ReasonThresholdNotMet, "root-1.json"),
		vector("wrong role", "targets-wrong-role.json", formats.ReasonNotAuthorized, "root-1.json"),
		vector("stranger", "targets-stranger.json", formats.ReasonKeyMismatch, "root-1.json"),
		vector("one key under two ids", "twice-targets.json", formats.ReasonThresholdNotMet, "twice-root.json"),
		vector("root that does not follow", "root-2-unlinked.json", formats.ReasonKeyMismatch, "root-1.json"),
		vector("chain that does not follow", "targets.json", formats.ReasonKeyNotTrusted, "root-1.json", "root-2-unlinked.json"),
		vector("root with a later one", "root-1.json", formats.ReasonKeyNotTrusted, "root-2.json"),
		vector("gap in the chain", "root-3.json", formats.ReasonKeyNotTrusted, "root-1.json"),
		vector("no root", "targets.json", formats.ReasonMissingKey),
		vector("timestamp as key", "targets.json", formats.ReasonMalformedKey, "timestamp.json"),
		vector("delegated role without its delegator", "releases.json", formats.ReasonKeyMismatch, "root-1.json"),
		target(vector("target outside the delegation", "releases-outside.json", formats.ReasonNotAuthorized, "root-1.json", "delegating.json")),
		under(pinning(t, "root-2.json"), vector("root not pinned", "targets.json", formats.ReasonKeyNotTrusted, "root-1.json")),
	}})
}

// TestSubject holds the rule of the package comment: what a submission is about.
func TestSubject(t *testing.T) {
	doc, target := read(t, "targets.json"), read(t, "target.txt")
	p, err := New().Parse(context.Background(), doc, readAll(t, "root-1.json"), strict())
	if err != nil {
		t.Fatal(err)
	}
	sha := func(b []byte) formats.Digest {
		s := sha256.Sum256(b)
		return formats.Digest{Algorithm: formats.SHA256, Value: s[:]}
	}
	for _, c := range []struct {
		name     string
		artifact formats.Artifact
		want     formats.Digest
		size     int
		evidence formats.Evidence
	}{
		{"nothing", formats.Artifact{}, sha(doc), len(doc), formats.EvidenceBytes},
		{"the document's digest", formats.FromDigest(sha(doc)), sha(doc), len(doc), formats.EvidenceBytes},
		{"a target's digest", formats.FromDigest(sha(target)), sha(target), -1, formats.EvidenceDigest},
	} {
		v, err := p.Verify(t.Context(), c.artifact)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := v.Digests[0]; len(v.Digests) != 1 || !got.Equal(c.want) || got.Evidence != c.evidence || v.Size != int64(c.size) {
			t.Errorf("%s: %+v, size %d", c.name, v.Digests, v.Size)
		}
	}
	if _, err := p.Verify(t.Context(), formats.FromSignedDigest(sha(doc))); formats.ReasonOf(err) != formats.ReasonArtifactNotExpected {
		t.Errorf("signed digest: %v", err)
	}
}

const madeUp = "the root was named by the submitter; nothing says it is the repository's"

// TestRootNamedBy: only a pinned root, or one that the operator configured, is free of the note.
// TestProjectionsKnown: what verified as a signature of a role is not verified again as a projection.
func TestProjectionsKnown(t *testing.T) {
	parsed, err := New().Parse(t.Context(), read(t, "targets.json"), readAll(t, "root-1.json"), strict())
	if err != nil {
		t.Fatal(err)
	}
	v, err := parsed.Verify(t.Context(), formats.Artifact{})
	if err != nil || len(v.Projections) == 0 {
		t.Fatalf("%v, %v", v, err)
	}
	for i, p := range v.Projections {
		if reflect.ValueOf(p).FieldByName("checked").IsZero() || p.VerifyDigest() != nil {
			t.Errorf("projection %d does not say that it was checked", i)
		}
	}
}

func TestRootNamedBy(t *testing.T) {
	configured := strict()
	configured.Keys = map[string][][]byte{"tuf": readAll(t, "root-1.json")}
	for name, c := range map[string]struct {
		policy formats.Policy
		keys   []string
		note   bool
	}{
		"submitted":  {strict(), []string{"root-1.json"}, true},
		"pinned":     {pinning(t, "root-1.json"), []string{"root-1.json"}, false},
		"chained":    {pinning(t, "root-1.json"), []string{"root-1.json", "root-2.json"}, false},
		"configured": {configured, []string{"expired-root.json"}, false},
	} {
		p, err := New().Parse(context.Background(), read(t, "targets.json"), readAll(t, c.keys...), c.policy)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := slices.Contains(p.Describe().Notes, madeUp); got != c.note {
			t.Errorf("%s: note %v", name, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		file, key, variant, algorithm string
		candidates, threshold         int
	}{
		{"targets.json", "root-1.json", "targets metadata, version 1", "", 2, 2},
		{"targets-mixed.json", "root-1.json", "targets metadata, version 1", "", 2, 2},
		{"snapshot.json", "root-1.json", "snapshot metadata, version 1", "Ed25519", 1, 1},
		{"timestamp.json", "root-1.json", "timestamp metadata, version 1", "RSA-2048 PSS/SHA-256", 1, 1},
		{"root-2.json", "root-1.json", "root metadata, version 2", "ECDSA P-256/SHA-256", 2, 2},
		{"root-3.json", "root-2.json", "root metadata, version 3", "ECDSA P-256/SHA-256", 1, 1},
	} {
		p, err := New().Parse(context.Background(), read(t, c.file), readAll(t, c.key), strict())
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		d := p.Describe()
		if d.Variant != c.variant || len(d.Candidates) != c.candidates || d.Threshold != c.threshold || d.Need != formats.NeedNone {
			t.Errorf("%s: %+v", c.file, d)
		}
		if c.algorithm != "" && d.Algorithm != c.algorithm {
			t.Errorf("%s: algorithm %q", c.file, d.Algorithm)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, name := range []string{"targets.json", "root-1.json", "snapshot.json"} {
		if !New().Detect(read(t, name)) {
			t.Errorf("%s not detected", name)
		}
	}
	for _, s := range []string{"", "{", "[]", `{"signatures":[],"payload":""}`, `{"payload":{"signed":{},"signatures":[]}}`,
		`{"a":"signed","b":"signatures"}`, "signed signatures", `["signed","signatures"]`} {
		if New().Detect([]byte(s)) {
			t.Errorf("%q detected", s)
		}
	}
}

// TestDetectLong: the second of the two members may lie beyond what Detect reads.
func TestDetectLong(t *testing.T) {
	filler := make([]byte, 2*detectSize)
	for i := range filler {
		filler[i] = ' '
	}
	long := `{"signed":{"a":` + string(filler) + `1},"signatures":[]}`
	if !New().Detect([]byte(long)) {
		t.Error("not detected")
	}
}

// SPDX-License-Identifier: Apache-2.0

package minisign_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/minisign"
)

func read(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// policy has a clock after the day on which the test data was made.
func policy() formats.Policy {
	return formats.Policy{Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func blake(raw []byte) *formats.Digest {
	h := formats.BLAKE2b512.New()
	h.Write(raw)
	return &formats.Digest{Algorithm: formats.BLAKE2b512, Value: h.Sum(nil)}
}

func TestConformance(t *testing.T) {
	artifact := read(t, "artifact.txt")
	vector := func(sig, key string, want formats.Reason) formatstest.Vector {
		return formatstest.Vector{
			Name: sig, Signature: read(t, sig), Keys: [][]byte{read(t, key)},
			Artifact: artifact, Policy: policy(), Want: want, Projects: want == "",
		}
	}
	prehashed := vector("prehashed.minisig", "signer.pub", "")
	prehashed.Digest = blake(artifact)
	several := vector("prehashed.minisig", "other.pub", "")
	several.Name = "several keys"
	several.Keys = append(several.Keys, read(t, "release.pub"), read(t, "signer.pub"))
	inside := func(v formatstest.Vector) formatstest.Vector {
		v.Artifact, v.ExactLines = nil, true
		return v
	}
	bare := vector("legacy.minisig", "signer.pub", "")
	bare.Name, bare.Keys, bare.CutStands = "bare key", [][]byte{line(bare.Keys[0], 1)}, true
	legacy := vector("legacy.minisig", "signer.pub", "")
	legacy.CutStands = true
	formatstest.Run(t, formatstest.Suite{Format: minisign.New(), Vectors: []formatstest.Vector{
		prehashed, several, bare,
		legacy,
		vector("comment.minisig", "signer.pub", ""),
		vector("unicode.minisig", "signer.pub", ""),
		vector("two-times.minisig", "signer.pub", ""),
		vector("not-a-time.minisig", "signer.pub", ""),
		vector("crlf.minisig", "crlf.pub", ""),
		vector("by-other.minisig", "other.pub", ""),
		vector("signify.sig", "release.pub", ""),
		vector("by-other.minisig", "signer.pub", formats.ReasonKeyMismatch),
		vector("future.minisig", "signer.pub", formats.ReasonSignatureInFuture),
		vector("overflow.minisig", "signer.pub", formats.ReasonSignatureInFuture),
		inside(vector("signify-embedded.sig", "release.pub", "")),
		inside(vector("signify-gzip.tgz", "release.pub", "")),
		vector("usign.sig", "release.pub", ""),
		vector("signer.pub", "signer.pub", formats.ReasonMalformedSignature),
	}})
}

// line returns the i-th line with its line end.
func line(raw []byte, i int) []byte { return bytes.SplitAfter(raw, []byte("\n"))[i] }

func describe(t *testing.T, sig, key string) formats.Description {
	t.Helper()
	p, err := minisign.New().Parse(context.Background(), read(t, sig), [][]byte{read(t, key)}, policy())
	if err != nil {
		t.Fatal(err)
	}
	return p.Describe()
}

func TestDescribe(t *testing.T) {
	for _, c := range []struct {
		sig, key, variant string
		need              formats.Need
		digests           int
		claimed           bool
	}{
		{"prehashed.minisig", "signer.pub", "prehashed", formats.NeedDigest, 1, true},
		{"legacy.minisig", "signer.pub", "legacy", formats.NeedBytes, 0, true},
		{"comment.minisig", "signer.pub", "prehashed", formats.NeedDigest, 1, false},
		{"not-a-time.minisig", "signer.pub", "prehashed", formats.NeedDigest, 1, false},
		{"signify.sig", "release.pub", "signify", formats.NeedBytes, 0, false},
	} {
		d := describe(t, c.sig, c.key)
		if d.Variant != c.variant || d.Need != c.need || len(d.Digests) != c.digests || (d.ClaimedTime != nil) != c.claimed {
			t.Errorf("%s: %+v", c.sig, d)
		}
		if len(d.Candidates) != 1 || d.Candidates[0].Scheme != formats.Ed25519 || d.Candidates[0].Remedy == "" {
			t.Errorf("%s: no remedy: %+v", c.sig, d.Candidates)
		}
		if c.claimed == (len(d.Notes) != 0) {
			t.Errorf("%s: notes %q", c.sig, d.Notes)
		}
	}
	first := describe(t, "two-times.minisig", "signer.pub")
	if first.ClaimedTime == nil || first.ClaimedTime.Unix() != 1700000000 {
		t.Errorf("claimed time %v, want the first one", first.ClaimedTime)
	}
}

// TestFingerprint: it is the key's hash. The key id is any eight bytes; only refusals name it, as minisign does.
func TestFingerprint(t *testing.T) {
	signer := describe(t, "prehashed.minisig", "signer.pub").Signers[0]
	if want := formats.SignerID(signer.SPKI).String(); signer.Fingerprint != want {
		t.Errorf("fingerprint %s, want %s", signer.Fingerprint, want)
	}
	_, err := minisign.New().Parse(context.Background(), read(t, "prehashed.minisig"), [][]byte{read(t, "other.pub")}, policy())
	_, id, _ := bytes.Cut(line(read(t, "signer.pub"), 0), []byte("public key "))
	if err == nil || !strings.Contains(err.Error(), string(bytes.TrimSpace(id))) {
		t.Errorf("another key: %v, want one that names %s", err, id)
	}
}

// TestTrustedCommentStaysInside: it may hold personal data, so nothing that is logged or
// shown has it.
func TestTrustedCommentStaysInside(t *testing.T) {
	sig, keys := read(t, "comment.minisig"), [][]byte{read(t, "signer.pub")}
	p, err := minisign.New().Parse(context.Background(), sig, keys, policy())
	if err != nil {
		t.Fatal(err)
	}
	verified, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(read(t, "artifact.txt"))))
	if err != nil {
		t.Fatal(err)
	}
	_, wrong := p.Verify(context.Background(), formats.FromReader(strings.NewReader("x")))
	verified.Canonical = nil // never logged; the signed comment is part of it
	all := fmt.Sprintf("%+v %+v %v %s", p.Describe(), verified, wrong, verified.Keys)
	if strings.Contains(all, "somebody") || strings.Contains(all, "shipped") {
		t.Errorf("the trusted comment leaks: %s", all)
	}
}

func TestCanonicalDropsWhatIsNotSigned(t *testing.T) {
	a := canonical(t, read(t, "prehashed.minisig"))
	b := canonical(t, read(t, "crlf.minisig"))
	c := canonical(t, append([]byte("untrusted comment: mail me at somebody@example.org\n"),
		bytes.Join(bytes.SplitAfter(read(t, "prehashed.minisig"), []byte("\n"))[1:], nil)...))
	if !bytes.Equal(a, b) || !bytes.Equal(a, c) {
		t.Error("line ends or the untrusted comment make another submission")
	}
	if !bytes.Equal(a, canonical(t, a)) {
		t.Error("the canonical form is no fixed point")
	}
}

func canonical(t *testing.T, sig []byte) []byte {
	t.Helper()
	p, err := minisign.New().Parse(context.Background(), sig, [][]byte{read(t, "signer.pub"), read(t, "release.pub")}, policy())
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(read(t, "artifact.txt"))))
	if err != nil {
		t.Fatal(err)
	}
	return v.Canonical
}

func TestArtifactKinds(t *testing.T) {
	artifact := read(t, "artifact.txt")
	sha := formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)}
	for _, c := range []struct {
		name, sig string
		artifact  formats.Artifact
		want      formats.Reason
	}{
		{"nothing", "prehashed.minisig", formats.Artifact{}, formats.ReasonMissingArtifact},
		{"nothing", "legacy.minisig", formats.Artifact{}, formats.ReasonMissingArtifact},
		{"SHA-256", "prehashed.minisig", formats.FromDigest(sha), formats.ReasonWrongDigestAlgorithm},
		{"signed digest", "prehashed.minisig", formats.FromSignedDigest(*blake(artifact)), formats.ReasonWrongDigestAlgorithm},
		{"digest", "legacy.minisig", formats.FromDigest(*blake(artifact)), formats.ReasonNeedsBytes},
		{"digest", "signify.sig", formats.FromDigest(*blake(artifact)), formats.ReasonNeedsBytes},
		{"another digest", "prehashed.minisig", formats.FromDigest(*blake(nil)), formats.ReasonArtifactMismatch},
		{"another file", "prehashed.minisig", formats.FromReader(strings.NewReader("x")), formats.ReasonArtifactMismatch},
		{"another file", "legacy.minisig", formats.FromReader(strings.NewReader("x")), formats.ReasonArtifactMismatch},
		{"another file", "signify.sig", formats.FromReader(strings.NewReader("x")), formats.ReasonSignatureInvalid},
	} {
		p, err := minisign.New().Parse(context.Background(), read(t, c.sig), [][]byte{read(t, "signer.pub"), read(t, "release.pub")}, policy())
		if err != nil {
			t.Fatal(err)
		}
		if v, err := p.Verify(context.Background(), c.artifact); v != nil || formats.ReasonOf(err) != c.want {
			t.Errorf("%s, %s: %v, want %s", c.sig, c.name, err, c.want)
		}
	}
}

func TestDigestsStated(t *testing.T) {
	artifact := read(t, "artifact.txt")
	p, err := minisign.New().Parse(context.Background(), read(t, "prehashed.minisig"), [][]byte{read(t, "signer.pub")}, policy())
	if err != nil {
		t.Fatal(err)
	}
	v, err := p.Verify(context.Background(), formats.FromDigest(*blake(artifact)))
	if err != nil {
		t.Fatal(err)
	}
	want := []formats.ArtifactDigest{{Digest: *blake(artifact), Evidence: formats.EvidenceDigest}}
	if !reflect.DeepEqual(v.Digests, want) {
		t.Errorf("digests %v, want %v", v.Digests, want)
	}
}

func TestDetect(t *testing.T) {
	for name, want := range map[string]bool{
		"prehashed.minisig": true, "legacy.minisig": true, "crlf.minisig": true, "signify.sig": true,
		"artifact.txt": false, "make.sh": false,
	} {
		if got := minisign.New().Detect(read(t, name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, other := range []string{
		"", "\n", "untrusted comment: ", "untrusted comment: x\n", "untrusted comment: x\nSSHSIG",
		"-----BEGIN PGP SIGNATURE-----\n", "-----BEGIN SSH SIGNATURE-----\n", `{"signed":{}}`, "0\x82\x01\x00",
		"untrusted comment: " + strings.Repeat("x", 5000) + "\nRW",
	} {
		if minisign.New().Detect([]byte(other)) {
			t.Errorf("claims %.30q", other)
		}
	}
}

// forge signs with the throwaway key, whose secret half is at hand.
func forge(t testing.TB, artifact []byte, o gominisign.SignOptions) (sig, pub []byte) {
	t.Helper()
	secret, err := gominisign.DecodePrivateKey(string(read(t, "throwaway-minisign.key")))
	if err != nil {
		t.Fatal(err)
	}
	s, err := secret.Sign(artifact, o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Encode(), encodeKey(secret.PublicKey())
}

func encodeKey(k gominisign.PublicKey) []byte {
	raw := slices.Concat(k.SignatureAlgorithm[:], k.KeyId[:], k.PublicKey[:])
	return []byte(base64.StdEncoding.EncodeToString(raw))
}

// TestConcurrent: one Parsed serves many; run it with -race.
func TestConcurrent(t *testing.T) {
	artifact := read(t, "artifact.txt")
	for sig, key := range map[string]string{"prehashed.minisig": "signer.pub", "legacy.minisig": "signer.pub", "signify.sig": "release.pub"} {
		p, err := minisign.New().Parse(context.Background(), read(t, sig), [][]byte{read(t, key)}, policy())
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				p.Describe()
				if _, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(artifact))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// TestMessage: a log may show what a prehashed signature is over, which is a digest, and nothing else: a file, or what stands in it, may
// hold anything.
func TestMessage(t *testing.T) {
	artifact := read(t, "artifact.txt")
	for _, c := range []struct {
		sig, key, artifact string
		want               []byte
	}{
		{"prehashed.minisig", "signer.pub", "artifact.txt", blake(artifact).Value},
		{"legacy.minisig", "signer.pub", "artifact.txt", nil},
		{"signify.sig", "release.pub", "artifact.txt", nil},
		{"signify-embedded.sig", "release.pub", "", nil},
		{"signify-gzip.tgz", "release.pub", "", nil},
	} {
		p, err := minisign.New().Parse(t.Context(), read(t, c.sig), [][]byte{read(t, c.key)}, policy())
		if err != nil {
			t.Fatal(err)
		}
		var a formats.Artifact
		if c.artifact != "" {
			a = formats.FromReader(bytes.NewReader(read(t, c.artifact)))
		}
		v, err := p.Verify(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Projections[0].Message; !bytes.Equal(got, c.want) {
			t.Errorf("%s: shows %q", c.sig, got)
		}
	}
}

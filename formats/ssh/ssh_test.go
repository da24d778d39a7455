// SPDX-License-Identifier: Apache-2.0

package ssh_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/ssh"
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

func digestOf(a formats.DigestAlgorithm, raw []byte) *formats.Digest {
	h := a.New()
	h.Write(raw)
	return &formats.Digest{Algorithm: a, Value: h.Sum(nil)}
}

// accepted lists the signatures that verify, with the key file for each.
var accepted = []struct {
	sig, keys, variant, algorithm string
	projects                      bool
}{
	{"ecdsa-256", "ecdsa-256.pub", "SSHSIG, ecdsa", "ECDSA P-256/SHA-256", true},
	{"ecdsa-384", "ecdsa-384.pub", "SSHSIG, ecdsa", "ECDSA P-384/SHA-384", true},
	{"ecdsa-521", "ecdsa-521.pub", "SSHSIG, ecdsa", "ECDSA P-521/SHA-512", true},
	{"rsa", "rsa.pub", "SSHSIG, rsa", "RSA-2048/SHA-512", true},
	{"rsa-sha256", "rsa-sha256.pub", "SSHSIG, rsa", "RSA-2048/SHA-256", true},
	{"ed25519", "ed25519.pub", "SSHSIG, ed25519", "Ed25519", true},
	{"sk-ecdsa", "sk-ecdsa.pub", "SSHSIG, sk-ecdsa", "ECDSA P-256/SHA-256", true},
	{"sk-ed25519", "sk-ed25519.pub", "SSHSIG, sk-ed25519", "Ed25519", true},
	{"sk-ed25519", "allowed.signers", "SSHSIG, sk-ed25519", "Ed25519", true},
	{"ecdsa-256", "allowed.signers", "SSHSIG, ecdsa", "ECDSA P-256/SHA-256", true},
	{"sha256", "ecdsa-256.pub", "SSHSIG, ecdsa", "ECDSA P-256/SHA-256", true},
	{"cert-ecdsa", "ca.signers", "SSHSIG, ecdsa certificate", "ECDSA P-256/SHA-256", true},
	{"cert-ed25519", "ca-other.signers", "SSHSIG, ed25519 certificate", "Ed25519", true},
	{"cert-sk-ecdsa", "ca.signers", "SSHSIG, sk-ecdsa certificate", "ECDSA P-256/SHA-256", true},
}

func TestConformance(t *testing.T) {
	artifact := read(t, "artifact.txt")
	var vectors []formatstest.Vector
	add := func(sig, keys string, want formats.Reason, projects bool) *formatstest.Vector {
		vectors = append(vectors, formatstest.Vector{
			Name: sig + " by " + keys, Signature: read(t, sig+".sig"), Keys: [][]byte{read(t, keys)},
			Artifact: artifact, Policy: policy(), Want: want, Projects: projects,
		})
		return &vectors[len(vectors)-1]
	}
	for _, a := range accepted {
		v := add(a.sig, a.keys, "", a.projects)
		v.Digest = digestOf(formats.SHA512, artifact)
		if a.sig == "sha256" {
			v.Digest = digestOf(formats.SHA256, artifact)
		}
	}
	bare := add("ecdsa-256", "ecdsa-256.pub", "", true)
	bare.Name, bare.Signature = "bare blob", dearmor(t, bare.Signature)
	crlf := add("ecdsa-256", "ecdsa-256.pub", "", true)
	crlf.Name, crlf.Signature = "CRLF", bytes.ReplaceAll(crlf.Signature, []byte("\n"), []byte("\r\n"))
	expired := add("cert-expired", "ca.signers", "", false)
	expired.Name, expired.Policy.Historical = "historical", formats.AllowAll(true)
	line := add("ecdsa-256", "ecdsa-256.pub", "", false)
	line.Name, line.Policy.Historical = "historical line", formats.AllowAll(true)
	line.Keys = [][]byte{append([]byte(`* valid-after="20200101",valid-before="202101010000" `), line.Keys[0]...)}
	for _, r := range refused {
		add(r.sig, r.keys, r.want, false)
	}
	formatstest.Run(t, formatstest.Suite{Format: ssh.New(), Vectors: vectors})
}

func dearmor(t testing.TB, sig []byte) []byte {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(sig)), "\n")
	return unbase64(t, strings.Join(lines[1:len(lines)-1], ""))
}

func parse(t testing.TB, sig, keys string) formats.Parsed {
	t.Helper()
	p, err := ssh.New().Parse(context.Background(), read(t, sig+".sig"), [][]byte{read(t, keys)}, policy())
	if err != nil {
		t.Fatalf("%s: %v", sig, err)
	}
	return p
}

func TestDescribe(t *testing.T) {
	for _, a := range accepted {
		d := parse(t, a.sig, a.keys).Describe()
		if d.Variant != a.variant || d.Algorithm != a.algorithm || d.Need != formats.NeedDigest || d.ClaimedTime != nil {
			t.Errorf("%s: %+v", a.sig, d)
		}
		if len(d.Candidates) == 1 != a.projects || d.NotProjectable != nil && d.NotProjectable.Hint == "" {
			t.Errorf("%s: %+v, %+v", a.sig, d.Candidates, d.NotProjectable)
		}
		if len(d.Notes) == 0 || d.Notes[0] != "the SSHSIG namespace is file" {
			t.Errorf("%s: the namespace is not noted: %q", a.sig, d.Notes)
		}
	}
}

// TestLoggable: what a log takes, and that what it does not take has a remedy.
func TestLoggable(t *testing.T) {
	for sig, loggable := range map[string]bool{
		"ecdsa-256": true, "ecdsa-384": true, "ecdsa-521": true, "sk-ecdsa": true, "rsa-sha256": true, "rsa": false,
		"ed25519": false, "sk-ed25519": false,
	} {
		c := parse(t, sig, sig+".pub").Describe().Candidates[0]
		if formatstest.TakenByRekor(c) != loggable {
			t.Errorf("%s: %+v", sig, c)
		}
		if !loggable && !strings.Contains(c.Remedy, "ssh-keygen -t ecdsa") {
			t.Errorf("%s: no remedy in %q", sig, c.Remedy)
		}
	}
}

// TestFingerprint: it is what ssh-keygen -l prints, and a certificate's is that of its key.
func TestFingerprint(t *testing.T) {
	key, _, _, _, err := xssh.ParseAuthorizedKey(read(t, "ecdsa-256.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for sig, keys := range map[string]string{"ecdsa-256": "ecdsa-256.pub", "cert-ecdsa": "ca.signers"} {
		if got := parse(t, sig, keys).Describe().Signers[0].Fingerprint; got != xssh.FingerprintSHA256(key) {
			t.Errorf("%s: %s", sig, got)
		}
	}
}

// TestPrincipalsStayInside: e-mail addresses and names of allowed_signers lines and
// certificates are in nothing that is logged, kept or shown.
func TestPrincipalsStayInside(t *testing.T) {
	for _, c := range []struct{ sig, keys string }{
		{"ecdsa-256", "allowed.signers"}, {"ecdsa-256", "ecdsa-256.pub"}, {"cert-ecdsa", "ca.signers"}, {"cert-sk-ecdsa", "ca.signers"},
	} {
		p := parse(t, c.sig, c.keys)
		v, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(read(t, "artifact.txt"))))
		if err != nil {
			t.Fatal(err)
		}
		_, wrong := p.Verify(context.Background(), formats.FromReader(strings.NewReader("x")))
		all := fmt.Sprintf("%+v %+v %v %s %s", p.Describe(), v, wrong, v.Keys, v.Canonical)
		for _, s := range []string{"example.org", "somebody"} {
			if strings.Contains(all, s) {
				t.Errorf("%s: %q leaks", c.sig, s)
			}
		}
	}
	for _, r := range refused {
		_, err := ssh.New().Parse(context.Background(), read(t, r.sig+".sig"), [][]byte{read(t, r.keys)}, policy())
		if text := fmt.Sprintf("%+v", err); strings.Contains(text, "example") || strings.Contains(text, "somebody") {
			t.Errorf("%s: a refusal leaks: %s", r.sig, text)
		}
	}
}

func TestArtifactKinds(t *testing.T) {
	artifact := read(t, "artifact.txt")
	for _, c := range []struct {
		name, sig string
		artifact  formats.Artifact
		want      formats.Reason
	}{
		{"nothing", "ecdsa-256", formats.Artifact{}, formats.ReasonMissingArtifact},
		{"the other digest", "ecdsa-256", formats.FromDigest(*digestOf(formats.SHA256, artifact)), formats.ReasonWrongDigestAlgorithm},
		{"the other digest", "sha256", formats.FromDigest(*digestOf(formats.SHA512, artifact)), formats.ReasonWrongDigestAlgorithm},
		{"short digest", "sha256", formats.FromDigest(formats.Digest{Algorithm: formats.SHA256}), formats.ReasonWrongDigestAlgorithm},
		{"signed digest", "ecdsa-256", formats.FromSignedDigest(*digestOf(formats.SHA512, artifact)), formats.ReasonWrongDigestAlgorithm},
		{"another file's digest", "ecdsa-256", formats.FromDigest(*digestOf(formats.SHA512, nil)), formats.ReasonSignatureInvalid},
		{"another file", "ecdsa-256", formats.FromReader(strings.NewReader("x")), formats.ReasonSignatureInvalid},
	} {
		v, err := parse(t, c.sig, "ecdsa-256.pub").Verify(context.Background(), c.artifact)
		if v != nil || formats.ReasonOf(err) != c.want {
			t.Errorf("%s, %s: %v, want %s", c.sig, c.name, err, c.want)
		}
	}
}

func TestDigestsStated(t *testing.T) {
	artifact := read(t, "artifact.txt")
	v, err := parse(t, "ecdsa-256", "ecdsa-256.pub").Verify(context.Background(), formats.FromReader(bytes.NewReader(artifact)))
	if err != nil {
		t.Fatal(err)
	}
	want := []formats.ArtifactDigest{
		{Digest: *digestOf(formats.SHA256, artifact), Evidence: formats.EvidenceBytes},
		{Digest: *digestOf(formats.SHA512, artifact), Evidence: formats.EvidenceBytes},
	}
	if !reflect.DeepEqual(v.Digests, want) {
		t.Errorf("digests %v, want %v", v.Digests, want)
	}
}

func TestDetect(t *testing.T) {
	for _, name := range []string{"ecdsa-256.sig", "cert-ecdsa.sig", "rsa.sig"} {
		if armored := read(t, name); !ssh.New().Detect(armored) || !ssh.New().Detect(dearmor(t, armored)) {
			t.Errorf("does not claim %s", name)
		}
	}
	for _, other := range []string{
		"", "SSH", "SSHSIG", "SSHSIGNATURE", "-----BEGIN PGP SIGNATURE-----\n", "-----BEGIN SSH2 PUBLIC KEY-----", "-----BEGIN CMS-----\n",
		"untrusted comment: x\nRW", `{"signed":{}}`, "0\x82\x01\x00", string(read(t, "ecdsa-256.pub")), string(read(t, "make.sh")),
	} {
		if ssh.New().Detect([]byte(other)) {
			t.Errorf("claims %.30q", other)
		}
	}
}

// TestConcurrent: one Parsed serves many; run it with -race.
func TestConcurrent(t *testing.T) {
	artifact := read(t, "artifact.txt")
	for _, a := range accepted {
		p := parse(t, a.sig, a.keys)
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

// TestMessage: a log may show the blob of a pure Ed25519 signature, whose one text is the namespace; what a security key signs is not one.
func TestMessage(t *testing.T) {
	artifact := read(t, "artifact.txt")
	for _, c := range []struct {
		sig, keys string
		shows     bool
	}{
		{"ed25519", "ed25519.pub", true}, {"cert-ed25519", "ca-other.signers", true}, {"sk-ed25519", "sk-ed25519.pub", false}, {"ecdsa-256", "ecdsa-256.pub", false},
	} {
		v, err := parse(t, c.sig, c.keys).Verify(t.Context(), formats.FromDigest(*digestOf(formats.SHA512, artifact)))
		if err != nil {
			t.Fatal(err)
		}
		p := v.Projections[0]
		if (p.Message != nil) != c.shows || c.shows && (!bytes.HasPrefix(p.Message, []byte("SSHSIG\x00\x00\x00\x04file")) || !bytes.Equal(p.Message, p.Recipe.Prefix)) {
			t.Errorf("%s shows %q", c.sig, p.Message)
		}
	}
}

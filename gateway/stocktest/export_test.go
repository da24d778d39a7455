// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// sample is a receipt, with how to verify it.
type sample struct {
	name      string
	receipt   *receiptpb.Receipt
	options   receipt.Options // but for the artifact
	artifact  string          // path, "" when it is inside the signature
	otherRoot *trustroot.Root // of the same logs with other keys
}

// exported is what a command line names that was exported for cosign, read from its files.
type exported struct {
	of    sample
	line  string
	index int // among those of the receipt

	bundle          *bundle.Bundle
	root            *root.TrustedRoot
	key             []byte // SPKI, DER
	hash            formats.DigestAlgorithm
	predicateType   string // "" when the bundle has no statement
	blob            []byte
	digestAlgorithm string // when the command names a digest in place of the blob
	digest          []byte
}

// verify does what "cosign verify-blob" or "verify-blob-attestation" does.
func (e exported) verify() error {
	public, err := x509.ParsePKIXPublicKey(e.key)
	if err != nil {
		return err
	}
	key, err := signature.LoadVerifier(public, e.hash.Hash())
	if err != nil {
		return err
	}
	expiring := root.NewExpiringKey(key, time.Time{}, time.Time{})
	keys := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return expiring, nil })
	v, err := verify.NewVerifier(root.TrustedMaterialCollection{e.root, keys}, verify.WithTransparencyLog(1), verify.WithNoObserverTimestamps())
	if err != nil {
		return err
	}
	subject := verify.WithArtifactDigest(e.digestAlgorithm, e.digest)
	if e.digestAlgorithm == "" {
		subject = verify.WithArtifact(bytes.NewReader(e.blob))
	}
	result, err := v.Verify(e.bundle, verify.NewPolicy(subject, verify.WithKey()))
	if err != nil {
		return err
	}
	if got := result.Statement.GetPredicateType(); got != e.predicateType {
		return fmt.Errorf("the statement's type is %q, not %q", got, e.predicateType)
	}
	return nil
}

// minExported is what there was when this was written, or a little less. With fewer, something is no longer
// put before sigstore-go.
var minExported = map[string]int{
	"all": 220, "NATIVE": 30, "PROJECTED": 110, "ATTESTED": 80, "sha256": 120, "sha384": 12, "sha512": 5,
	"artifact": 100, "derived bytes": 105, "by digest": 12, "later entry": 10,
	"stranger of the same artifact, NATIVE": 30, "stranger of the same artifact, PROJECTED": 50, "stranger of the same artifact, ATTESTED": 75,
}

// notPossible are the receipts that stock cosign has no command for.
var notPossible = map[string]string{
	"minisign-by-digest":              "the gateway saw only a BLAKE2b digest",
	"x509-ed25519ph":                  "Ed25519ph",
	"x509-ed25519ph-by-digest":        "Ed25519ph",
	"x509-p256-certificate-published": "a certificate was logged",
}

// TestSigstoreGoVerifiesExports: sigstore-go verifies what is exported of every receipt of the corpus and
// of today's, and does not with anything else in place of what it is about.
func TestSigstoreGoVerifiesExports(t *testing.T) {
	t.Parallel()
	var list []exported
	for _, s := range append(keptSamples(t), freshSamples(t)...) {
		list = append(list, export(t, s)...)
	}
	counts := map[string]int{}
	for _, e := range list {
		t.Run(e.of.name, func(t *testing.T) {
			if err := e.verify(); err != nil {
				t.Fatalf("%s: %v", e.line, err)
			}
			for name, bad := range alter(t, e) {
				if bad.verify() == nil {
					t.Errorf("%s: %s verifies", e.line, name)
				}
			}
			for _, stranger := range strangers(e, list) {
				bad := e
				bad.bundle = stranger.bundle
				if bad.verify() == nil {
					t.Errorf("%s: the bundle of %s verifies, a stranger's", e.line, stranger.of.name)
				}
			}
		})
		for _, kind := range e.kinds(list) {
			counts[kind]++
		}
	}
	for kind, want := range minExported {
		if counts[kind] < want {
			t.Errorf("%d of kind %q are verified, want at least %d", counts[kind], kind, want)
		}
	}
}

// kinds say what e covers.
func (e exported) kinds(list []exported) []string {
	out := []string{"all", e.of.receipt.GetRepresentation().String()}
	if e.predicateType == "" {
		out = append(out, string(e.hash))
	}
	switch {
	case e.digestAlgorithm != "":
		out = append(out, "by digest")
	case strings.HasPrefix(filepath.Base(e.line), "derived"):
		out = append(out, "derived bytes")
	default:
		out = append(out, "artifact")
	}
	if e.index > 0 {
		out = append(out, "later entry")
	}
	if s := strangers(e, list); len(s) > 0 && s[0].sameSubject(e) {
		out = append(out, "stranger of the same artifact, "+e.of.receipt.GetRepresentation().String())
	}
	return out
}

// alter returns e with something else in place of what it is about.
func alter(t *testing.T, e exported) map[string]exported {
	t.Helper()
	artifact, key, statement, log := e, e, e, e
	if e.digestAlgorithm == "" {
		artifact.blob = append(slices.Clone(e.blob), '!')
	} else {
		artifact.digest = append([]byte{e.digest[0] ^ 1}, e.digest[1:]...)
	}
	key.key = encodeKey(t, newKey(t))
	statement.predicateType += "x"
	path := filepath.Join(t.TempDir(), "other_root.json")
	if err := e.of.otherRoot.Write(path); err != nil {
		t.Fatal(err)
	}
	log.root = loadRoot(t, path)
	return map[string]exported{"another artifact": artifact, "another key": key, "another kind of statement": statement, "another key of the log": log}
}

func loadRoot(t *testing.T, path string) *root.TrustedRoot {
	t.Helper()
	r, err := root.NewTrustedRootFromPath(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// strangers returns what others have in the log, those first who signed the same: whom only the key, or
// the statement's type, tells apart.
func strangers(e exported, list []exported) []exported {
	var same, others []exported
	for _, s := range list {
		switch {
		case bytes.Equal(s.key, e.key) && s.predicateType == e.predicateType:
		case s.sameSubject(e) && (s.predicateType == "") == (e.predicateType == ""):
			same = append(same, s)
		default:
			others = append(others, s)
		}
	}
	return append(same[:min(3, len(same))], others[:min(2, len(others))]...)
}

func (e exported) sameSubject(other exported) bool {
	return e.digestAlgorithm == other.digestAlgorithm && bytes.Equal(e.blob, other.blob) && bytes.Equal(e.digest, other.digest)
}

// export verifies s and reads what is exported of it. The trusted root is written by today's code.
func export(t *testing.T, s sample) []exported {
	t.Helper()
	dir := t.TempDir()
	x := receipt.Export{Dir: filepath.Join(dir, "out"), Artifact: s.artifact, TrustedRoot: filepath.Join(dir, "trusted_root.json")}
	if err := s.options.TrustedRoot.Write(x.TrustedRoot); err != nil {
		t.Fatal(err)
	}
	if s.artifact != "" {
		s.options.Artifact = bytes.NewReader(readFile(t, s.artifact))
	}
	report, err := receipt.Verify(t.Context(), s.receipt, s.options)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	commands, err := report.ExportCosign(t.Context(), x)
	why := notPossible[s.name]
	if isBatched(s.receipt) {
		why = "a gateway's own log"
	}
	if why != "" && formats.ReasonOf(err) == receipt.ReasonExportNotPossible && strings.Contains(err.Error(), why) {
		return nil
	}
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if len(commands) != len(s.receipt.GetEntries()) {
		t.Errorf("%s: %d commands for %d entries", s.name, len(commands), len(s.receipt.GetEntries()))
	}
	var out []exported
	for i, c := range commands {
		e := readCommand(t, c)
		e.of, e.index = s, i
		out = append(out, e)
	}
	return out
}

func readCommand(t *testing.T, c receipt.Command) exported {
	t.Helper()
	e := exported{
		line: c.String(), root: loadRoot(t, flag(c, "--trusted-root")), predicateType: flag(c, "--type"),
		hash:            formats.DigestAlgorithm(cmp.Or(flag(c, "--signature-digest-algorithm"), string(formats.SHA256))),
		digestAlgorithm: flag(c, "--digestAlg"),
	}
	var err error
	if e.bundle, err = bundle.LoadJSONFromPath(flag(c, "--bundle")); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(readFile(t, flag(c, "--key")))
	e.key = block.Bytes
	if e.digestAlgorithm == "" {
		e.blob = readFile(t, c[len(c)-1])
	} else if e.digest, err = hex.DecodeString(flag(c, "--digest")); err != nil {
		t.Fatal(err)
	}
	return e
}

// flag returns a flag's value in c, "" when it is not there.
func flag(c receipt.Command, name string) string {
	if i := slices.Index(c, name); i >= 0 {
		return c[i+1]
	}
	return ""
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// export verifies s and exports it, with the trusted root and the artifact as files.
func export(t *testing.T, s *signed) []receipt.Command {
	t.Helper()
	return exportBy(t, s, s.options())
}

func exportBy(t *testing.T, s *signed, o receipt.Options) []receipt.Command {
	t.Helper()
	dir := t.TempDir()
	x := receipt.Export{Dir: filepath.Join(dir, "out"), Artifact: filepath.Join(dir, "artifact"), TrustedRoot: filepath.Join(dir, "trusted_root.json")}
	if s.content == nil {
		x.Artifact = ""
	} else if err := os.WriteFile(x.Artifact, s.content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.log.Root().Write(x.TrustedRoot); err != nil {
		t.Fatal(err)
	}
	report, err := receipt.Verify(t.Context(), s.receipt, o)
	if err != nil {
		t.Fatal(err)
	}
	commands, err := report.ExportCosign(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return commands
}

// flag returns a flag's value in c.
func flag(c receipt.Command, name string) string {
	for i, w := range c {
		if w == name {
			return c[i+1]
		}
	}
	return ""
}

func TestExportHasACommandPerEntry(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*signed{
		"native": native(t), "P-384": nativeBy(t, p384, crypto.SHA384),
		"projected": projected(t, 1), "two signers": projected(t, 2),
	} {
		t.Run(name, func(t *testing.T) {
			commands := export(t, s)
			if len(commands) != len(s.receipt.GetEntries()) {
				t.Fatalf("%d commands for %d entries", len(commands), len(s.receipt.GetEntries()))
			}
			for i, c := range commands {
				block, _ := pem.Decode(readFile(t, flag(c, "--key")))
				if !bytes.Equal(block.Bytes, s.receipt.GetEntries()[i].GetSpki()) {
					t.Errorf("%v names another key", c)
				}
			}
		})
	}
}

// A statement's command names the signer in the predicate type, so that it refuses what the
// same gateway attested for a stranger, the artifact being the same.
func TestExportedStatementPinsTheSigner(t *testing.T) {
	g := newGateway(t)
	s, stranger := attested(t, g, false), attested(t, g, false)
	o, so := s.options(), stranger.options()
	o.GatewayTrust, so.GatewayTrust = trust(t, g, 0, -1), trust(t, g, 0, -1)
	c, other := exportBy(t, s, o)[0], exportBy(t, stranger, so)[0]
	if flag(c, "--type") != statement.PredicateType(s.signers, false) || flag(c, "--type") == flag(other, "--type") {
		t.Errorf("the type %s does not pin the signer", flag(c, "--type"))
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExportNamesTheArtifactWhenItIsSigned(t *testing.T) {
	c := export(t, native(t))[0]
	if got := c[len(c)-1]; filepath.Base(got) != "artifact" {
		t.Errorf("the blob is %s, want the artifact itself", got)
	}
}

// Cosign takes an Ed25519 key to sign purely: no command can be given.
func TestExportRefusesEd25519ph(t *testing.T) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := nativeBy(t, k, &ed25519.Options{Hash: crypto.SHA512})
	report, err := receipt.Verify(t.Context(), s.receipt, s.options())
	if err != nil {
		t.Fatal(err)
	}
	_, err = report.ExportCosign(t.Context(), receipt.Export{Dir: t.TempDir(), Artifact: "artifact", TrustedRoot: "root"})
	if formats.ReasonOf(err) != receipt.ReasonExportNotPossible {
		t.Errorf("error %v", err)
	}
}

func TestExportNeedsTheSigner(t *testing.T) {
	s := native(t)
	o := s.options()
	o.ExpectedKeys, o.AnySigner = nil, true
	report, err := receipt.Verify(t.Context(), s.receipt, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := report.ExportCosign(t.Context(), receipt.Export{Dir: t.TempDir()}); formats.ReasonOf(err) != receipt.ReasonExportNotPossible {
		t.Errorf("error %v", err)
	}
}

func TestCommandString(t *testing.T) {
	got := receipt.Command{"cosign", "a b", "it's", "", "x=1"}.String()
	if want := `cosign 'a b' 'it'\''s' '' x=1`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What is exported is what was verified, whatever becomes of the receipt meanwhile.
func TestReportOwnsItsReceipt(t *testing.T) {
	s := native(t)
	r := proto.CloneOf(s.receipt)
	report, err := receipt.Verify(t.Context(), r, s.options())
	if err != nil {
		t.Fatal(err)
	}
	r.Entries[0].Spki = spki(t, newKey(t))
	r.Representation = receiptpb.Receipt_ATTESTED
	dir := t.TempDir()
	if _, err := report.ExportCosign(t.Context(), receipt.Export{Dir: dir, Artifact: "artifact", TrustedRoot: "root"}); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(readFile(t, filepath.Join(dir, "key.pem")))
	if !bytes.Equal(block.Bytes, s.receipt.GetEntries()[0].GetSpki()) {
		t.Error("the exported key is not the verified one")
	}
}

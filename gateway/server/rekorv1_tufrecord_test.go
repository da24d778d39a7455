// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// signTUF has go-tuf sign metadata with that many targets.
func signTUF(t *testing.T, targets int) signed {
	t.Helper()
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	root, listed := metadata.Root(expires), metadata.Targets(expires)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		if err := root.Signed.AddKey(must(metadata.KeyFromPublicKey(public)), role); err != nil {
			t.Fatal(err)
		}
	}
	for i := range targets {
		name := fmt.Sprintf("release-%d", i)
		listed.Signed.Targets[name] = must(metadata.TargetFile().FromBytes(name, []byte(name)))
	}
	signer := must(signature.LoadSigner(private, crypto.Hash(0)))
	must(root.Sign(signer))
	must(listed.Sign(signer))
	return signed{nil, must(listed.ToBytes(true)), must(root.ToBytes(true))}
}

// TestRekorV1TUF records metadata of go-tuf as the real Rekor v1 does itself, whatever is sent to it of other artifacts, and what is too large for that
// as a statement, of which the plan says why.
func TestRekorV1TUF(t *testing.T) {
	t.Parallel()
	cfg, _ := wholeConfig(t, 0)
	r := run(t, cfg)
	defer r.stop()
	data := func(name string) []byte { return must(os.ReadFile(filepath.Join("../../formats/tuf/testdata", name))) }
	for name, c := range map[string]struct {
		signed signed
		want   string
		says   string // by the plan
	}{
		"Ed25519":          {signTUF(t, 1), "NATIVE", "become public for ever"},
		"of several kinds": {signed{nil, data("targets-mixed.json"), data("root-1.json")}, "NATIVE", "become public for ever"},
		"a target":         {signed{data("target.txt"), data("targets-mixed.json"), data("root-1.json")}, "NATIVE", "become public for ever"},
		"P-384":            {signed{nil, data("targets.json"), data("root-1.json")}, "PROJECTED", "do not reach the threshold"},
		"large":            {signTUF(t, 1000), "ATTESTED", "larger than the 64 KiB"},
	} {
		plan := r.planSigned(c.signed)
		if said := fmt.Sprint(plan.body); plan.body["chosen"] != c.want || !strings.Contains(said, c.says) {
			t.Errorf("%s: planned as %d %v", name, plan.status, plan.body)
		}
		a := r.submitSigned(c.signed)
		if a.status != http.StatusCreated || a.body["representation"] != c.want {
			t.Fatalf("%s: %d %v", name, a.status, a.body)
		}
		id := a.body["id"].(string)
		if again := r.submitSigned(c.signed); again.status != http.StatusOK || again.body["id"] != id {
			t.Errorf("%s again: %d %v", name, again.status, again.body)
		}
		if c.signed.artifact == nil { // the metadata is its own
			c.signed.artifact = c.signed.signature
		}
		report := r.verifySigned(cfg, id, c.signed)
		said := strings.Join(report.Proven, "\n")
		if c.want == "NATIVE" && (len(report.Entries) != 1 || !strings.Contains(said, "metadata and root (the receipt's) were made again byte for byte") || !strings.Contains(said, "by the promise of log "+cfg.Logs[0].Origin)) {
			t.Errorf("%s: proven:\n%s", name, said)
		}
	}
}

// planSigned asks how s would be recorded.
func (r *running) planSigned(s signed) answer {
	r.t.Helper()
	kind, body := signed{nil, s.signature, s.key}.form()
	return r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions:plan", kind, body))
}

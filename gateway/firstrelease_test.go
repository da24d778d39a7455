// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// TestStoreOfTheFirstRelease: what the first release stored is there, has its receipt, and is the same
// submission when it is sent again, whatever is made of the historical policy now.
func TestStoreOfTheFirstRelease(t *testing.T) {
	t.Parallel()
	for name, historical := range map[string]bool{"strict": false, "historical": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			old, err := os.ReadFile("testdata/firstrelease/store.db")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, old, 0o600); err != nil {
				t.Fatal(err)
			}
			s, _ := run(t, gatewaytest.NewLog(), path, func(c *gatewaytest.Config) {
				c.Attester = attester(t)
				c.Policy.Historical = formats.AllowAll(historical)
			})
			stored := map[string]bool{}
			subs, _, err := s.List(t.Context(), gateway.DefaultTenant, gateway.ListParams{})
			if err != nil || len(subs) != 9 {
				t.Fatalf("%d submissions, %v", len(subs), err)
			}
			for _, sub := range subs {
				stored[sub.ID] = true
				r, err := s.Receipt(t.Context(), sub)
				if err != nil || r.GetSubmissionId() != sub.ID || len(r.GetEntries()) != 1 {
					t.Errorf("receipt of %s: %v", sub.ID, err)
				}
			}
			for _, v := range ofTheFirstRelease {
				if v.weak && !historical {
					continue
				}
				r := gateway.Request{
					Tenant: gateway.DefaultTenant, Format: v.format, PublishCertificate: v.publish,
					Signature: testdata(t, v.format+"/testdata/"+v.signature),
				}
				if v.key != "" {
					r.Keys = [][]byte{testdata(t, v.format+"/testdata/"+v.key)}
				}
				given := gatewaytest.NoArtifact
				if v.artifact != "" {
					given = gatewaytest.Bytes(testdata(t, v.format+"/testdata/"+v.artifact))
				}
				sub, err := s.Submit(t.Context(), r, given)
				if err != nil || !sub.Existing || !stored[sub.ID] {
					t.Errorf("%s %s: existing %t, %v", v.format, v.signature, sub.Existing, err)
				}
			}
			again, err := s.Submit(t.Context(), gatewaytest.Signed(t, "new"), gatewaytest.NoArtifact)
			if err != nil || again.Existing {
				t.Fatalf("a new one: %v", err)
			}
			if sub := wait(t, s, again.ID); sub.State != gateway.Logged {
				t.Errorf("a new one is %s", sub.State)
			}
		})
	}
}

// ofTheFirstRelease are the submissions in the store but for a detached copy of the CMS signature, which the
// first release took for the attached one; weak is what the historical policy let pass.
var ofTheFirstRelease = []struct {
	format, signature, key, artifact string
	publish, weak                    bool
}{
	{format: "x509", signature: "p256.sig", key: "p256.pem", artifact: "artifact.bin"},
	{format: "x509", signature: "p256.sig", key: "p256-cert.pem", artifact: "artifact.bin", publish: true},
	{format: "pgp", signature: "rsa3072-SHA256.sig", key: "rsa3072.key", artifact: "artifact"},
	{format: "pgp", signature: "ed25519.sig", key: "ed25519.key", artifact: "artifact"},
	{format: "minisign", signature: "prehashed.minisig", key: "signer.pub", artifact: "artifact.txt"},
	{format: "pkcs7", signature: "rsa2048-attached.der"},
	{format: "ssh", signature: "ecdsa-256.sig", key: "ecdsa-256.pub", artifact: "artifact.txt"},
	{format: "pgp", signature: "rsa2048-SHA256.sig", key: "rsa2048.key", artifact: "artifact"},
	{format: "pgp", signature: "sha1.sig", key: "rsa2048.key", artifact: "artifact", weak: true},
}

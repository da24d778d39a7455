// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"crypto/sha512"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/foreign"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
)

// TestForeignSignatureIsNotAttested: GnuPG's RSA/SHA-512 signature, sent as a raw one over what it signed.
func TestForeignSignatureIsNotAttested(t *testing.T) {
	t.Parallel()
	s, _ := run(t, gatewaytest.NewLog(), filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) { c.Attester = attester(t) })
	r := gateway.Request{
		Tenant: gateway.DefaultTenant, Format: "x509", Signature: testdata(t, "foreign/testdata/openpgp.sig"),
		Keys: [][]byte{testdata(t, "foreign/testdata/openpgp.pem")},
	}
	signed := testdata(t, "foreign/testdata/openpgp.bin")
	if _, err := s.Submit(t.Context(), r, gatewaytest.Bytes(signed)); formats.ReasonOf(err) != formats.ReasonProtocolConfusion {
		t.Errorf("%v, want %s", err, formats.ReasonProtocolConfusion)
	}
}

// TestStatedExclusions: the statement names what was excluded of bytes, and says of a digest that nothing was.
func TestStatedExclusions(t *testing.T) {
	t.Parallel()
	s, _ := run(t, gatewaytest.NewLog(), filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) { c.Attester = attester(t) })
	r := gateway.Request{
		Tenant: gateway.DefaultTenant, Format: "x509", Signature: testdata(t, "x509/testdata/rsa2048-sha512.sig"),
		Keys: [][]byte{testdata(t, "x509/testdata/rsa2048.pem")},
	}
	artifact := testdata(t, "x509/testdata/artifact.bin")
	sum := sha512.Sum512(artifact)
	byDigest := r
	byDigest.Digest = &formats.Digest{Algorithm: formats.SHA512, Value: sum[:]}
	for name, c := range map[string]struct {
		request  gateway.Request
		artifact func() (formats.Artifact, error)
		excluded bool
	}{
		"bytes": {r, gatewaytest.Bytes(artifact), true}, "digest": {byDigest, gatewaytest.NoArtifact, false},
	} {
		sub, err := s.Submit(t.Context(), c.request, c.artifact)
		if err != nil {
			t.Fatal(err)
		}
		envelope, err := s.Statement(t.Context(), gateway.DefaultTenant, wait(t, s, sub.ID).Entries[0].LeafHash)
		if err != nil {
			t.Fatal(err)
		}
		stated, err := statement.Parse(envelope.GetPayload())
		if err != nil {
			t.Fatal(err)
		}
		p := stated.Predicate
		excludes := slices.ContainsFunc(p.Checks, func(check string) bool { return strings.HasPrefix(check, foreign.CheckPrefix) })
		noted := slices.ContainsFunc(p.Notes, func(n string) bool { return strings.Contains(n, "no other protocol's") })
		if excludes != c.excluded || noted == c.excluded || slices.Contains(p.Checks, "no-foreign-protocol") {
			t.Errorf("%s: checks %q, notes %q", name, p.Checks, p.Notes)
		}
	}
}

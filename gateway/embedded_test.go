// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// TestEmbeddedProofIsTheSameSubmission: a PGP file with a proof in its armor's headers, sent again, is what was sent before, and nothing more is
// logged; so is the file without it where the one with it came first.
func TestEmbeddedProofIsTheSameSubmission(t *testing.T) {
	t.Parallel()
	var proof bytes.Buffer
	fmt.Fprintf(&proof, "Comment: rekor-gateway.dev/proof/v1 4000 0011223344556677\n")
	for range 84 {
		fmt.Fprintf(&proof, "Comment: %s\n", bytes.Repeat([]byte("A"), 64))
	}
	begin := []byte("-----BEGIN PGP SIGNATURE-----\n")
	extend := func(b []byte) []byte { return bytes.Replace(b, begin, append(bytes.Clone(begin), proof.Bytes()...), 1) }
	crlf := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }
	same := func(b []byte) []byte { return b }
	for name, c := range map[string]struct {
		signature     string
		artifact      string
		first, second func([]byte) []byte
	}{
		"detached":            {"armored.asc", "artifact", same, extend},
		"detached, CRLF":      {"armored.asc", "artifact", same, func(b []byte) []byte { return crlf(extend(b)) }},
		"cleartext":           {"cleartext.asc", "", same, extend},
		"taken out of it":     {"armored.asc", "artifact", extend, same},
		"binary before":       {"rsa3072-SHA256.sig", "artifact", same, func([]byte) []byte { return extend(testdata(t, "pgp/testdata/armored.asc")) }},
		"cleartext, the text": {"cleartext.asc", "", extend, same},
	} {
		t.Run(name, func(t *testing.T) {
			log := gatewaytest.NewLog()
			g := startGateway(t, log)
			send := func(signature []byte) gateway.Submission {
				give := gatewaytest.NoArtifact
				if c.artifact != "" {
					give = gatewaytest.Bytes(testdata(t, "pgp/testdata/"+c.artifact))
				}
				sub, err := g.Submit(t.Context(), gateway.Request{
					Tenant: gateway.DefaultTenant, Signature: signature, Keys: [][]byte{testdata(t, "pgp/testdata/rsa3072.key")},
				}, give)
				if err != nil {
					t.Fatal(err)
				}
				return wait(t, g, sub.ID)
			}
			original := testdata(t, "pgp/testdata/"+c.signature)
			first, second := send(c.first(original)), send(c.second(original))
			if logged, _ := log.Count(); first.ID != second.ID || first.State != gateway.Logged || logged != 1 {
				t.Errorf("%s (%s), then %s; %d logged", first.ID, first.State, second.ID, logged)
			}
		})
	}
}

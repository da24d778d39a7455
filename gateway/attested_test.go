// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
)

func attester(t *testing.T) *attest.Signer {
	t.Helper()
	a, err := attest.New(attest.Config{
		Active: filepath.Join(t.TempDir(), "attestation.pem"), Create: true, Verifier: statement.Verifier{Name: "rekor-gateway", Version: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testdata(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "formats", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the log has no algorithm for is attested, once, and auditors get the statement.
func TestAttested(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	s, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) { c.Attester = attester(t) })
	r := gateway.Request{
		Tenant: gateway.DefaultTenant, Signature: testdata(t, "minisign/testdata/prehashed.minisig"),
		Keys: [][]byte{testdata(t, "minisign/testdata/signer.pub")},
	}
	file := testdata(t, "minisign/testdata/artifact.txt")
	send := func(artifact []byte) (gateway.Submission, error) {
		return s.Submit(t.Context(), r, gatewaytest.Bytes(artifact))
	}
	first, err := send(file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := send(file)
	if err != nil || again.ID != first.ID {
		t.Errorf("sent again: %s, %v", again.ID, err)
	}
	sub := wait(t, s, first.ID)
	if sub.State != gateway.Logged || sub.Representation() != gateway.Attested {
		t.Fatalf("state %s, representation %s", sub.State, sub.Representation())
	}
	if logged, _ := log.Count(); logged != 1 {
		t.Errorf("logged %d times", logged)
	}
	envelope, err := s.Statement(t.Context(), gateway.DefaultTenant, sub.Entries[0].LeafHash)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := statement.Parse(envelope.GetPayload())
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(file); !bytes.Contains(envelope.GetPayload(), []byte(formats.Digest{Algorithm: formats.SHA256, Value: sum[:]}.String()[7:])) {
		t.Errorf("the statement does not name the artifact: %+v", parsed)
	}
	if _, err := s.Statement(t.Context(), gateway.DefaultTenant, gateway.LeafHash{}); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("unknown leaf: %v", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// A private key in any part is refused as that, also as an artifact that its own signature is good for. A file that only
// mentions one is an artifact like any other.
func TestPrivateKeyInAnyPart(t *testing.T) {
	t.Parallel()
	s := startGateway(t, gatewaytest.NewLog())
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	sign := func(artifact []byte) []byte {
		sum := sha256.Sum256(artifact)
		signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	secret := testdata(t, "textlayer/testdata/throwaway-openssh")
	layered := []byte(base64.StdEncoding.EncodeToString(secret))
	script := []byte("#!/bin/sh\ngrep -q -e '-----BEGIN OPENSSH PRIVATE KEY-----' \"$1\"\n")
	for name, c := range map[string]struct {
		signature, key, artifact []byte
		want                     formats.Reason
	}{
		"signature":                  {secret, public, script, formats.ReasonSecretKey},
		"key":                        {sign(script), secret, script, formats.ReasonSecretKey},
		"key in base64":              {sign(script), layered, script, formats.ReasonSecretKey},
		"signed artifact":            {sign(secret), public, secret, formats.ReasonSecretKey},
		"signed artifact in base64":  {sign(layered), public, layered, formats.ReasonSecretKey},
		"artifact of another's":      {sign(script), public, secret, formats.ReasonSecretKey},
		"artifact that mentions one": {sign(script), public, script, ""},
	} {
		r := gateway.Request{Tenant: gateway.DefaultTenant, Signature: c.signature, Keys: [][]byte{c.key}}
		if _, err := s.Submit(t.Context(), r, gatewaytest.Bytes(c.artifact)); formats.ReasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// What stands around a signature makes no other submission of it.
func TestWrappedIsTheSame(t *testing.T) {
	t.Parallel()
	s := startGateway(t, gatewaytest.NewLog())
	signature, key, artifact := testdata(t, "ssh/testdata/ecdsa-256.sig"), testdata(t, "ssh/testdata/ecdsa-256.pub"), testdata(t, "ssh/testdata/artifact.txt")
	var first string
	for name, wrapped := range map[string][]byte{
		"as it is": signature, "byte order mark": append([]byte("\xef\xbb\xbf"), signature...),
		"blank lines": append(append([]byte("\n"), signature...), "\n\n"...), "base64": []byte(base64.StdEncoding.EncodeToString(signature)),
	} {
		sub, err := s.Submit(t.Context(), gateway.Request{Tenant: gateway.DefaultTenant, Signature: wrapped, Keys: [][]byte{key}}, gatewaytest.Bytes(artifact))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if first == "" {
			first = sub.ID
		}
		if sub.ID != first {
			t.Errorf("%s: another submission", name)
		}
	}
}

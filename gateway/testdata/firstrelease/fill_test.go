// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

func TestFill(t *testing.T) {
	path := os.Getenv("FILL")
	if path == "" {
		t.Skip()
	}
	a := attester(t)
	for _, historical := range []bool{false, true} {
		s, stop := run(t, gatewaytest.NewLog(), path, func(c *gateway.Config) {
			c.Attester = a
			c.Policy.Historical = historical
		})
		for _, v := range vectors {
			if v.historical != historical {
				continue
			}
			draft, err := s.Begin(v.request(t))
			if err != nil {
				t.Fatal(v.name, err)
			}
			sub, err := draft.Submit(t.Context(), v.given(t))
			if err != nil {
				t.Fatal(v.name, err)
			}
			if sub = wait(t, s, sub.ID); sub.State != gateway.Logged {
				t.Fatal(v.name, sub.State)
			}
		}
		stop()
	}
}

type vector struct {
	name, format, signature, key, artifact string
	decompress                             container.Kind
	packed                                 string
	digest                                 string
	publish, historical                    bool
}

var vectors = []vector{
	{name: "x509", format: "x509", signature: "p256.sig", key: "p256.pem", artifact: "artifact.bin"},
	{name: "certificate published", format: "x509", signature: "p256.sig", key: "p256-cert.pem", artifact: "artifact.bin", publish: true},
	{name: "pgp projected", format: "pgp", signature: "rsa3072-SHA256.sig", key: "rsa3072.key", artifact: "artifact"},
	{name: "pgp attested", format: "pgp", signature: "ed25519.sig", key: "ed25519.key", artifact: "artifact"},
	{name: "minisign", format: "minisign", signature: "prehashed.minisig", key: "signer.pub", artifact: "artifact.txt"},
	{name: "pkcs7 attached", format: "pkcs7", signature: "rsa2048-attached.der"},
	{name: "pkcs7 detached", format: "pkcs7", signature: "rsa2048.der", artifact: "artifact.bin"},
	{name: "ssh", format: "ssh", signature: "ecdsa-256.sig", key: "ecdsa-256.pub", artifact: "artifact.txt"},
	{name: "historical policy, not needed", format: "pgp", signature: "rsa2048-SHA256.sig", key: "rsa2048.key", artifact: "artifact", historical: true},
	{name: "historical policy, needed", format: "pgp", signature: "sha1.sig", key: "rsa2048.key", artifact: "artifact", historical: true},
}

func (v vector) request(t *testing.T) gateway.Request {
	dir := v.format + "/testdata/"
	r := gateway.Request{Tenant: gateway.DefaultTenant, Format: v.format, Signature: testdata(t, dir+v.signature), PublishCertificate: v.publish}
	if v.key != "" {
		r.Keys = [][]byte{testdata(t, dir+v.key)}
	}
	return r
}

func (v vector) given(t *testing.T) formats.Artifact {
	if v.artifact == "" {
		return formats.Artifact{}
	}
	return formats.FromReader(bytes.NewReader(testdata(t, v.format+"/testdata/"+v.artifact)))
}

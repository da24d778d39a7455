// SPDX-License-Identifier: Apache-2.0

package sources

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	trustrootpb "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

var (
	now      = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	lastYear = now.AddDate(-1, 0, 0)
	midnight = time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)
)

// keyOf is a new log's key in a trusted root.
func keyOf(origin string, start, end time.Time) trustroot.LogKey {
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return trustroot.LogKey{Origin: origin, SPKI: must(x509.MarshalPKIXPublicKey(public)), Start: start, End: end}
}

func rootOf(keys ...trustroot.LogKey) []byte { return must(must(trustroot.New(keys...)).Marshal()) }

// serviceOf is a log in a signing config.
func serviceOf(host, operator string, version uint32, start, end time.Time) root.Service {
	return root.Service{URL: "https://" + host, Operator: operator, MajorAPIVersion: version, ValidityPeriodStart: start, ValidityPeriodEnd: end}
}

func configOf(selector trustrootpb.ServiceSelector, count uint32, services ...root.Service) []byte {
	c := must(root.NewSigningConfig(root.SigningConfigMediaType02, nil, nil, services, root.ServiceConfiguration{Selector: selector, Count: count}, nil, root.ServiceConfiguration{}))
	return must(c.MarshalJSON())
}

func read(t *testing.T, s Snapshot) *Contents {
	t.Helper()
	c, err := s.Read()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	anyOf   = trustrootpb.ServiceSelector_ANY
	allOf   = trustrootpb.ServiceSelector_ALL
	exactly = trustrootpb.ServiceSelector_EXACT
)

type rootService = root.Service

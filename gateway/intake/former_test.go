// SPDX-License-Identifier: Apache-2.0

package intake_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/cmsedit"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// firstRow is a store of an earlier release: whatever has former keys is the row that was stored first.
type firstRow struct {
	gateway.Queue
	first *gateway.NewSubmission
}

func (f *firstRow) Enqueue(_ context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	sub := gateway.Submission{SubmissionFields: subs[0].SubmissionFields}
	switch {
	case f.first == nil:
		f.first = &subs[0]
	case len(subs[0].FormerKeys) > 0:
		sub.SubmissionFields, sub.Existing = f.first.SubmissionFields, true
		sub.Key = subs[0].FormerKeys[0]
	}
	return []gateway.Enqueued{{Submission: sub}}, nil
}

func (f *firstRow) Archived(context.Context, string, string) (gateway.Archived, error) {
	return gateway.Archived{Receipt: f.first.Receipt}, nil
}

// TestFormerRowFits: the row of an earlier release is the submission of whom its receipt serves, and nobody else's.
func TestFormerRowFits(t *testing.T) {
	read := func(name ...string) []byte {
		b, err := os.ReadFile(filepath.Join(append([]string{"..", "..", "formats"}, name...)...))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	signed := func(publish bool, key string) gateway.Request {
		r := gateway.Request{Tenant: gateway.DefaultTenant, Format: "x509", Signature: read("x509", "testdata", "p256.sig"), PublishCertificate: publish}
		r.Keys = [][]byte{read("x509", "testdata", key)}
		return r
	}
	attached := func(edit func([]byte) []byte) gateway.Request {
		return gateway.Request{Tenant: gateway.DefaultTenant, Signature: edit(read("pkcs7", "testdata", "forms", "attached-sha256.der"))}
	}
	asMade := func(b []byte) []byte { return b }
	for name, c := range map[string]struct {
		first, then gateway.Request
		existing    bool
	}{
		"the same key":                    {signed(false, "p256.pem"), signed(false, "p256.der"), true},
		"the same certificate":            {signed(false, "p256-cert.pem"), signed(false, "p256-cert.der"), true},
		"the same certificate, published": {signed(true, "p256-cert.pem"), signed(true, "p256-cert.pem"), true},
		"another chain":                   {signed(false, "p256-cert.pem"), signed(false, "p256-chain.pem"), false},
		"a certificate, published":        {signed(false, "p256-cert.pem"), signed(true, "p256-cert.pem"), false},
		"the same copy":                   {attached(asMade), attached(asMade), true},
		"another copy":                    {attached(asMade), attached(func(b []byte) []byte { return cmsedit.AddUnsigned(b, "one") }), false},
	} {
		t.Run(name, func(t *testing.T) {
			store := &firstRow{}
			s := intake.New(intake.Config{Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(gatewaytest.NewLog())}), Queue: store, Archive: store})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { defer close(ended); s.Run(ctx) }()
			t.Cleanup(func() { cancel(); <-ended })
			submit := func(r gateway.Request) gateway.Submission {
				give := gatewaytest.NoArtifact
				if r.Format == "x509" {
					give = gatewaytest.Bytes(read("x509", "testdata", "artifact.bin"))
				}
				sub, err := s.Submit(t.Context(), r, give)
				if err != nil {
					t.Fatal(err)
				}
				return sub
			}
			first, then := submit(c.first), submit(c.then)
			if then.Existing != c.existing || (then.ID == first.ID) != c.existing {
				t.Errorf("existing: %t", then.Existing)
			}
		})
	}
}

// TestFormerRowNeedsAsMany: the row of an earlier release, whose keys do not say how many logs are needed, is the submission of who
// needs as many, and not of others.
func TestFormerRowNeedsAsMany(t *testing.T) {
	logs := []gateway.Log{gatewaytest.NewLog(), gatewaytest.NewLog(), gatewaytest.NewLog()}
	need := func(n int) *intake.Policy {
		return &intake.Policy{Logs: intake.LogSet{List: intake.ListRecorders(logs), Need: n}}
	}
	for second, existing := range map[string]bool{"one": true, "two": false} {
		store := &firstRow{}
		s := intake.New(intake.Config{
			Formats: all.Formats(), Policies: intake.Policies{Everybody: need(3), Callers: map[string]*intake.Policy{"one": need(1), "two": need(2)}}, Queue: store, Archive: store,
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); s.Run(ctx) }()
		request := gatewaytest.Signed(t, "hello")
		var got gateway.Submission
		for _, request.Caller = range []string{"one", second} {
			var err error
			if got, err = s.Submit(t.Context(), request, gatewaytest.NoArtifact); err != nil {
				t.Fatal(err)
			}
		}
		if got.Existing != existing {
			t.Errorf("by %s, after one: existing %v", second, got.Existing)
		}
		cancel()
		<-ended
	}
}

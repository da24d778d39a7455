// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// TestPoliciesByCaller: each caller of a tenant is held to his own policy, on the first post and on repeats. Policies with the same
// outcome share a submission, those with another one do not, and who has none is refused.
func TestPoliciesByCaller(t *testing.T) {
	t.Parallel()
	artifact := []byte("artifact\n")
	signature, certificates := signedBy(t, artifact)
	digest := sha256.Sum256(artifact)
	first, second := gatewaytest.NewLog(), gatewaytest.NewLog()
	second.Name = "second"
	s := startGateway(t, first)
	one, both := intake.AllOf(first), intake.LogSet{List: []gateway.Recorder{first, second}, Need: 1}
	s.SetPolicies(intake.Policies{
		Everybody: &intake.Policy{Logs: one},
		Callers: map[string]*intake.Policy{
			"standard": {Logs: one},
			"same":     {Logs: one, Signatures: formats.Policy{Formats: []string{"x509", "pgp"}, Historical: formats.AllowAll(true)}, NoPublication: true},
			"pgp":      {Logs: one, Signatures: formats.Policy{Formats: []string{"pgp"}}},
			"signers":  {Logs: one, Signatures: formats.Policy{AllowedSigners: [][sha256.Size]byte{{1}}}},
			"attested": {Logs: one, Representations: []gateway.Representation{gateway.Attested}},
			"two":      {Logs: both},
			"both":     {Logs: intake.AllOf(first, second)},
			"failover": {Logs: intake.LogSet{List: both.List, Need: 1, Failover: true}},
		},
	})
	by := func(caller string, publish bool) gateway.Request {
		return gateway.Request{
			Tenant: gateway.DefaultTenant, Caller: caller, Signature: signature, Keys: [][]byte{certificates[0]}, PublishCertificate: publish,
			Digest: &formats.Digest{Algorithm: formats.SHA256, Value: digest[:]},
		}
	}
	ids := map[string]string{}
	for range 2 { // the second time all are repeats
		for caller, want := range map[string]formats.Reason{
			"standard": "", "same": "", "two": "", "both": "", "failover": "", "pgp": formats.ReasonFormatNotAllowed, "signers": formats.ReasonKeyNotTrusted,
			"attested": formats.ReasonNotAllowedHere,
		} {
			_, planned := s.Plan(t.Context(), by(caller, false))
			sub, err := s.Submit(t.Context(), by(caller, false), gatewaytest.NoArtifact)
			if formats.ReasonOf(err) != want || formats.ReasonOf(planned) != want {
				t.Errorf("%s: planned: %v; submitted: %v", caller, planned, err)
			}
			if before := ids[caller]; err == nil && before != "" && before != sub.ID {
				t.Errorf("%s: the repeat is another submission", caller)
			}
			ids[caller] = sub.ID
		}
	}
	if ids["standard"] != ids["same"] {
		t.Error("policies with the same outcome make two submissions")
	}
	for _, pair := range [][2]string{{"standard", "two"}, {"two", "both"}, {"both", "failover"}, {"two", "failover"}} {
		if ids[pair[0]] == ids[pair[1]] {
			t.Errorf("%s and %s share a submission", pair[0], pair[1])
		}
	}
	for _, stranger := range []string{"", "stranger"} {
		_, planned := s.Plan(t.Context(), by(stranger, false))
		if _, err := s.Submit(t.Context(), by(stranger, false), gatewaytest.NoArtifact); !errors.Is(err, gateway.ErrNoPolicy) || !errors.Is(planned, gateway.ErrNoPolicy) {
			t.Errorf("%q: %v, %v", stranger, planned, err)
		}
	}
	for caller, want := range map[string]formats.Reason{"standard": "", "same": gateway.ReasonPublicationNotAllowed} {
		_, planned := s.Plan(t.Context(), by(caller, true))
		if _, err := s.Submit(t.Context(), by(caller, true), gatewaytest.NoArtifact); formats.ReasonOf(err) != want || formats.ReasonOf(planned) != want {
			t.Errorf("%s publishes: %v, %v", caller, planned, err)
		}
	}
	if got := wait(t, s, ids["standard"]); got.State != gateway.Logged {
		t.Errorf("it is %s", got.State)
	}
}

// TestPolicyChangesDuringUpload: what has begun is held to the policy of when its artifact has come, so that nobody who is a signer no more
// keeps a way in. A policy that says the same in other words refuses nobody.
func TestPolicyChangesDuringUpload(t *testing.T) {
	t.Parallel()
	artifact := []byte("artifact\n")
	signature, certificates := signedBy(t, artifact)
	digest := sha256.Sum256(artifact)
	log := gatewaytest.NewLog()
	s := startGateway(t, log)
	held := func(p formats.Policy, rs ...gateway.Representation) intake.Policies {
		return intake.Policies{
			Everybody: &intake.Policy{Logs: intake.AllOf(log)},
			Callers:   map[string]*intake.Policy{"farm": {Logs: intake.AllOf(log), Signatures: p, Representations: rs}},
		}
	}
	request := gateway.Request{
		Tenant: gateway.DefaultTenant, Caller: "farm", Signature: signature, Keys: [][]byte{certificates[0]},
		Digest: &formats.Digest{Algorithm: formats.SHA256, Value: digest[:]},
	}
	for name, c := range map[string]struct {
		now  intake.Policies
		want formats.Reason
		is   error
	}{
		"the same":        {held(formats.Policy{}), "", nil},
		"another signer":  {held(formats.Policy{AllowedSigners: [][sha256.Size]byte{{1}}}), formats.ReasonKeyNotTrusted, nil},
		"another format":  {held(formats.Policy{Formats: []string{"pgp"}}), formats.ReasonFormatNotAllowed, nil},
		"attested alone":  {held(formats.Policy{}, gateway.Attested), formats.ReasonNotAllowedHere, nil},
		"the caller left": {intake.Policies{Everybody: &intake.Policy{Logs: intake.AllOf(log)}, Callers: map[string]*intake.Policy{}}, "", gateway.ErrNoPolicy},
	} {
		s.SetPolicies(held(formats.Policy{}))
		draft, err := s.Begin(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		s.SetPolicies(c.now)
		if _, err := draft.Submit(t.Context(), formats.Artifact{}); formats.ReasonOf(err) != c.want || !errors.Is(err, c.is) && c.is != nil || err != nil && c.want == "" && c.is == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

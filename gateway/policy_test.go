// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"crypto/sha256"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// TestPolicyIsForRepeatsToo: what a policy refuses is refused though the same was recorded under another one, and is the
// same submission under each that takes it, whatever else the policy would let pass.
func TestPolicyIsForRepeatsToo(t *testing.T) {
	t.Parallel()
	artifact := []byte("artifact\n")
	signature, certificates := signedBy(t, artifact)
	digest := sha256.Sum256(artifact)
	log := gatewaytest.NewLog()
	s := startGateway(t, log)
	request := gateway.Request{
		Tenant: gateway.DefaultTenant, Signature: signature, Keys: [][]byte{certificates[0]},
		Digest: &formats.Digest{Algorithm: formats.SHA256, Value: digest[:]},
	}
	first := submit(t, s, request)
	for name, test := range map[string]struct {
		policy  formats.Policy
		allowed []gateway.Representation
		refusal formats.Reason
	}{
		"another format":         {formats.Policy{Formats: []string{"pgp"}}, nil, formats.ReasonFormatNotAllowed},
		"another representation": {formats.Policy{}, []gateway.Representation{gateway.Projected}, formats.ReasonNotAllowedHere},
		"another signer":         {formats.Policy{AllowedSigners: [][sha256.Size]byte{{1}}}, nil, formats.ReasonKeyNotTrusted},
		"this format":            {formats.Policy{Formats: []string{"pgp", "x509"}}, nil, ""},
		"this representation":    {formats.Policy{}, []gateway.Representation{gateway.Native, gateway.Attested}, ""},
		"one exception":          {formats.Policy{Historical: formats.Historical{Allow: formats.ExceptionSHA1}}, nil, ""},
		"all exceptions":         {formats.Policy{Historical: formats.AllowAll(true)}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s.SetPolicies(intake.ForEverybody(intake.Policy{Signatures: test.policy, Representations: test.allowed, Logs: intake.AllOf(log)}))
			_, planned := s.Plan(t.Context(), request)
			sub, err := s.Submit(t.Context(), request, gatewaytest.NoArtifact)
			if formats.ReasonOf(err) != test.refusal || formats.ReasonOf(planned) != test.refusal {
				t.Fatalf("planned: %v; submitted: %v", planned, err)
			}
			if err == nil && sub.ID != first.ID {
				t.Errorf("it is another submission, %s", sub.ID)
			}
		})
	}
	if got := wait(t, s, first.ID); got.State != gateway.Logged { // accepted under an old policy, it goes on
		t.Errorf("what was accepted is %s", got.State)
	}
}

// SPDX-License-Identifier: Apache-2.0

package intake_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/cmsedit"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// kept is a queue that keeps what it is given.
type kept struct {
	gateway.Queue
	last gateway.NewSubmission
}

func (k *kept) Enqueue(_ context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	k.last = subs[0]
	return []gateway.Enqueued{{Submission: gateway.Submission{SubmissionFields: subs[0].SubmissionFields}}}, nil
}

// TestFormerKeys: copies of a signature are submissions of their own, and each of them is also the one that a release
// before, which did not tell them apart, has stored.
func TestFormerKeys(t *testing.T) {
	queue := &kept{}
	s := intake.New(intake.Config{Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(gatewaytest.NewLog())}), Queue: queue})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })

	der, err := os.ReadFile(filepath.Join("..", "..", "formats", "pkcs7", "testdata", "forms", "attached-sha256.der"))
	if err != nil {
		t.Fatal(err)
	}
	submit := func(signature []byte) gateway.NewSubmission {
		r := gateway.Request{Tenant: gateway.DefaultTenant, Signature: signature}
		if _, err := s.Submit(t.Context(), r, gatewaytest.NoArtifact); err != nil {
			t.Fatal(err)
		}
		return queue.last
	}
	plain, added := submit(der), submit(cmsedit.AddUnsigned(der, "one"))
	if plain.Key == added.Key {
		t.Error("two copies are one submission")
	}
	if len(plain.FormerKeys) != 2 || !slices.Equal(plain.FormerKeys, added.FormerKeys) {
		t.Errorf("former keys %x and %x", plain.FormerKeys, added.FormerKeys)
	}
	if slices.Contains(plain.FormerKeys, plain.Key) {
		t.Error("the key is one of the former ones, so that another copy finds its row")
	}
}

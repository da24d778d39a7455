// SPDX-License-Identifier: Apache-2.0

package intake_test

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// quickQueue stores nothing, at once.
type quickQueue struct{}

func (quickQueue) Enqueue(_ context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	return make([]gateway.Enqueued, len(subs)), nil
}

// TestWaitsForOthers: a submission is held up while another one is verified, for a moment, and not once that one is refused.
func TestWaitsForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := intake.New(intake.Config{Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(gatewaytest.NewLog())}), Queue: quickQueue{}})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		running.Go(func() { s.Run(ctx) })
		submit := func(text string, artifact io.Reader) (time.Duration, error) {
			r, began := gatewaytest.Signed(t, text), time.Now()
			r.Digest = nil
			_, err := s.Submit(ctx, r, func() (formats.Artifact, error) { return formats.FromReader(artifact), nil })
			return time.Since(began), err
		}
		slow, upload := io.Pipe()
		refused := make(chan error)
		running.Go(func() {
			_, err := submit("slow", slow)
			refused <- err
		})
		synctest.Wait()
		if took, err := submit("one", bytes.NewReader([]byte("one"))); took == 0 || took > 3*time.Millisecond || err != nil {
			t.Errorf("beside another one: %v, %v", took, err)
		}
		_ = upload.CloseWithError(io.ErrUnexpectedEOF)
		if err := <-refused; err == nil {
			t.Error("half an artifact is taken")
		}
		if took, err := submit("two", bytes.NewReader([]byte("two"))); took != 0 || err != nil {
			t.Errorf("alone: %v, %v", took, err)
		}
	})
}

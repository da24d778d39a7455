// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const batch = 256

// batches returns n batches of submissions of realistic size (about 1 KiB of signature and
// key, 1 KiB of entry).
func batches(n int) [][]gateway.NewSubmission {
	all := make([][]gateway.NewSubmission, n)
	for b := range all {
		for i := range batch {
			s := storetest.NewSubmission("tenant", fmt.Sprintf("%d/%d", b, i), "log")
			s.ID = uuid.Must(uuid.NewV7()).String()
			s.Receipt.Signature = &receiptpb.Signature{Format: "pgp", Content: bytes.Repeat([]byte{byte(i)}, 566), Keys: [][]byte{make([]byte, 500)}}
			s.FormerKeys = []gateway.SubmissionKey{sha256.Sum256(s.Key[:])}
			s.Entries[0].Body = bytes.Repeat([]byte("x"), 1024)
			all[b] = append(all[b], s)
		}
	}
	return all
}

func reportRate(b *testing.B) {
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "submissions/s")
}

// reportSize closes s and reports the size of its file.
func reportSize(b *testing.B, s *Store, path string) {
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(b.N*batch), "B/submission")
}

// BenchmarkEnqueue stores new submissions, 256 per transaction.
func BenchmarkEnqueue(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s := open(b, path, Options{MaxPending: 1 << 30})
	all := batches(b.N)
	b.ResetTimer()
	for _, subs := range all {
		if _, err := s.Enqueue(b.Context(), subs); err != nil {
			b.Fatal(err)
		}
	}
	reportRate(b)
	reportSize(b, s, path)
}

// BenchmarkEnqueueKnown submits again what is known, as a backfill that is started over does.
func BenchmarkEnqueueKnown(b *testing.B) {
	s := open(b, "", Options{})
	subs := batches(1)[0]
	if _, err := s.Enqueue(b.Context(), subs); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Enqueue(b.Context(), subs); err != nil {
			b.Fatal(err)
		}
	}
	reportRate(b)
}

// BenchmarkClaimFinish takes entries through their lease until they are logged, 256 per
// transaction.
func BenchmarkClaimFinish(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s := open(b, path, Options{})
	for _, subs := range batches(b.N) {
		if _, err := s.Enqueue(b.Context(), subs); err != nil {
			b.Fatal(err)
		}
	}
	proof := &gateway.Inclusion{Kind: "proof", Proof: make([]byte, 3000)}
	b.ResetTimer()
	for range b.N {
		claimed, err := s.Claim(b.Context(), gateway.ClaimParams{
			Log: "log", Lease: time.Minute, Limit: batch, InFlight: batch,
		})
		if err != nil || len(claimed) != batch {
			b.Fatalf("%d claimed: %v", len(claimed), err)
		}
		outcomes := make([]gateway.Outcome, batch)
		for i, e := range claimed {
			outcomes[i] = gateway.Outcome{EntryID: e.ID, Fence: e.Fence, Inclusion: proof}
		}
		if _, err := s.Finish(b.Context(), outcomes); err != nil {
			b.Fatal(err)
		}
	}
	reportRate(b)
	reportSize(b, s, path)
}

// BenchmarkClaimNone claims where as many entries are under way as may be.
func BenchmarkClaimNone(b *testing.B) {
	const inFlight = 16 * batch
	s := open(b, "", Options{})
	for _, subs := range batches(inFlight / batch) {
		if _, err := s.Enqueue(b.Context(), subs); err != nil {
			b.Fatal(err)
		}
	}
	p := gateway.ClaimParams{Log: "log", Lease: time.Hour, Limit: inFlight, InFlight: inFlight}
	if claimed, err := s.Claim(b.Context(), p); err != nil || len(claimed) != inFlight {
		b.Fatalf("%d claimed: %v", len(claimed), err)
	}
	for b.Loop() {
		if claimed, err := s.Claim(b.Context(), p); err != nil || len(claimed) != 0 {
			b.Fatalf("%d claimed: %v", len(claimed), err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// fillQueue makes n entries pending for as many tenants, without all else that a submission has.
func fillQueue(tb testing.TB, s *Store, n, tenants int) {
	tb.Helper()
	for _, query := range []string{
		`INSERT INTO log (name, pending) VALUES ('log', 0)`,
		fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO tenant (id, name) SELECT i, 't' || i FROM n`, tenants),
		fmt.Sprintf(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO entry (log, leaf_hash, kind, state, priority, tenant, queued_at)
SELECT 1, CAST(printf('%%032d', i) AS BLOB), 'test', 'PENDING', -(i %% 2), 1 + i %% %d, %d + i / 256 FROM n`, n, tenants, time.Now().Add(-time.Hour).UnixMilli()),
		`INSERT INTO entry_blob (entry, body) SELECT id, x'00' FROM entry`,
		`UPDATE log SET pending = (SELECT COUNT(*) FROM entry)`,
	} {
		if _, err := s.writer.Exec(query); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkClaimTurns claims 256 entries of queues of several lengths, for several numbers of tenants. Its
// cost does not grow with either. Each claim is undone, so that the queue stays as it is.
func BenchmarkClaimTurns(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		for _, tenants := range []int{1, 10, 1000, 10_000} {
			b.Run(fmt.Sprintf("%d/%d", n, tenants), func(b *testing.B) {
				s := open(b, filepath.Join(b.TempDir(), "store.db"), Options{})
				fillQueue(b, s, n, tenants)
				benchmarkClaims(b, s)
			})
		}
	}
}

func benchmarkClaims(b *testing.B, s *Store) {
	claim := func() {
		claimed, err := s.Claim(b.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: batch, InFlight: batch})
		if err != nil || len(claimed) != batch {
			b.Fatalf("%d claimed: %v", len(claimed), err)
		}
	}
	giveBack := func() {
		_, err := s.writer.Exec(`UPDATE entry SET leased_until = 0, in_doubt = 0 WHERE log = 1 AND leased_until > 0`)
		if err != nil {
			b.Fatal(err)
		}
	}
	claim()
	giveBack()
	cpu := 0.0
	for b.Loop() {
		before := usedCPU(b)
		claim()
		cpu += usedCPU(b) - before
		giveBack()
	}
	b.ReportMetric(cpu*1000/float64(b.N), "cpu-ms/claim")
}

// usedCPU returns the seconds of CPU time that this process has used.
func usedCPU(tb testing.TB) float64 {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

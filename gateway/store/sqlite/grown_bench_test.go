// SPDX-License-Identifier: Apache-2.0

//go:build linux

package sqlite

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// fillStored stores what ?2 submissions have in tables after row ?1, all of them logged: random where the values of others are. Their receipts and
// bodies are short, since those tables only grow at their end.
var fillStored = []string{
	`INSERT INTO submission (seq, id, tenant, key, format, state, needed, priority, created_at, digests, signatures, labels)
WITH RECURSIVE n (i) AS (SELECT ?1 + 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 + ?2)
SELECT i, CAST(unhex(printf('%012x', 1700000000000 + i)) || randomblob(10) AS BLOB), 1, randomblob(32), 'x509', 'LOGGED', 1, 0, 1700000000000 + i,
    CAST(x'01' || randomblob(32) AS BLOB), CAST(x'0201020001' || zeroblob(32) AS BLOB), '{}' FROM n`,
	`INSERT INTO submission_digest (tenant, prefix, submission) SELECT tenant, substr(digests, 1, 16), seq FROM submission WHERE seq > ?1 AND seq <= ?1 + ?2`,
	`INSERT INTO submission_signer (tenant, prefix, submission) SELECT tenant, zeroblob(16), seq FROM submission WHERE seq > ?1 AND seq <= ?1 + ?2`,
	`INSERT INTO submission_blob (submission, receipt) SELECT seq, zeroblob(400) FROM submission WHERE seq > ?1 AND seq <= ?1 + ?2`,
	`INSERT INTO entry (id, log, leaf_hash, kind, state, priority, queued_at, log_index)
SELECT seq, 1, randomblob(32), 'hashedrekord', 'LOGGED', 0, created_at, seq FROM submission WHERE seq > ?1 AND seq <= ?1 + ?2`,
	`INSERT INTO entry_blob (entry, body) SELECT seq, zeroblob(400) FROM submission WHERE seq > ?1 AND seq <= ?1 + ?2`,
	`INSERT INTO submission_entry (submission, role, entry) SELECT seq, 0, seq FROM submission WHERE seq > ?1 AND seq <= ?1 + ?2`,
}

func fillStore(b *testing.B, s *Store, n int) {
	b.Helper()
	const atOnce = 10_000
	for _, query := range []string{`INSERT INTO tenant (id, name) VALUES (1, 'tenant')`, `INSERT INTO log (id, name) VALUES (1, 'log')`} {
		if _, err := s.writer.Exec(query); err != nil {
			b.Fatal(err)
		}
	}
	for stored := 0; stored < n; stored += atOnce {
		err := s.writeTx(b.Context(), "filling", func(t *tx) error {
			for _, query := range fillStored {
				if _, err := t.Exec(query, stored, atOnce); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// processTime is what this process has spent so far, user and system.
func processTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEnqueueGrown stores new submissions, 256 per transaction, beside many that are logged.
func BenchmarkEnqueueGrown(b *testing.B) {
	for _, stored := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("stored=%d", stored), func(b *testing.B) {
			if testing.Short() && stored > 10_000 {
				b.Skip("filling takes minutes")
			}
			path := filepath.Join(b.TempDir(), "store.db")
			s := open(b, path, Options{MaxPending: 1 << 30, Patience: time.Minute})
			fillStore(b, s, stored)
			model := batches(1)[0]
			began, making := processTime(), time.Duration(0)
			for b.Loop() {
				before := processTime()
				subs := freshBatch(model)
				making += processTime() - before
				if _, err := s.Enqueue(b.Context(), subs); err != nil {
					b.Fatal(err)
				}
			}
			spent := processTime() - began - making // what goes on beside Enqueue is in it, too
			b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*batch), "cpu-ns/submission")
		})
	}
}

// freshBatch returns submissions like those of model, by other names.
func freshBatch(model []gateway.NewSubmission) []gateway.NewSubmission {
	subs := make([]gateway.NewSubmission, len(model))
	for i, m := range model {
		id := uuid.Must(uuid.NewV7())
		s := newNamed(id.String())
		s.ID, s.Receipt, s.Entries[0].Body = id.String(), m.Receipt, m.Entries[0].Body
		subs[i] = s
	}
	return subs
}

func newNamed(name string) gateway.NewSubmission {
	s := storetest.NewSubmission("tenant", name, "log")
	for i := range byte(3) { // as intake gives with a key and no findings
		s.FormerKeys = append(s.FormerKeys, sha256.Sum256(append(s.Key[:], i)))
	}
	return s
}

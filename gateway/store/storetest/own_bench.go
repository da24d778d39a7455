// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// What BenchmarkOwn works on.
const (
	benchRecords = 10_000
	benchBatch   = 4096
	benchEnqueue = 256
)

// BenchmarkOwn measures how long an own log takes for a record, from its queue to its tree, and from an anchor to its being Logged. open
// returns an empty store.
func BenchmarkOwn(b *testing.B, open func(b *testing.B) gateway.Store) {
	var sequencing, logging time.Duration
	for b.Loop() {
		b.StopTimer()
		s := open(b)
		fillQueue(b, s)
		b.StartTimer()
		began := time.Now()
		sequenceAll(b, s)
		sequenced := time.Now()
		logAll(b, s)
		sequencing, logging = sequencing+sequenced.Sub(began), logging+time.Since(sequenced)
	}
	perRecord := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N*benchRecords) }
	b.ReportMetric(perRecord(sequencing), "µs/sequenced")
	b.ReportMetric(perRecord(logging), "µs/logged")
}

// fillQueue enqueues submissions of an own log, with bodies of realistic size.
func fillQueue(b *testing.B, s gateway.Store) {
	b.Helper()
	noError(b, s.AddOwnLog(b.Context(), ownLog, ownOrigin))
	for first := 0; first < benchRecords; first += benchEnqueue {
		var subs []gateway.NewSubmission
		for i := first; i < min(first+benchEnqueue, benchRecords); i++ {
			sub := NewSubmission(tenant, fmt.Sprint(i), ownLog)
			sub.Entries[0].Body = make([]byte, 700)
			subs = append(subs, sub)
		}
		enqueueAll(b, s, subs...)
	}
}

func sequenceAll(b *testing.B, s gateway.Store) {
	b.Helper()
	for all := 0; all < benchRecords; {
		_, n, err := s.Sequence(b.Context(), ownLog, benchBatch, GrowTree)
		noError(b, err)
		if all += n; n == 0 {
			b.Fatal("nothing is queued")
		}
	}
}

// logAll anchors the log and logs all of it.
func logAll(b *testing.B, s gateway.Store) {
	b.Helper()
	l, err := s.OwnLog(b.Context(), ownLog)
	noError(b, err)
	noError(b, s.KeepAnchor(b.Context(), ownLog, gateway.OwnAnchor{Tree: l.Tree, Submission: newID("anchor")}))
	for all := 0; all < benchRecords; {
		changed, err := s.LogAnchored(b.Context(), ownLog, benchBatch)
		noError(b, err)
		if all += len(changed); len(changed) == 0 {
			b.Fatal("nothing is anchored")
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"crypto"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// batchTogether returns receipts of that many signatures by one key, whose records are in one tree of an own log, under one checkpoint with one anchor.
func batchTogether(tb testing.TB, n int) []*batched {
	tb.Helper()
	own, log, g, key := receipttest.NewOwnLog(tb, ownOrigin), receipttest.NewLog(tb, origin), newGateway(tb), newKey(tb)
	list, indexes, bodies := make([]*batched, n), make([]uint64, n), make([][]byte, n)
	for i := range list {
		b := &batched{signed: nativeBy(tb, key, crypto.SHA256), own: own, g: g}
		b.log = log
		facts, verified := b.facts(tb, receiptpb.Receipt_NATIVE)
		facts.Ways = []receiptpb.RecordedSignature_Way{receiptpb.RecordedSignature_BATCHED}
		b.receipt = receipt.New(facts)
		e, record := b.entry(tb, b.receipt, verified, receiptpb.Receipt_NATIVE)
		b.receipt.Entries = []*receiptpb.LogEntry{e}
		var err error
		if bodies[i], err = hashedrekord.Own.Body(record); err != nil {
			tb.Fatal(err)
		}
		indexes[i], list[i] = own.Append(bodies[i]), b
	}
	log.AddBodies(make([][]byte, 2*n)...) // so that the anchor's proof is as long as the records'
	checkpoint := own.Checkpoint()
	anchor := receipttest.AnchorIn(tb, log, checkpoint, own.Anchor)
	trust := list[0].gatewayTrust(tb, trustroot.LogRange{Origin: origin})
	for i, b := range list {
		b.complete(tb, b.receipt, own.Record(indexes[i], bodies[i], checkpoint, anchor))
		b.trust = trust
	}
	return list
}

// BenchmarkVerifyBatched verifies receipts that have a checkpoint and its anchor in common, as a backfill does.
func BenchmarkVerifyBatched(b *testing.B) {
	const n = 512
	list, options := batchTogether(b, n), make([]receipt.Options, n)
	memory, root := receipt.NewMemory(), list[0].log.Root()
	for i, one := range list {
		c := one.check(b, receiptpb.Receipt_NATIVE)
		o := one.checkedOptions(c)
		o.TrustedRoot, o.GatewayTrust, o.Memory, o.Checked, o.Given, o.Silent, o.Artifact = root, one.trust, memory, c, true, true, nil
		options[i], one.receipt = o, proto.CloneOf(one.receipt)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := receipt.Verify(b.Context(), list[i%n].receipt, options[i%n]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOwnProof writes and reads the text of a proof in a tree of a million records.
func BenchmarkOwnProof(b *testing.B) {
	p := ownProof(b, 20)
	text, err := receipt.FormatOwnProof(p)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("format", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = receipt.FormatOwnProof(p)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = receipt.ParseOwnProof(text)
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt/receipttest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// anchoredTwice returns a receipt whose checkpoint is anchored in b's log and in a tree of Rekor v1.
func anchoredTwice(t *testing.T, b *batched, v1 *receipttest.V1Log) *receiptpb.Receipt {
	t.Helper()
	checkpoint := b.own.Checkpoint()
	inV1 := receipttest.AnchorWith(t, checkpoint, b.own.Anchor, func(r hashedrekord.Record) *rekorpb.TransparencyLogEntry { return v1.Add(made, r)[0] })
	anchors := []*receiptpb.Anchor{receipttest.AnchorIn(t, b.log, checkpoint, b.own.Anchor), inV1}
	record, err := receipt.NewOwnRecord(3, b.own.Prove(3), checkpoint, anchors)
	if err != nil {
		t.Fatal(err)
	}
	r := proto.CloneOf(b.receipt)
	record.Body = b.record().GetBody()
	r.Entries[0].Own = record
	return r
}

// withLogID returns the root with another id for each of its logs.
func withLogID(t *testing.T, root *trustroot.Root) *trustroot.Root {
	t.Helper()
	raw, err := root.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	other, err := trustroot.Parse(bytes.ReplaceAll(raw, []byte(`"keyId": "`), []byte(`"keyId": "AAAA`)))
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// TestMemoryOfAllTrusts: one memory serves readers who trust different logs, keys and times, in any order: each is told what he would be told without it.
func TestMemoryOfAllTrusts(t *testing.T) {
	b, v1 := batch(t, projected(t, 1), receiptpb.Receipt_PROJECTED), receipttest.NewV1Log(t)
	now := b.options().Now
	start := time.Unix(0, 0)
	v2Key, v1Key := trustroot.LogKey{Origin: origin, SPKI: b.log.SPKI(), Start: start}, trustroot.LogKey{Origin: v1.Host, SPKI: v1.SPKI(), Start: start}
	change := func(k trustroot.LogKey, f func(*trustroot.LogKey)) trustroot.LogKey { f(&k); return k }
	roots := map[string]*trustroot.Root{}
	for name, keys := range map[string][]trustroot.LogKey{
		"both": {v2Key, v1Key}, "v1 alone": {v1Key}, "v2 alone": {v2Key},
		"another key":     {change(v2Key, func(k *trustroot.LogKey) { k.SPKI = receipttest.NewLog(t, origin).SPKI() }), v1Key},
		"another v1 key":  {v2Key, change(v1Key, func(k *trustroot.LogKey) { k.SPKI = receipttest.NewV1Log(t).SPKI() })},
		"a key more":      {change(v2Key, func(k *trustroot.LogKey) { k.SPKI = receipttest.NewLog(t, origin).SPKI() }), v2Key, v1Key},
		"not in use yet":  {change(v2Key, func(k *trustroot.LogKey) { k.Start = now.Add(time.Hour) }), v1Key},
		"retired":         {change(v2Key, func(k *trustroot.LogKey) { k.End = now.Add(-time.Hour) }), v1Key},
		"a name for both": {v2Key, v1Key, change(v2Key, func(k *trustroot.LogKey) { k.Origin = "gateway.example" })},
	} {
		root, err := trustroot.New(keys...)
		if err != nil {
			t.Fatal(err)
		}
		roots[name] = root
	}
	roots["other ids"] = withLogID(t, roots["both"])
	gateways := map[string]*trustroot.Gateway{"none": nil, "one range": b.trust}
	for name, from := range map[string]int64{"both ranges": 0, "later": 1 << 20} {
		trust, err := b.trust.WithAnchorKey(ownOrigin, b.own.AnchorSPKI(), map[string]int64{v1.Origin(): from})
		if err != nil {
			t.Fatal(err)
		}
		gateways[name] = trust
	}
	good, memory := anchoredTwice(t, b, v1), receipt.NewMemory()
	tampered := map[string]func(*rekorpb.TransparencyLogEntry){
		"as it is": func(*rekorpb.TransparencyLogEntry) {}, "id": func(e *rekorpb.TransparencyLogEntry) { e.LogId.KeyId = append([]byte{0, 0, 0}, e.LogId.GetKeyId()...) },
		"time": func(e *rekorpb.TransparencyLogEntry) { e.IntegratedTime++ }, "index": func(e *rekorpb.TransparencyLogEntry) { e.LogIndex++ },
		"proof": func(e *rekorpb.TransparencyLogEntry) { e.InclusionProof.Hashes[0][0] ^= 1 }, "promise": func(e *rekorpb.TransparencyLogEntry) { e.InclusionPromise = nil },
	}
	accepted := 0
	for range 2 { // in random order
		for what, tamper := range tampered {
			r := proto.CloneOf(good)
			tamper(anchorLog(r.GetEntries()[0].GetOwn().GetAnchors()[1])) // in the tree of Rekor v1
			for name, root := range roots {
				for trusted, gateway := range gateways {
					o := b.options()
					o.TrustedRoot, o.GatewayTrust = root, gateway
					want, wanted := b.verify(t, r, o)
					o.Memory = memory
					got, err := b.verify(t, r, o)
					if !sameError(err, wanted) || err == nil && (got.String() != want.String() || !slices.EqualFunc(got.Entries, want.Entries, sameEntry)) {
						t.Errorf("%s, %s, %s: with a memory: %v, %v; without: %v, %v", what, name, trusted, got, err, want, wanted)
					}
					if err == nil {
						accepted++
					}
				}
			}
		}
	}
	if accepted < 4 {
		t.Errorf("%d were accepted", accepted)
	}
}

// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// TestEverySendersReceipt: whatever was sent before, in whichever order and form, each sender gets the receipt of
// what he sent, and it verifies in each way that he may call verify. Sent again, it is the same submission.
func TestEverySendersReceipt(t *testing.T) {
	t.Parallel()
	all, list := desks{}, mails(t)
	all.open(t, list)
	var ran atomic.Int32
	t.Cleanup(func() {
		if n := ran.Load(); n < 90 {
			t.Errorf("%d signatures were sent; there were more", n)
		}
		if n := atHand.Load(); n < 500 {
			t.Errorf("%d receipts were at hand; there were more", n)
		}
	})
	for _, m := range list {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			d := all.forPolicy(m.policy)
			ways := m.ways(t, d.policyNow())
			if ways == nil {
				t.Skip("the gateway refuses it by now")
			}
			ran.Add(1)
			d.sendAll(t, m.name+" forwards", ways)
			slices.Reverse(ways)
			d.sendAll(t, m.name+" backwards", ways)
		})
	}
}

// sendAll sends all of ways as one tenant, twice, and verifies the receipts.
func (d *desk) sendAll(t *testing.T, tenant string, ways []way) {
	t.Helper()
	first := map[string]string{}
	var waiting sync.WaitGroup
	for range 2 {
		for _, w := range ways {
			w.request.Tenant = tenant
			sub, err := d.gateway.Submit(t.Context(), w.request, w.give)
			if err != nil {
				t.Errorf("%s: %v", w.name, err)
				continue
			}
			if id, again := first[w.name]; again && (!sub.Existing || sub.ID != id) {
				t.Errorf("%s: sent again, it is another submission", w.name)
			}
			first[w.name] = sub.ID
			if !sub.Existing {
				waiting.Go(func() { checkAwaited(t, d.gateway, w.name, sub) })
			}
		}
	}
	waiting.Wait()
	for _, w := range ways {
		if id := first[w.name]; id != "" {
			d.checkReceipt(t, w, d.receiptOf(t, tenant, id))
		}
	}
}

// atHand counts the receipts for which the store need not be read.
var atHand atomic.Int32

// checkAwaited waits for a submission that was stored just now, and compares what its sender gets with what the store has.
func checkAwaited(t *testing.T, g *gatewaytest.Gateway, name string, stored gateway.Submission) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	sub := stored
	err := g.Await(ctx, &sub)
	if err != nil || sub.State != gateway.Logged {
		t.Errorf("%s: %s, %v", name, sub.State, err)
		return
	}
	if sub.Archived != nil {
		atHand.Add(1)
	}
	got, err := g.Receipt(t.Context(), sub)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	sub.Archived = nil
	kept, err := g.Receipt(t.Context(), sub)
	if err != nil || !proto.Equal(got, kept) || !bytes.Equal(encode(t, got), encode(t, kept)) {
		t.Errorf("%s: the sender gets another receipt than is kept: %v", name, err)
	}
}

// encode returns r as JSON, as callers get it.
func encode(t *testing.T, r *receiptpb.Receipt) []byte {
	b, err := receipt.Marshal(r)
	if err != nil {
		t.Error(err)
	}
	return b
}

func (d *desk) receiptOf(t *testing.T, tenant, id string) *receiptpb.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	sub, err := d.gateway.Wait(ctx, tenant, id)
	if err != nil || sub.State != gateway.Logged {
		t.Fatalf("%s, %v", sub.State, err)
	}
	r, err := d.gateway.Receipt(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkReceipt: r shows what was sent, and each way to verify it passes.
func (d *desk) checkReceipt(t *testing.T, w way, r *receiptpb.Receipt) {
	t.Helper()
	d.checkCopy(t, w, r)
	var signers [][sha256.Size]byte
	for _, s := range r.GetSigners() {
		signers = append(signers, sha256.Sum256(s.GetSpki()))
	}
	for _, leave := range []bool{false, true} {
		if leave && !w.optional {
			continue
		}
		by := map[string]receipt.Options{"--signer": {ExpectedSigners: signers}}
		for i, keys := range w.expected {
			by[fmt.Sprint("--key ", i)] = receipt.Options{ExpectedKeys: keys}
		}
		for who, o := range by {
			o.Registry, o.TrustedRoot, o.GatewayTrust, o.Now = all.Formats(), d.root, d.trust, time.Now()
			o.Historical, o.SSHNamespaces = d.policy.Historical, d.policy.SSHNamespaces
			if !leave {
				o.Artifact = bytes.NewReader(w.file)
			}
			if _, err := receipt.Verify(t.Context(), r, o); err != nil {
				t.Errorf("%s: verified with %s, artifact left out: %v: %v", w.name, who, leave, err)
			}
		}
	}
}

// checkCopy: the signature in the receipt is the one that was sent, but for what is noise in its format.
func (d *desk) checkCopy(t *testing.T, w way, r *receiptpb.Receipt) {
	t.Helper()
	copied := w.request
	copied.Signature = r.GetSignature().GetContent()
	if sent, got := d.look(t, w, w.request), d.look(t, w, copied); sent != got {
		t.Errorf("%s: the receipt shows another form of the signature", w.name)
	}
	container := ""
	if c := r.GetArtifact().GetContainer(); c != nil {
		container = fmt.Sprintf("%s:%x", c.GetAlgorithm(), c.GetValue())
	}
	want := ""
	if w.request.Decompress != "" {
		want = (&formats.Digest{Algorithm: formats.SHA256, Value: sum(w.sent)}).String()
	}
	if container != want {
		t.Errorf("%s: the receipt is for container %q, not %q", w.name, container, want)
	}
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

// shown is what two copies of a signature have to agree in.
type shown struct {
	need            formats.Need
	canonical, form string
}

// look verifies r's signature by the keys of who sent w, over what he has.
func (d *desk) look(t *testing.T, w way, r gateway.Request) shown {
	t.Helper()
	parsed, err := all.Formats().Parse(t.Context(), r.Format, r.Signature, r.Keys, d.policyNow())
	if err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	v, err := parsed.Verify(t.Context(), formats.FromReader(bytes.NewReader(w.file)))
	if err != nil {
		t.Fatalf("%s: %v", w.name, err)
	}
	return shown{parsed.Describe().Need, string(v.Canonical), string(v.Form)}
}

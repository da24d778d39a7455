// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// wholeLog is a log that has an entry kind of its own for minisign, with the artifact.
type wholeLog struct{ *gatewaytest.Log }

func (l wholeLog) Describe() gateway.LogInfo {
	info := l.Log.Describe()
	info.InlineMax = 1 << 20
	return info
}

func (l wholeLog) Accepts(o gateway.Offer) error {
	if o.Whole == nil {
		return l.Log.Accepts(o)
	}
	return nil
}

func (l wholeLog) Prepare(o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	if o.Whole == nil {
		return l.Log.Prepare(o)
	}
	record := rekord.Record{Whole: o.Whole.Whole, Digest: o.Whole.SHA256}
	body, err := rekord.Body(record)
	return gateway.Prepared{Log: l.Describe().ID, LeafHash: rekord.LeafHash(body), Kind: rekord.Kind, Body: body}, receipt.RecordWhole(record, o.Whole.SPKI), err
}

// minisigned is a signature of minisign's test data, and what it is over.
func minisigned(t *testing.T) (gateway.Request, []byte) {
	t.Helper()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("../formats/minisign/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return gateway.Request{Tenant: gateway.DefaultTenant, Signature: read("prehashed.minisig"), Keys: [][]byte{read("signer.pub")}}, read("artifact.txt")
}

func spooledIn(t *testing.T, s gateway.Store) gateway.SweptBlobs {
	t.Helper()
	swept, err := s.SweepBlobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return swept
}

// TestSpooled: an artifact is spooled until its entry is logged, and one of a submission that is refused, or known, is not kept.
func TestSpooled(t *testing.T) {
	t.Parallel()
	log := wholeLog{gatewaytest.NewLog()}
	var store gateway.Store
	g, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) { store = c.Store })
	r, artifact := minisigned(t)
	if _, err := g.Submit(t.Context(), r, gatewaytest.Bytes(append(bytes.Clone(artifact), '!'))); formats.ReasonOf(err) != formats.ReasonArtifactMismatch {
		t.Errorf("another file: %v", err)
	}
	if left := spooledIn(t, store); left.Blobs != 0 {
		t.Errorf("of what was refused there is %+v", left)
	}
	log.SetDown(gateway.ErrUnavailable)
	sub, err := g.Submit(t.Context(), r, gatewaytest.Bytes(artifact))
	if err != nil || sub.Representation() != gateway.Native || sub.Entries[0].Kind != rekord.Kind {
		t.Fatalf("%+v, %v", sub, err)
	}
	b, err := store.BlobOf(t.Context(), sub.Entries[0].LeafHash)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(gateway.NewBlobReader(t.Context(), store, b)); err != nil || !bytes.Equal(got, artifact) {
		t.Errorf("spooled %q, %v", got, err)
	}
	again, err := g.Submit(t.Context(), r, gatewaytest.Bytes(artifact))
	if err != nil || !again.Existing || again.ID != sub.ID {
		t.Errorf("again: %+v, %v", again, err)
	}
	if left := spooledIn(t, store); left.Blobs != 1 {
		t.Errorf("sent twice, %+v is spooled", left)
	}
	log.SetDown(nil)
	wait(t, g, sub.ID)
	if left := spooledIn(t, store); left.Blobs != 0 {
		t.Errorf("of what is logged there is %+v", left)
	}
}

// TestSpooledBySender: an artifact that its sender has spooled is not spooled again, and has to be the one that is verified.
func TestSpooledBySender(t *testing.T) {
	t.Parallel()
	log := wholeLog{gatewaytest.NewLog()}
	var store gateway.Store
	g, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) { store = c.Store })
	r, artifact := minisigned(t)
	spool := func(data []byte) *gateway.Blob {
		w, err := gateway.NewBlobWriter(t.Context(), store, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(data) // Finish says it
		b, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return &b
	}
	r.Spooled = spool([]byte("another"))
	if sub, err := g.Submit(t.Context(), r, gatewaytest.Bytes(artifact)); err == nil {
		t.Errorf("with another artifact: %+v", sub)
	}
	r.Spooled = spool(artifact)
	read := func() (formats.Artifact, error) {
		return formats.FromReader(gateway.NewBlobReader(t.Context(), store, *r.Spooled)), nil
	}
	sub, err := g.Submit(t.Context(), r, read)
	if err != nil || sub.Representation() != gateway.Native {
		t.Fatalf("%+v, %v", sub, err)
	}
	if b, err := store.BlobOf(t.Context(), sub.Entries[0].LeafHash); err == nil && (b != *r.Spooled || b.SHA256 != sha256.Sum256(artifact)) {
		t.Errorf("sent with %+v, spooled was %+v", b, r.Spooled)
	}
	wait(t, g, sub.ID)
}

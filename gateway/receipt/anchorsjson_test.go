// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// readCorpus returns the receipts of the corpus that have anchors, and some that have none.
func readCorpus(t testing.TB) (all []*receiptpb.Receipt) {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*/receipt.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name) // #nosec G304 -- a test's
		if err != nil {
			t.Fatal(err)
		}
		r, err := Unmarshal(raw)
		if err != nil {
			continue // it is a case of that
		}
		all = append(all, r)
	}
	return all
}

// encodeWhole is what Marshal returns where nothing is kept of another receipt.
func encodeWhole(t testing.TB, r *receiptpb.Receipt) string {
	t.Helper()
	raw, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(append(indentJSON(nil, raw), '\n'))
}

// TestAnchorsEncodedOnce: a receipt reads as if its anchors had not been kept from another one, whichever was encoded before, and is not changed by that.
func TestAnchorsEncodedOnce(t *testing.T) {
	t.Parallel()
	corpus, anchored := readCorpus(t), 0
	for range 2 {
		for i, r := range corpus {
			before := proto.CloneOf(r)
			raw, err := Marshal(r)
			if err != nil || string(raw) != encodeWhole(t, r) || !proto.Equal(r, before) {
				t.Fatalf("receipt %d is encoded as\n%s\nand not as\n%s\n%v", i, raw, encodeWhole(t, r), err)
			}
			if len(AnchorsOf(r)) > 0 {
				anchored++
			}
		}
	}
	if anchored < 10 {
		t.Errorf("%d receipts with anchors", anchored)
	}
}

// TestAnchorsInText: what looks like a list of anchors, in the text of a receipt, stays as it is.
func TestAnchorsInText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`"anchors":[]`, `"anchors": []`, `\"anchors":[]`, `","anchors":[],"`, `\`, `\\"anchors":[]`} {
		for _, r := range readCorpus(t) {
			if len(AnchorsOf(r)) == 0 {
				continue
			}
			r.Notes, r.Entries[0].Own.Proof = []string{text}, text
			raw, err := Marshal(r)
			if err != nil || string(raw) != encodeWhole(t, r) || !json.Valid(raw) {
				t.Fatalf("%s with %s: %v", raw, text, err)
			}
			break
		}
	}
}

// BenchmarkMarshal encodes receipts that have the same anchors, as a run over a tree does.
func BenchmarkMarshal(b *testing.B) {
	raw, err := os.ReadFile("testdata/corpus/own-x509-p256/receipt.json")
	if err != nil {
		b.Fatal(err)
	}
	r, err := Unmarshal(raw)
	if err != nil {
		b.Fatal(err)
	}
	var buffer []byte
	b.Run("kept", func(b *testing.B) {
		for b.Loop() {
			if buffer, err = MarshalAppend(buffer[:0], r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			lastAnchors.Store(nil)
			if buffer, err = MarshalAppend(buffer[:0], r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

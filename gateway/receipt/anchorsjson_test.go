// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

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

// TestWithoutAnchorsHasAllElse: no field of the messages that it copies is left out, whatever is added to them.
func TestWithoutAnchorsHasAllElse(t *testing.T) {
	t.Parallel()
	r, e, own := &receiptpb.Receipt{}, &receiptpb.LogEntry{}, &receiptpb.OwnRecord{}
	setFields(own.ProtoReflect())
	setFields(e.ProtoReflect())
	setFields(r.ProtoReflect())
	e.Own, r.Entries = own, []*receiptpb.LogEntry{e}
	want := proto.CloneOf(r)
	want.Entries[0].Own.Anchors = nil
	if got := withoutAnchors(r); !proto.Equal(got, want) || len(own.GetAnchors()) == 0 {
		t.Errorf("%v\nand not\n%v", got, want)
	}
}

// setFields sets every field of m to something else than its default; messages in it are empty.
func setFields(m protoreflect.Message) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		var v protoreflect.Value
		switch f.Kind() {
		case protoreflect.MessageKind:
			if f.IsList() {
				v = m.NewField(f).List().NewElement()
			} else {
				v = m.NewField(f)
			}
		case protoreflect.StringKind:
			v = protoreflect.ValueOfString("text")
		case protoreflect.BytesKind:
			v = protoreflect.ValueOfBytes([]byte("bytes"))
		case protoreflect.EnumKind:
			v = protoreflect.ValueOfEnum(1)
		case protoreflect.Uint32Kind:
			v = protoreflect.ValueOfUint32(1)
		default:
			panic(f.FullName()) // add its kind
		}
		if f.IsList() {
			m.Mutable(f).List().Append(v)
			continue
		}
		m.Set(f, v)
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

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// FuzzAnchorsJSON: whatever a receipt has, it is encoded as by protojson alone, twice, and is not changed.
func FuzzAnchorsJSON(f *testing.F) {
	for _, r := range readCorpus(f) {
		raw, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		if e := r.GetEntries(); len(e) > 0 {
			r.Entries = append(e, e[0])
			raw, _ = proto.Marshal(r)
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := new(receiptpb.Receipt)
		if proto.Unmarshal(raw, r) != nil {
			return
		}
		before := proto.CloneOf(r)
		plain, wantErr := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(r)
		for range 2 {
			got, err := MarshalAppend([]byte("before"), r)
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%v, and by protojson %v", err, wantErr)
			}
			if err == nil && string(got) != "before"+string(indentJSON(nil, plain))+"\n" {
				t.Fatalf("%s\nand not\n%s", got, plain)
			}
		}
		if !proto.Equal(r, before) {
			t.Fatal("changed")
		}
	})
}

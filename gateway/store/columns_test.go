// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

func TestColumns(t *testing.T) {
	full := gateway.SubmissionFields{
		Digests: []formats.Digest{digest, {Algorithm: formats.SHA512, Value: bytes.Repeat([]byte{7}, 64)}},
		Signers: [][32]byte{signer, {1}, signer},
		Labels:  map[string]string{"a": "ü\x00\"", "": ""},
		Receipt: &receiptpb.Receipt{Notes: []string{"x"}},
	}
	for name, want := range map[string]gateway.SubmissionFields{
		"full": full, "empty": {}, "empty receipt": {Receipt: &receiptpb.Receipt{}},
	} {
		c, err := EncodeColumns(&want)
		if err != nil {
			t.Fatal(name, err)
		}
		got := full // what was there before must go
		if err := c.Decode(&got); err != nil {
			t.Fatal(name, err)
		}
		if !proto.Equal(got.Receipt, want.Receipt) || (got.Receipt == nil) != (want.Receipt == nil) {
			t.Errorf("%s: receipt is %v", name, got.Receipt)
		}
		got.Receipt = want.Receipt
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestDamagedColumns(t *testing.T) {
	for name, c := range map[string]Columns{
		"digests":      {Digests: "[", Labels: "{}"},
		"digest":       {Digests: `["md5:00"]`, Labels: "{}"},
		"signers":      {Digests: "[]", Signers: make([]byte, 33), Labels: "{}"},
		"labels":       {Digests: "[]", Labels: "[]"},
		"empty labels": {Digests: "[]"},
		"receipt":      {Digests: "[]", Labels: "{}", Receipt: []byte{0xff}},
	} {
		if err := c.Decode(new(gateway.SubmissionFields)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if i, err := DecodeInclusion([]byte{0xff}); err == nil || i != nil {
		t.Errorf("damaged inclusion: %v, %v", i, err)
	}
}

func TestInclusion(t *testing.T) {
	for _, want := range []*rekorpb.TransparencyLogEntry{{LogIndex: 5, CanonicalizedBody: []byte("x")}, {}} {
		b, err := EncodeInclusion(&gateway.Inclusion{Entry: want})
		if err != nil || b == nil {
			t.Fatalf("%v: %v", b, err)
		}
		if got, err := DecodeInclusion(b); err != nil || !proto.Equal(got.Entry, want) {
			t.Errorf("inclusion is %v (%v), want %v", got, err, want)
		}
	}
	if _, err := EncodeInclusion(&gateway.Inclusion{}); err == nil {
		t.Error("an inclusion without a log entry was encoded")
	}
	if got, err := DecodeInclusion(nil); got != nil || err != nil {
		t.Errorf("no inclusion reads as %v, %v", got, err)
	}
}

func TestMillis(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.FixedZone("", 3600))
	if got, want := FromMillis(Millis(at)), at.UTC().Truncate(time.Millisecond); got != want {
		t.Errorf("%v is kept as %v, want %v", at, got, want)
	}
	if got := FromMillis(Millis(time.Time{})); !got.IsZero() {
		t.Errorf("the zero time is kept as %v", got)
	}
}

func TestTreeSize(t *testing.T) {
	if n, err := TreeSize(math.MaxInt64); err != nil || n != math.MaxInt64 {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := TreeSize(math.MaxInt64 + 1); err == nil {
		t.Errorf("2^63 is taken as %d", n)
	}
}

// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"bytes"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekorverify "github.com/sigstore/rekor-tiles/v2/pkg/verify"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// FuzzAnswer edits a right answer: each three bytes are an offset and what is XORed there. It
// either verifies still, by upstream's judgement, too, and states exactly what was sent, or
// it gives an error alone. (Not the answer itself is fuzzed, since keys differ by process.)
func FuzzAnswer(f *testing.F) {
	fake := rekortest.StartFake(f)
	fake.Append([]byte("first"), []byte("second"), []byte("third"))
	l, err := New(Config{
		ID: "fuzz", ReadTimeout: time.Second, Shards: []Shard{{
			Origin: fake.Origin(), GRPCURL: fake.GRPCURL(), ReadURL: fake.ReadURL(), Verifier: fake.Verifier(), KeyID: fake.KeyID(),
		}},
	}, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	prepared, err := l.PrepareRecord(rekortest.NewECDSASigner(f).Record("fuzz"))
	if err != nil {
		f.Fatal(err)
	}
	good, err := l.Add(f.Context(), l.Describe().Shard, prepared)
	if err != nil {
		f.Fatal(err)
	}
	seed, err := proto.Marshal(logtest.TransparencyLogEntry(f, good, prepared.Body))
	if err != nil {
		f.Fatal(err)
	}
	for offset := range len(seed) {
		f.Add([]byte{byte(offset >> 8), byte(offset), 1})
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, edits []byte) {
		raw := bytes.Clone(seed)
		for edit := range slices.Chunk(edits, 3) {
			if len(edit) == 3 {
				raw[(int(edit[0])<<8|int(edit[1]))%len(raw)] ^= edit[2]
			}
		}
		var answer rekorpb.TransparencyLogEntry
		if err := proto.Unmarshal(raw, &answer); err != nil {
			return
		}
		got, err := l.shards[0].verifyAnswer(t.Context(), &answer, prepared.Body)
		if err != nil {
			if got != nil {
				t.Error("inclusion beside an error")
			}
			return
		}
		entry := logtest.TransparencyLogEntry(t, got, prepared.Body)
		if err := rekorverify.VerifyLogEntry(entry, fake.Verifier()); err != nil {
			t.Errorf("upstream refuses it: %v", err)
		}
		if got.Index != 3 {
			t.Error("not the entry that was sent")
		}
	})
}

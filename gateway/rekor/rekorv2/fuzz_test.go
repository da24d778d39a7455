// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekorverify "github.com/sigstore/rekor-tiles/v2/pkg/verify"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// FuzzAnswer edits a right answer: each three bytes are an offset and what is XORed there. It
// either verifies still, by upstream's judgement, too, and states exactly what was sent, or
// it gives an error alone. (Not the answer itself is fuzzed, since keys differ by process.)
func FuzzAnswer(f *testing.F) {
	fake := rekortest.StartFake(f)
	fake.Append([]byte("first"), []byte("second"), []byte("third"))
	l, err := New(Config{
		ID: "fuzz", Origin: fake.Origin(), GRPCURL: fake.GRPCURL(), ReadURL: fake.ReadURL(),
		Verifier: fake.Verifier(), KeyID: fake.KeyID(), ReadTimeout: time.Second,
	}, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	prepared, err := l.Prepare(rekortest.NewECDSASigner(f).Record("fuzz"))
	if err != nil {
		f.Fatal(err)
	}
	good, err := l.Add(f.Context(), gateway.Entry{LeafHash: prepared.LeafHash, Body: prepared.Body})
	if err != nil {
		f.Fatal(err)
	}
	seed, err := proto.Marshal(good.Entry)
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
		got, err := l.verifyAnswer(t.Context(), &answer, prepared.Body)
		if err != nil {
			if got != nil {
				t.Error("inclusion beside an error")
			}
			return
		}
		if err := rekorverify.VerifyLogEntry(got.Entry, fake.Verifier()); err != nil {
			t.Errorf("upstream refuses it: %v", err)
		}
		if !bytes.Equal(got.Entry.GetCanonicalizedBody(), prepared.Body) || got.Entry.GetLogIndex() != 3 {
			t.Error("not the entry that was sent")
		}
	})
}

// FuzzBundle: a bundle has as many entries as its place in the log says, or is refused.
func FuzzBundle(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x00"), uint8(2))
	f.Add([]byte("\x00\x01a\x00\x00"), uint8(1))
	f.Add([]byte("\xff\xffa"), uint8(1))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, raw []byte, partial uint8) {
		entries, err := unbundle(client.Bundle{Data: raw, RangeInfo: layout.RangeInfo{Partial: partial}})
		if err != nil && entries != nil || err == nil && len(entries) != tileWidth(partial) {
			t.Errorf("%d entries, %v", len(entries), err)
		}
		for _, entry := range entries {
			if len(entry) > hashedrekord.MaxBody {
				t.Errorf("entry of %d bytes", len(entry))
			}
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	fake := rekortest.StartFake(f)
	fake.Append([]byte("first"))
	good := fake.Checkpoint(1)
	f.Add(good)
	f.Add(bytes.Replace(good, []byte("\n1\n"), []byte("\n01\n"), 1))
	f.Add([]byte("log.test\n1\n\n\n— log.test AAAA\n"))
	tracker := &tracker{origin: fake.Origin(), verifier: fake.Verifier()}
	f.Fuzz(func(t *testing.T, raw []byte) {
		cp, err := tracker.open(raw)
		switch {
		case err != nil && (cp != nil || !errors.Is(err, gateway.ErrBadAnswer)):
			t.Errorf("%v, %v", cp, err)
		case err == nil && (cp.Size != 1 || !bytes.Equal(cp.Envelope, raw)):
			t.Errorf("opened %q", raw) // only one was ever signed
		}
	})
}

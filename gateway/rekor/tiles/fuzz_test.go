// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"bytes"
	"errors"
	"testing"

	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// FuzzBundle: a bundle has as many entries as its place in the log says, or is refused.
func FuzzBundle(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x00"), uint8(2))
	f.Add([]byte("\x00\x01a\x00\x00"), uint8(1))
	f.Add([]byte("\xff\xffa"), uint8(1))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, raw []byte, partial uint8) {
		entries, err := splitBundle(client.Bundle{Data: raw, RangeInfo: layout.RangeInfo{Partial: partial}})
		if err != nil && entries != nil || err == nil && len(entries) != tileWidth(partial) {
			t.Errorf("%d entries, %v", len(entries), err)
		}
		for _, entry := range entries {
			if len(entry) > maxEntry {
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
	f.Fuzz(func(t *testing.T, raw []byte) {
		cp, err := OpenCheckpoint(raw, fake.Origin(), fake.Verifier())
		switch {
		case err != nil && (cp != nil || !errors.Is(err, gateway.ErrBadAnswer)):
			t.Errorf("%v, %v", cp, err)
		case err == nil && (cp.Size != 1 || !bytes.Equal(cp.Envelope, raw)):
			t.Errorf("opened %q", raw) // only one was ever signed
		}
	})
}

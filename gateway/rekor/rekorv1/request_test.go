// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekord"
)

// spooled is the one artifact of a store.
type spooled struct {
	data []byte
	sum  [sha256.Size]byte // said of it
	err  error             // of reading its last part
}

func (s spooled) BlobOf(context.Context, gateway.LeafHash) (gateway.Blob, error) {
	return gateway.Blob{Size: int64(len(s.data)), SHA256: s.sum}, nil
}

func (s spooled) BlobPart(_ context.Context, _ gateway.BlobID, part int) ([]byte, error) {
	at := part * gateway.BlobPart
	end := min(at+gateway.BlobPart, len(s.data))
	if end == len(s.data) && s.err != nil {
		return nil, s.err
	}
	return s.data[at:end], nil
}

func prepareWholeOf(t *testing.T, sum [sha256.Size]byte) gateway.Prepared {
	t.Helper()
	body, err := rekord.Body(rekord.Record{Whole: formats.Whole{Format: "ssh", Signature: []byte("s"), Key: []byte("k")}, Digest: sum})
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Prepared{Kind: rekord.Kind, Body: body, LeafHash: rekord.LeafHash(body)}
}

// TestRequests: what is sent has the size that was said, is the same each time, and is the body with the artifact in it.
func TestRequests(t *testing.T) {
	for _, size := range []int{1, 2, 3, 3 << 12, 3<<12 + 1, gateway.BlobPart - 1, gateway.BlobPart, gateway.BlobPart + 1, 3*gateway.BlobPart + 2} {
		data := bytes.Repeat([]byte{'a', 'b', 0, 0xff, 'c'}, size)[:size]
		s := spooled{data: data, sum: sha256.Sum256(data)}
		p := prepareWholeOf(t, s.sum)
		r, err := newRequest(t.Context(), s, p)
		if err != nil {
			t.Fatal(err)
		}
		q := rekord.NewRequest(p.Body)
		want := append(append(q.Head, base64.StdEncoding.EncodeToString(data)...), q.Tail...)
		for range 2 {
			if err := iotest.TestReader(r.open(t.Context()), want); err != nil || r.size != int64(len(want)) {
				t.Errorf("%d bytes: %d said, %v", size, r.size, err)
			}
		}
	}
}

// TestDamagedArtifacts: what is not the artifact is never sent as a whole.
func TestDamagedArtifacts(t *testing.T) {
	data := bytes.Repeat([]byte("x"), gateway.BlobPart+9)
	sum := sha256.Sum256(data)
	p := prepareWholeOf(t, sum)
	if _, err := newRequest(t.Context(), spooled{data: data, sum: [32]byte{1}}, p); !errors.Is(err, gateway.ErrUnreadable) {
		t.Errorf("of another artifact: %v", err)
	}
	if _, err := newRequest(t.Context(), nil, p); !errors.Is(err, gateway.ErrNotSent) {
		t.Errorf("without artifacts: %v", err)
	}
	damaged := bytes.Clone(data)
	damaged[7] ^= 1
	for name, s := range map[string]spooled{"damaged": {data: damaged, sum: sum}, "gone": {data: data, sum: sum, err: gateway.ErrBlobGone}} {
		r, err := newRequest(t.Context(), s, p)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r.open(t.Context())); err == nil || !errors.Is(err, gateway.ErrBlobGone) || n >= r.size {
			t.Errorf("%s: %d of %d bytes, %v", name, n, r.size, err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// memorySpool is a spool for small containers.
type memorySpool struct{}

func (memorySpool) TakeIn(src io.Reader) (io.ReadCloser, error) {
	b, err := io.ReadAll(src)
	return io.NopCloser(bytes.NewReader(b)), err
}

func readAll(_ context.Context, a formats.Artifact) error {
	_, err := io.Copy(io.Discard, a.Reader())
	return err
}

// pack returns a gzip container of the given parts.
func pack(t *testing.T, parts ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// emptyXZ is an .xz file with nothing inside: header, empty index, footer.
var emptyXZ = []byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x00\x00\x00\x00\x1c\xdfD!\x1f\xb6\xf3}\x01\x00\x00\x00\x00\x04YZ")

// Clients who send a container slowly, or stop, hold no place that others need.
func TestSlowClientsHoldNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUnpacker(memorySpool{}, 1<<20)
		var slow sync.WaitGroup
		var ends []*io.PipeWriter
		for range 2 * maxUnpacking {
			r, w := io.Pipe()
			ends = append(ends, w)
			slow.Go(func() {
				if _, err := u.unpack(t.Context(), container.XZ, r, readAll); err == nil {
					t.Error("half a container is taken")
				}
			})
			go func() { _, _ = w.Write(emptyXZ[:6]) }()
		}
		synctest.Wait()
		started := time.Now()
		digest, err := u.unpack(t.Context(), container.XZ, bytes.NewReader(emptyXZ), readAll)
		if want := sha256.Sum256(emptyXZ); err != nil || !bytes.Equal(digest.Value, want[:]) {
			t.Errorf("%v, %v", digest, err)
		}
		if waited := time.Since(started); waited != 0 {
			t.Errorf("it waited %v for others", waited)
		}
		for _, w := range ends {
			_ = w.Close()
		}
		slow.Wait()
	})
}

// Decompression ends with its deadline, whoever is slow, and gives its place back.
func TestUnpackDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUnpacker(memorySpool{}, 1<<20)
		for range maxUnpacking + 1 {
			_, err := u.unpack(t.Context(), container.XZ, bytes.NewReader(emptyXZ), func(ctx context.Context, a formats.Artifact) error {
				time.Sleep(u.deadline + 1)
				return readAll(ctx, a)
			})
			if formats.ReasonOf(err) != container.ReasonContainerTooSlow {
				t.Errorf("%v", err)
			}
		}
		if len(u.places) != 0 {
			t.Errorf("%d places are held", len(u.places))
		}
	})
}

// A caller who leaves ends it as well, and that is told as it is.
func TestUnpackCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := newUnpacker(memorySpool{}, 1<<20).unpack(ctx, container.Gzip, bytes.NewReader(pack(t, []byte("hello"))),
		func(ctx context.Context, a formats.Artifact) error {
			cancel()
			return readAll(ctx, a)
		})
	if !errors.Is(err, context.Canceled) || formats.ReasonOf(err) != "" {
		t.Errorf("%v", err)
	}
}

// What expands far more than honest archives do is charged to the request's account.
func TestUnpackIsCharged(t *testing.T) {
	noise := make([]byte, 64<<10)
	rand.NewChaCha8([32]byte{}).Read(noise)
	for name, c := range map[string]struct {
		zeros   int
		refused bool
	}{"tenfold": {640 << 10, false}, "a hundredfold": {6400 << 10, true}} {
		u := newUnpacker(memorySpool{}, 1<<30)
		ctx := formats.WithWork(t.Context(), formats.NewWork(10_000_000))
		_, err := u.unpack(ctx, container.Gzip, bytes.NewReader(pack(t, noise, make([]byte, c.zeros))), readAll)
		if (formats.ReasonOf(err) == formats.ReasonTooMuchWork) != c.refused || !c.refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Containers of xz that are being read hold up neither gzip ones nor, for ever, other xz ones.
func TestUnpackingIsBounded(t *testing.T) {
	u := &unpacker{places: make(chan struct{}, 1), patience: 10 * time.Millisecond}
	done, err := u.takePlace(t.Context(), container.XZ)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.takePlace(t.Context(), container.XZ); !errors.Is(err, gateway.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := u.takePlace(t.Context(), container.Gzip); err != nil {
		t.Errorf("gzip: %v", err)
	}
	done()
	if _, err := u.takePlace(t.Context(), container.XZ); err != nil {
		t.Errorf("after the first: %v", err)
	}
}

// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func TestArtifact(t *testing.T) {
	d := formats.Digest{Algorithm: formats.SHA256, Value: make([]byte, 32)}
	for name, c := range map[string]struct {
		a                            formats.Artifact
		reader, digest, signed, zero bool
	}{
		"nothing":       {formats.Artifact{}, false, false, false, true},
		"bytes":         {formats.FromReader(strings.NewReader("")), true, false, false, false},
		"digest":        {formats.FromDigest(d), false, true, false, false},
		"signed digest": {formats.FromSignedDigest(d), false, false, true, false},
	} {
		if a := c.a; (a.Reader() != nil) != c.reader || (a.Digest() != nil) != c.digest || (a.SignedDigest() != nil) != c.signed || a.IsZero() != c.zero {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestCopy(t *testing.T) {
	for _, size := range []int{0, 1, 32 << 10, 100_000} {
		want := bytes.Repeat([]byte("x"), size)
		for name, src := range map[string]io.Reader{
			"whole": bytes.NewReader(want), "in halves": iotest.HalfReader(bytes.NewReader(want)), "with EOF": iotest.DataErrReader(bytes.NewReader(want)),
		} {
			var out bytes.Buffer
			n, err := formats.Copy(t.Context(), &out, src)
			if err != nil || n != int64(size) || !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%d bytes, %s: %d bytes, %v", size, name, n, err)
			}
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestCopyFails(t *testing.T) {
	broken := errors.New("broken")
	n, err := formats.Copy(t.Context(), io.Discard, io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)))
	if n != 3 || !errors.Is(err, broken) {
		t.Errorf("source: %d bytes, %v", n, err)
	}
	if n, err := formats.Copy(t.Context(), brokenWriter{broken}, strings.NewReader("abc")); n != 0 || !errors.Is(err, broken) {
		t.Errorf("destination: %d bytes, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := strings.NewReader("abc")
	if n, err := formats.Copy(ctx, io.Discard, src); n != 0 || !errors.Is(err, context.Canceled) || src.Len() != 3 {
		t.Errorf("cancelled before: %d bytes, %v, %d left", n, err, src.Len())
	}
}

// TestCopyReadsNoMoreOnceCancelled: at most the read that was under way ends.
func TestCopyReadsNoMoreOnceCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	src := readerFunc(func(p []byte) (int, error) {
		if reads++; reads == 2 {
			cancel()
		}
		return len(p), nil
	})
	if n, err := formats.Copy(ctx, io.Discard, src); !errors.Is(err, context.Canceled) || reads != 2 || n != 2*32<<10 {
		t.Errorf("%d reads, %d bytes, %v", reads, n, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

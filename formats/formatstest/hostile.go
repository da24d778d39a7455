// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func checkAltered(t *testing.T, f formats.Format, v Vector) {
	if v.Artifact == nil {
		return
	}
	for _, other := range [][]byte{append(bytes.Clone(v.Artifact), 'x'), []byte("another artifact"), {}} {
		got, err := verify(f, v, bytes.NewReader(other))
		if err == nil || got != nil {
			t.Fatalf("accepted for %.20q", other)
		}
		checkTyped(t, err)
	}
}

var errReader = errors.New("reader broke")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errReader }

// checkReader: the reader's own error comes through, and is no refusal.
func checkReader(t *testing.T, f formats.Format, v Vector) {
	if v.Artifact == nil {
		return
	}
	r := io.MultiReader(bytes.NewReader(v.Artifact), brokenReader{})
	if got, err := verify(f, v, r); !errors.Is(err, errReader) || got != nil || formats.ReasonOf(err) != "" {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// endless never ends; only the context does.
type endless struct {
	cancel context.CancelFunc
	reads  int
}

func (e *endless) Read(p []byte) (int, error) {
	e.reads++
	if e.reads == 3 {
		e.cancel()
	}
	if e.reads > 1000 {
		return 0, errors.New("read on after the context had ended")
	}
	clear(p)
	return len(p), nil
}

func checkCancelled(t *testing.T, f formats.Format, v Vector) {
	if v.Artifact == nil {
		return
	}
	p, err := f.Parse(v.Signature, v.Keys, v.Policy)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if got, err := p.Verify(ctx, formats.FromReader(&endless{cancel: cancel})); !errors.Is(err, context.Canceled) || got != nil {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func checkCut(t *testing.T, f formats.Format, v Vector) {
	step := len(v.Signature)/64 + 1
	for n := 0; n < len(bytes.TrimSpace(v.Signature)); n += step {
		cut := v
		cut.Signature = v.Signature[:n]
		got, err := verify(f, cut, bytes.NewReader(v.Artifact))
		if err == nil || got != nil {
			t.Fatalf("accepted when cut to %d of %d bytes", n, len(v.Signature))
		}
		checkTyped(t, err)
	}
}

func checkAppended(t *testing.T, f formats.Format, v Vector) {
	for _, tail := range []string{"\x00", "garbage", string(v.Signature)} {
		long := v
		long.Signature = append(bytes.Clone(v.Signature), tail...)
		if p, err := f.Parse(long.Signature, v.Keys, v.Policy); err == nil && !v.Unframed {
			t.Errorf("parsed with %.10q appended", tail)
		} else if (p == nil) != (err != nil) {
			t.Error("a value beside an error")
		}
		if got, err := verify(f, long, bytes.NewReader(v.Artifact)); err == nil || got != nil {
			t.Errorf("accepted with %.10q appended", tail)
		}
	}
}

// checkFlipped: a signature with one bit changed is refused, or it says the same as before (armor
// headers, unhashed parts): then its canonical form is the same.
func checkFlipped(t *testing.T, f formats.Format, v Vector, first *formats.Verified) {
	step := len(v.Signature)/200 + 1
	for i := 0; i < len(v.Signature); i += step {
		flipped := v
		flipped.Signature = bytes.Clone(v.Signature)
		flipped.Signature[i] ^= 1 << (i % 8)
		got, err := verify(f, flipped, bytes.NewReader(v.Artifact))
		if err != nil {
			checkTyped(t, err)
			continue
		}
		if !bytes.Equal(got.Canonical, first.Canonical) {
			t.Errorf("accepted as another submission with byte %d changed", i)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	bigArtifact = 8 << 20
	// maxExtra bounds what a big artifact may make a plugin allocate beyond a small one.
	maxExtra = 128 << 10
)

// text is an endless file of lines, so that nothing takes it for binary early.
type text struct{ at int }

var lines = strings.Repeat("a line of text, as long as any\n", 1<<10)

func (r *text) Read(p []byte) (int, error) {
	n := copy(p, lines[r.at:])
	r.at = (r.at + n) % len(lines)
	return n, nil
}

// checkMemory: an artifact is read as a stream. What a format carries within it may compare in
// memory, as that is no larger than a signature may be.
func checkMemory(t testing.TB, s Suite, v Vector) {
	p := mustParse(t, s, v)
	if v.Artifact == nil || p.Describe().Need == formats.NeedNone {
		return
	}
	if extra := measureAllocated(t, p, bigArtifact) - measureAllocated(t, p, 1<<10); extra > maxExtra {
		t.Errorf("%d MiB made it allocate %d bytes more than 1 KiB did", bigArtifact>>20, extra)
	}
}

// measureAllocated returns the bytes allocated while size bytes are verified, and refused: the least
// of some attempts, as others may allocate meanwhile.
func measureAllocated(t testing.TB, p formats.Parsed, size int64) int64 {
	least := int64(math.MaxInt64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := &counter{r: io.LimitReader(&text{}, size)}
		_, err := p.Verify(context.Background(), formats.FromReader(r))
		runtime.ReadMemStats(&after)
		if err == nil || r.n != size {
			t.Fatalf("%d of %d bytes read, error %v", r.n, size, err)
		}
		least = min(least, int64(after.TotalAlloc-before.TotalAlloc))
		if least < maxExtra {
			break
		}
	}
	return least
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// endless never ends; only the context does, after some reads.
type endless struct {
	text
	cancel context.CancelFunc
	reads  int
}

var errReadOn = errors.New("read on after the context had ended")

func (e *endless) Read(p []byte) (int, error) {
	e.reads++
	if e.reads == 3 {
		e.cancel()
	}
	if e.reads > 100 {
		return 0, errReadOn
	}
	return e.text.Read(p)
}

// checkCancelled: Verify ends with its context, which is no refusal.
func checkCancelled(t testing.TB, s Suite, v Vector) {
	if v.Artifact == nil {
		return
	}
	p := mustParse(t, s, v)
	for _, early := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if early {
			cancel()
		}
		got, err := p.Verify(ctx, formats.FromReader(&endless{cancel: cancel}))
		if !errors.Is(err, context.Canceled) || got != nil || formats.ReasonOf(err) != "" {
			t.Errorf("got %v, want context.Canceled", err)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package formatstest

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// checkInput: the caller's slices are as before, whatever becomes of them.
func checkInput(t testing.TB, s Suite, v Vector) {
	given := v
	given.Signature, given.Keys = bytes.Clone(v.Signature), cloneAll(v.Keys)
	s.Format.Detect(given.Signature)
	_, _ = submitVector(t, s, given, bytes.NewReader(v.Artifact))
	if !bytes.Equal(given.Signature, v.Signature) || !slices.EqualFunc(given.Keys, v.Keys, bytes.Equal) {
		t.Error("the plugin changed its input")
	}
}

// checkNotKept: what the caller does with the slices after Parse changes nothing.
func checkNotKept(t testing.TB, s Suite, v Vector) {
	given := v
	given.Signature, given.Keys = bytes.Clone(v.Signature), cloneAll(v.Keys)
	p := mustParse(t, s, given)
	for _, b := range append(given.Keys, given.Signature) {
		for i := range b {
			b[i] = 'x'
		}
	}
	if !reflect.DeepEqual(p.Describe(), mustParse(t, s, v).Describe()) {
		t.Error("Describe reads the caller's slices after Parse")
	}
	got, err := verifyArtifact(t, p, v.wrapReader(bytes.NewReader(v.Artifact)))
	if err != nil || !reflect.DeepEqual(got, mustSubmit(t, s, v)) {
		t.Errorf("Verify reads the caller's slices after Parse (%v)", err)
	}
}

// checkRepeated: the same input gives the same result, from one Parsed and from another.
func checkRepeated(t testing.TB, s Suite, v Vector) {
	first := mustSubmit(t, s, v)
	p := mustParse(t, s, v)
	for range 3 {
		got, err := verifyArtifact(t, p, v.wrapReader(bytes.NewReader(v.Artifact)))
		if err != nil || !reflect.DeepEqual(got, first) {
			t.Errorf("the same input gave another result (%v)", err)
		}
	}
	if !reflect.DeepEqual(p.Describe(), mustParse(t, s, v).Describe()) {
		t.Error("the same input gave another description")
	}
}

// checkSlow: how the artifact is cut into reads changes nothing.
func checkSlow(t testing.TB, s Suite, v Vector) {
	for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.DataErrReader} {
		got, err := submitVector(t, s, v, wrap(bytes.NewReader(v.Artifact)))
		if err != nil || !reflect.DeepEqual(got, mustSubmit(t, s, v)) {
			t.Errorf("read in other pieces, the artifact gave another result (%v)", err)
		}
	}
}

// atOnce is how many verifications run on one Parsed.
const atOnce = 4

// checkConcurrent runs verifications of the artifact and of others on one Parsed, all of which
// have read some of it before any has read the rest.
func checkConcurrent(t testing.TB, s Suite, v Vector) {
	first, p := mustSubmit(t, s, v), mustParse(t, s, v)
	meet := newMeeting(atOnce)
	var all sync.WaitGroup
	for i := range atOnce {
		content := v.Artifact
		if i%2 == 1 && v.Artifact != nil {
			content = append([]byte("another artifact: "), v.Artifact...)
		}
		all.Go(func() {
			half := len(content) / 2
			r := io.MultiReader(bytes.NewReader(content[:half]), meet, bytes.NewReader(content[half:]))
			got, err := p.Verify(t.Context(), v.wrapReader(r))
			p.Describe()
			switch altered := len(content) != len(v.Artifact); {
			case altered && (err == nil || got != nil):
				t.Error("accepted another artifact beside the right one")
			case !altered && !reflect.DeepEqual(got, first):
				t.Errorf("another result beside other verifications (%v)", err)
			}
		})
	}
	all.Wait()
}

// meeting is an empty reader that keeps its readers waiting for each other, though not for
// ever: a plugin may verify one after the other.
type meeting struct {
	mu   sync.Mutex
	left int
	full chan struct{}
}

func newMeeting(n int) *meeting { return &meeting{left: n, full: make(chan struct{})} }

func (m *meeting) Read([]byte) (int, error) {
	m.mu.Lock()
	if m.left--; m.left == 0 {
		close(m.full)
	}
	m.mu.Unlock()
	select {
	case <-m.full:
	case <-time.After(time.Second):
	}
	return 0, io.EOF
}

// checkReader: the reader's own error comes through, and is no refusal.
func checkReader(t testing.TB, s Suite, v Vector) {
	if v.Artifact == nil {
		return
	}
	broken := errors.New("reader broke")
	for _, n := range []int{0, len(v.Artifact) / 2, len(v.Artifact)} {
		r := io.MultiReader(bytes.NewReader(v.Artifact[:n]), iotest.ErrReader(broken))
		_, err := verifyArtifact(t, mustParse(t, s, v), formats.FromReader(r))
		if !errors.Is(err, broken) || formats.ReasonOf(err) != "" {
			t.Errorf("after %d bytes: got %v, want the reader's error", n, err)
		}
	}
}

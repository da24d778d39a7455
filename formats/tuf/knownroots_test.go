// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"sync"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestRememberedRoot: a root that was seen before costs the same units and gives the same verdicts, at once in many calls too, and
// another file with the same root in it is none.
func TestRememberedRoot(t *testing.T) {
	k, other := mintKey(t), mintKey(t)
	root := signedBy(t, mintRoot(t, k, 1, k), k)
	good, bad := signedBy(t, mintSigned("targets"), k), signedBy(t, mintSigned("targets"), other)
	forged := signedBy(t, mintRoot(t, k, 1, k, other), k)
	forged = bytes.Replace(forged, []byte(`"version":1`), []byte(`"version":2`), 1)
	parse := func(signature, root []byte) (formats.Reason, int64) {
		w := formats.NewWork(formats.MaxWork)
		_, err := New().Parse(formats.WithWork(t.Context(), w), signature, [][]byte{root}, strict())
		return formats.ReasonOf(err), w.Spent()
	}
	if knownRoots.Contains(sha256.Sum256(root)) {
		t.Fatal("known before it was seen")
	}
	reason, cold := parse(good, root)
	if reason != "" || !knownRoots.Contains(sha256.Sum256(root)) {
		t.Fatalf("%s, known: %v", reason, knownRoots.Contains(sha256.Sum256(root)))
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if reason, warm := parse(good, root); reason != "" || warm != cold {
				t.Errorf("%s for %d units, want %d", reason, warm, cold)
			}
			if reason, _ := parse(bad, root); reason != formats.ReasonKeyMismatch && reason != formats.ReasonThresholdNotMet {
				t.Errorf("signed by another key: %q", reason)
			}
			if reason, _ := parse(good, forged); reason != formats.ReasonKeyNotValid {
				t.Errorf("a root that does not sign itself: %q", reason)
			}
		})
	}
	all.Wait()
	if knownRoots.Contains(sha256.Sum256(forged)) {
		t.Error("remembers a root that does not sign itself")
	}
}

// TestRememberedKey: a key of a remembered root costs the same units whoever asks for it first, in many calls at once too, and however often.
func TestRememberedKey(t *testing.T) {
	k, other := mintKey(t), mintKey(t)
	root, doc := signedBy(t, mintRoot(t, k, 1, other), k), signedBy(t, mintSigned("targets"), other)
	parse := func(signature []byte) (formats.Reason, int64) {
		w := formats.NewWork(formats.MaxWork)
		_, err := New().Parse(formats.WithWork(t.Context(), w), signature, [][]byte{root}, strict())
		return formats.ReasonOf(err), w.Spent()
	}
	if reason, _ := parse(signedBy(t, mintSigned("targets"), k)); reason != formats.ReasonNotAuthorized || !knownRoots.Contains(sha256.Sum256(root)) {
		t.Fatalf("the root is to be known, and its other key not to have been asked for: %q", reason)
	}
	var spent [8]int64
	var all sync.WaitGroup
	for i := range spent {
		all.Go(func() {
			var reason formats.Reason
			if reason, spent[i] = parse(doc); reason != "" {
				t.Error(reason)
			}
		})
	}
	all.Wait()
	knownRoots.Remove(sha256.Sum256(root))
	_, cold := parse(doc)
	_, warm := parse(doc)
	for _, units := range append(spent[:], warm) {
		if units != cold {
			t.Errorf("%d units, and %d where nothing is remembered", units, cold)
		}
	}
}

// TestRememberedRootsAreBounded: neither many nor large roots are kept.
func TestRememberedRootsAreBounded(t *testing.T) {
	k := mintKey(t)
	large := signedBy(t, with(mintRoot(t, k, 1, k), "x", strings.Repeat("x", rememberedSize)), k)
	if _, err := New().Parse(t.Context(), signedBy(t, mintSigned("targets"), k), [][]byte{large}, strict()); err != nil {
		t.Fatal(err)
	}
	if knownRoots.Contains(sha256.Sum256(large)) {
		t.Errorf("remembers %d bytes", len(large))
	}
	for range rememberedRoots + 5 {
		k := mintKey(t)
		if _, err := New().Parse(t.Context(), signedBy(t, mintSigned("targets"), k), [][]byte{signedBy(t, mintRoot(t, k, 1, k), k)}, strict()); err != nil {
			t.Fatal(err)
		}
	}
	if n := knownRoots.Len(); n != rememberedRoots {
		t.Errorf("remembers %d roots", n)
	}
}

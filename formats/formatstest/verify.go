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

// parseVector calls the plugin's Parse; there is a value or an *Error, never both.
func parseVector(t testing.TB, s Suite, v Vector) (formats.Parsed, error) {
	t.Helper()
	p, err := s.Format.Parse(context.Background(), v.Signature, v.Keys, v.Policy)
	if (p == nil) != (err != nil) {
		t.Fatalf("Parse: value %v beside error %v", p, err)
	}
	if err != nil {
		checkTyped(t, err)
	}
	return p, err
}

func mustParse(t testing.TB, s Suite, v Vector) formats.Parsed {
	t.Helper()
	p, err := parseVector(t, s, v)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return p
}

// verifyArtifact calls Verify; there is a value or an error, never both.
func verifyArtifact(t testing.TB, p formats.Parsed, a formats.Artifact) (*formats.Verified, error) {
	t.Helper()
	got, err := p.Verify(context.Background(), a)
	if (got == nil) != (err != nil) {
		t.Fatalf("Verify: value %v beside error %v", got, err)
	}
	return got, err
}

// submitVector parses and verifies over r.
func submitVector(t testing.TB, s Suite, v Vector, r io.Reader) (*formats.Verified, error) {
	t.Helper()
	p, err := parseVector(t, s, v)
	if err != nil {
		return nil, err
	}
	got, err := verifyArtifact(t, p, v.wrapReader(r))
	if err != nil {
		checkTyped(t, err)
	}
	return got, err
}

// mustSubmit is submit of what must verify.
func mustSubmit(t testing.TB, s Suite, v Vector) *formats.Verified {
	t.Helper()
	got, err := submitVector(t, s, v, bytes.NewReader(v.Artifact))
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return got
}

// wrapReader returns r as the artifact, or none where the format carries its own.
func (v Vector) wrapReader(r io.Reader) formats.Artifact {
	if v.Artifact == nil {
		return formats.Artifact{}
	}
	return formats.FromReader(r)
}

// checkTyped: a refusal is an *Error with one-line texts.
func checkTyped(t testing.TB, err error) {
	t.Helper()
	var e *formats.Error
	if !errors.As(err, &e) {
		t.Fatalf("refusal is no *formats.Error: %v", err)
	}
	if e.Reason == "" || e.Message == "" {
		t.Errorf("refusal without a reason or a message: %v", e)
	}
	checkLines(t, e.Message, e.Hint)
}

func checkLines(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, r := range text {
			if r < ' ' || r == 0x7f {
				t.Errorf("%q is not one line of text", text)
				break
			}
		}
	}
}

func cloneAll(in [][]byte) [][]byte {
	out := make([][]byte, len(in))
	for i := range in {
		out[i] = bytes.Clone(in[i])
	}
	return out
}

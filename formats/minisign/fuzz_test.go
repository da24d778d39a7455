// SPDX-License-Identifier: Apache-2.0

package minisign_test

import (
	"bytes"
	"errors"
	"testing"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/minisign"
)

// FuzzParse: no panic; a value or an *Error, never both; what verifies here verifies with
// go-minisign, too, and its canonical form and minimal key lead back to themselves; work in
// proportion to the input.
func FuzzParse(f *testing.F) {
	artifact := read(f, "artifact.txt")
	for _, name := range []string{"prehashed", "legacy", "comment", "crlf", "not-a-time", "unicode"} {
		f.Add(read(f, name+".minisig"), read(f, "signer.pub"))
	}
	f.Add(read(f, "signify.sig"), read(f, "release.pub"))
	f.Add(read(f, "signify-embedded.sig"), line(read(f, "release.pub"), 1))
	f.Add([]byte("untrusted comment: x\nRW\r\n"), []byte("RW"))
	f.Fuzz(func(t *testing.T, sig, key []byte) {
		minisign.New().Detect(sig)
		v := verify(t, sig, key, artifact)
		if v == nil {
			return
		}
		checkOracle(t, sig, v, artifact)
		again := verify(t, v.Canonical, v.Keys[0], artifact)
		if again == nil || !bytes.Equal(again.Canonical, v.Canonical) || !bytes.Equal(again.Keys[0], v.Keys[0]) {
			t.Error("the canonical form is no fixed point")
		}
	})
}

func verify(t *testing.T, sig, key, artifact []byte) *formats.Verified {
	t.Helper()
	ctx, check := formatstest.CheckWork(t, sig, key)
	defer check()
	p, err := minisign.New().Parse(ctx, sig, [][]byte{key}, policy())
	if (p == nil) != (err != nil) {
		t.Fatal("a value beside an error, or neither")
	}
	if err != nil {
		checkTyped(t, err)
		return nil
	}
	p.Describe()
	v, err := p.Verify(ctx, formats.FromReader(bytes.NewReader(artifact)))
	if (v == nil) != (err != nil) {
		t.Fatal("a value beside an error, or neither")
	}
	if err != nil {
		checkTyped(t, err)
	}
	return v
}

func checkTyped(t *testing.T, err error) {
	t.Helper()
	var e *formats.Error
	if !errors.As(err, &e) {
		t.Fatalf("refusal is no *formats.Error: %v", err)
	}
}

// checkOracle asks go-minisign, which knows no signify.
func checkOracle(t *testing.T, sig []byte, v *formats.Verified, artifact []byte) {
	t.Helper()
	decoded, err := gominisign.DecodeSignature(string(v.Canonical))
	if err != nil {
		if bytes.Count(v.Canonical, []byte("\n")) != 2 {
			t.Fatalf("go-minisign cannot read the canonical form of %q: %v", sig, err)
		}
		return
	}
	key, err := gominisign.NewPublicKey(string(v.Keys[0]))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := key.Verify(artifact, decoded); !ok {
		t.Errorf("go-minisign refuses %q: %v", sig, err)
	}
}

// FuzzArchive: no panic; every refusal is typed; the artifact of what verifies is the file itself; work in proportion to
// the input.
func FuzzArchive(f *testing.F) {
	f.Add(read(f, "signify-gzip.tgz"), read(f, "release.pub"))
	f.Add(read(f, "signify-embedded.sig"), read(f, "release.pub"))
	f.Fuzz(func(t *testing.T, sig, key []byte) {
		minisign.New().Detect(sig)
		if v := verify(t, sig, key, sig); v != nil && v.Size != int64(len(sig)) {
			t.Errorf("an artifact of %d bytes in a file of %d", v.Size, len(sig))
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package minisign_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"runtime"
	"testing"

	gominisign "github.com/jedisct1/go-minisign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/minisign"
)

const benchSize = 64 << 20

// maxAlloc bounds what one verification may allocate, whatever the artifact's size.
const maxAlloc = 256 << 10 // what is kept to recognise other protocols among it

func BenchmarkVerify(b *testing.B) {
	artifact := make([]byte, benchSize)
	for name, hashed := range map[string]bool{"prehashed": true, "legacy": false} {
		sig, pub := forge(b, artifact, gominisign.SignOptions{Hashed: hashed, TrustedComment: "timestamp:1700000000"})
		b.Run(name, func(b *testing.B) { benchVerify(b, sig, pub, artifact) })
	}
}

func benchVerify(b *testing.B, sig, pub, artifact []byte) {
	b.SetBytes(int64(len(artifact)))
	b.ReportAllocs()
	for b.Loop() {
		p, err := minisign.New().Parse(context.Background(), sig, [][]byte{pub}, policy())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Verify(context.Background(), formats.FromReader(bytes.NewReader(artifact))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSHA256(b *testing.B) {
	artifact := make([]byte, benchSize)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		sha256.Sum256(artifact)
	}
}

// TestConstantMemory verifies 4 MiB; the whole artifact in memory would show.
func TestConstantMemory(t *testing.T) {
	artifact := make([]byte, 4<<20)
	for _, hashed := range []bool{true, false} {
		sig, pub := forge(t, artifact, gominisign.SignOptions{Hashed: hashed, TrustedComment: "timestamp:1700000000"})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if verify(t, sig, pub, artifact) == nil {
			t.Fatal("refused")
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > maxAlloc {
			t.Errorf("hashed=%v: %d bytes allocated, more than %d", hashed, got, maxAlloc)
		}
	}
}

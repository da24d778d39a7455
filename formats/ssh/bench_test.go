// SPDX-License-Identifier: Apache-2.0

package ssh_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ssh"
)

const benchSize = 64 << 20

func BenchmarkVerify(b *testing.B) {
	artifact := make([]byte, benchSize)
	signer, pub := newECDSA(b)
	s := submission{forge(b, signer, signer.PublicKey(), artifact), [][]byte{pub}, policy()}
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifyArtifact(s, artifact); err != nil {
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
	const most = 128 << 10
	artifact := make([]byte, 4<<20)
	signer, pub := newECDSA(t)
	s := submission{forge(t, signer, signer.PublicKey(), artifact), [][]byte{pub}, policy()}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := verifyArtifact(s, artifact); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("%d bytes allocated, more than %d", got, most)
	}
}

// TestBoundedTime gives Parse the key files and certificate that cost it most.
func TestBoundedTime(t *testing.T) {
	signer, pub := newECDSA(t)
	cert := issue(t, signer, signer, strings.Repeat("a", 4000))
	line := append([]byte(strings.Repeat("*a", 3900)+"b cert-authority "), pub...)
	for _, c := range []struct {
		sig, keys []byte
		want      formats.Reason
	}{
		{forge(t, signer, cert, nil), bytes.Repeat(line, 400), formats.ReasonKeyNotValid},
		{read(t, "ecdsa-256.sig"), bytes.Repeat(read(t, "ecdsa-521.pub"), 10000), formats.ReasonKeyMismatch},
	} {
		start := time.Now()
		if _, err := ssh.New().Parse(context.Background(), c.sig, [][]byte{c.keys}, policy()); formats.ReasonOf(err) != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", c.want, d)
		}
	}
}

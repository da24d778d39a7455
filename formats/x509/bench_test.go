// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

var sixtyFourMiB = make([]byte, 64<<20)

// BenchmarkSHA256 is the floor that BenchmarkVerify is held against.
func BenchmarkSHA256(b *testing.B) {
	b.SetBytes(int64(len(sixtyFourMiB)))
	for b.Loop() {
		h := sha256.New()
		if _, err := formats.Copy(context.Background(), h, bytes.NewReader(sixtyFourMiB)); err != nil {
			b.Fatal(err)
		}
		h.Sum(nil)
	}
}

// BenchmarkVerify reads 64 MiB; the signature being another file's changes nothing in cost.
func BenchmarkVerify(b *testing.B) {
	for _, c := range [][2]string{{"rsa2048.sig", "rsa2048.pem"}, {"p256.sig", "p256.pem"}, {"ed25519.sig", "ed25519.pem"}} {
		b.Run(c[1], func(b *testing.B) {
			s, err := x509.New().Parse(context.Background(), file(b, c[0]), [][]byte{file(b, c[1])}, strict(b))
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(sixtyFourMiB)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(context.Background(), formats.FromReader(bytes.NewReader(sixtyFourMiB))); err == nil {
					b.Fatal("verified another artifact")
				}
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
)

// contents are 64 MiB each; the CRLF form of text is hashed as well.
func contents() map[string][]byte {
	return map[string][]byte{
		"binary": make([]byte, 64<<20),
		"text":   bytes.Repeat([]byte("a line of text that is about as long as lines are, in sixty-four\n"), 64<<20/65),
	}
}

// BenchmarkSHA256 is the floor that BenchmarkVerify is held against.
func BenchmarkSHA256(b *testing.B) {
	content := contents()["binary"]
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		h := sha256.New()
		if _, err := formats.Copy(context.Background(), h, bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
		h.Sum(nil)
	}
}

// BenchmarkVerify parses and reads 64 MiB; the signature being another file's changes nothing in cost.
func BenchmarkVerify(b *testing.B) {
	for kind, content := range contents() {
		for _, name := range []string{"rsa2048.der", "rsa2048-noattr.der", "p256.der"} {
			b.Run(kind+"/"+name, func(b *testing.B) {
				signature, policy := file(b, name), strict(b)
				b.SetBytes(int64(len(content)))
				b.ReportAllocs()
				for b.Loop() {
					s, err := pkcs7.New().Parse(context.Background(), signature, nil, policy)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := s.Verify(context.Background(), formats.FromReader(bytes.NewReader(content))); err == nil {
						b.Fatal("verified another artifact")
					}
				}
			})
		}
	}
}

// BenchmarkParse reads a signature, without what it is over.
func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"rsa2048.der", "p256.der"} {
		b.Run(name, func(b *testing.B) {
			signature, policy := file(b, name), strict(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pkcs7.New().Parse(b.Context(), signature, nil, policy); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

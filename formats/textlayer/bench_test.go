// SPDX-License-Identifier: Apache-2.0

package textlayer_test

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

func BenchmarkOpen(b *testing.B) {
	binary := make([]byte, 3<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range binary {
		binary[i] = byte(random.Uint32())
	}
	text := []byte(base64.StdEncoding.EncodeToString(binary))
	for name, data := range map[string][]byte{
		"binary": binary, "base64": text, "armor": append([]byte("-----BEGIN X-----\n"), text...),
		"UTF-16": inUTF16(text, false), "base64 of text": []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("text\n"), 600_000))),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				textlayer.FindSecret(data)
				_, _ = textlayer.Unwrap(data)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// BenchmarkParse: metadata and its root, by what they hold.
func BenchmarkParse(b *testing.B) {
	root, top := mintKey(b), mintKey(b)
	files := m{}
	for i := range 20000 {
		files[fmt.Sprint("file/", i)] = m{"length": 1, "hashes": m{"sha256": strings.Repeat("0", 64)}}
	}
	for _, c := range []struct {
		name      string
		doc, root []byte
	}{
		{"two signatures", read(b, "targets.json"), read(b, "root-1.json")},
		{"20000 targets", signedBy(b, with(mintSigned("targets"), "targets", files), top), signedBy(b, mintRoot(b, root, 1, top), root)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := New().Parse(context.Background(), c.doc, [][]byte{c.root}, strict()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJSON: what is done with the JSON of a metadata file of 2 KB, but for the signatures.
func BenchmarkJSON(b *testing.B) {
	doc := read(b, "targets.json")
	o, err := decodeJSON(meter(b), doc, formats.ReasonMalformedSignature)
	if err != nil {
		b.Fatal(err)
	}
	for name, f := range map[string]func(){
		"detect":      func() { New().Detect(doc) },
		"find secret": func() { textlayer.FindSecret(doc) },
		"decode":      func() { _, _ = decodeJSON(meter(b), doc, formats.ReasonMalformedSignature) },
		"hold secret": func() { textlayer.HoldsSecret(o.members) },
		"encode":      func() { _, _ = encodeCanonical(meter(b), o.members["signed"]) },
		"document":    func() { _, _ = decodeDocument(meter(b), doc, formats.ReasonMalformedSignature) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// BenchmarkVerify streams a target of 64 MiB.
func BenchmarkVerify(b *testing.B) {
	root, top := mintKey(b), mintKey(b)
	content := make([]byte, 64<<20)
	sum := sha256.Sum256(content)
	signed := with(mintSigned("targets"), "targets", m{"a": m{"length": len(content), "hashes": m{"sha256": hex.EncodeToString(sum[:])}}})
	p, err := New().Parse(context.Background(), signedBy(b, signed, top), [][]byte{signedBy(b, mintRoot(b, root, 1, top), root)}, strict())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Verify(b.Context(), formats.FromReader(bytes.NewReader(content))); err != nil {
			b.Fatal(err)
		}
	}
}

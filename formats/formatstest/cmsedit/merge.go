// SPDX-License-Identifier: Apache-2.0

package cmsedit

import (
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Merge returns one file with the signers and certificates of all, in that order, and the content of the first.
func Merge(first []byte, more ...[]byte) []byte {
	all := openFile(first)
	for _, der := range more {
		f := openFile(der)
		all.digests = slices.Concat(all.digests, f.digests)
		all.certificates = slices.Concat(all.certificates, f.certificates)
		all.signers = slices.Concat(all.signers, f.signers)
	}
	return all.encode()
}

// opened holds the contents of the sets of a SignedData.
type opened struct {
	id, version, content           cryptobyte.String // elements
	digests, certificates, signers cryptobyte.String
}

func openFile(der []byte) *opened {
	in := cryptobyte.String(der)
	var info, explicit, body cryptobyte.String
	var f opened
	read(in.ReadASN1(&info, asn1.SEQUENCE) && in.Empty() && info.ReadASN1Element(&f.id, asn1.OBJECT_IDENTIFIER) &&
		info.ReadASN1(&explicit, tag0) && explicit.ReadASN1(&body, asn1.SEQUENCE))
	read(body.ReadASN1Element(&f.version, asn1.INTEGER) && body.ReadASN1(&f.digests, asn1.SET) &&
		body.ReadASN1Element(&f.content, asn1.SEQUENCE) && body.ReadOptionalASN1(&f.certificates, nil, tag0) &&
		body.ReadASN1(&f.signers, asn1.SET) && body.Empty())
	return &f
}

func (f *opened) encode() []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(f.id)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1(asn1.SEQUENCE, f.join) })
	})
	return b.BytesOrPanic()
}

func (f *opened) join(b *cryptobyte.Builder) {
	b.AddBytes(f.version)
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(f.digests) })
	b.AddBytes(f.content)
	b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(f.certificates) })
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) { b.AddBytes(f.signers) })
}

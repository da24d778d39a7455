// SPDX-License-Identifier: Apache-2.0

// Package cmsedit changes what nothing in a CMS signature protects, for tests: its content and certificates are taken
// out, and unsigned attributes put in. Inputs are well-formed signatures in DER with one signer; it panics on others.
package cmsedit

import (
	encoding "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Detach returns the signature without the content inside.
func Detach(der []byte) []byte {
	return edit(der, func(p *parts) {
		var id cryptobyte.String
		read(p.content.ReadASN1Element(&id, asn1.OBJECT_IDENTIFIER))
		p.content = id
	})
}

// DropCertificates returns the signature without the certificates inside.
func DropCertificates(der []byte) []byte {
	return edit(der, func(p *parts) { p.certificates = nil })
}

// AddUnsigned returns the signature with one unsigned attribute more, which has a private type and text as its value.
func AddUnsigned(der []byte, text string) []byte {
	return edit(der, func(p *parts) {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(encoding.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1})
			b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(asn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(text)) })
			})
		})
		p.unsigned = append(p.unsigned, b.BytesOrPanic()...)
	})
}

// parts are those of a SignedData that are edited, and what stands between them as it is.
type parts struct {
	version, digests cryptobyte.String // elements
	content          cryptobyte.String // of the EncapsulatedContentInfo
	certificates     cryptobyte.String // the element; empty when there is none
	signer           cryptobyte.String // the SignerInfo's content up to its signature
	unsigned         cryptobyte.String // the unsigned attributes
}

var (
	tag0 = asn1.Tag(0).ContextSpecific().Constructed()
	tag1 = asn1.Tag(1).ContextSpecific().Constructed()
)

func read(ok bool) {
	if !ok {
		panic("cmsedit: this is no CMS signature in DER with one signer")
	}
}

func edit(der []byte, change func(*parts)) []byte {
	in := cryptobyte.String(der)
	var info, id, explicit, body cryptobyte.String
	read(in.ReadASN1(&info, asn1.SEQUENCE) && in.Empty() && info.ReadASN1Element(&id, asn1.OBJECT_IDENTIFIER) &&
		info.ReadASN1(&explicit, tag0) && explicit.ReadASN1(&body, asn1.SEQUENCE))
	p := split(body)
	change(p)
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(id)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddASN1(asn1.SEQUENCE, p.join) })
	})
	return b.BytesOrPanic()
}

func split(body cryptobyte.String) *parts {
	var p parts
	var signers, signer, element cryptobyte.String
	var tag asn1.Tag
	read(body.ReadASN1Element(&p.version, asn1.INTEGER) && body.ReadASN1Element(&p.digests, asn1.SET) &&
		body.ReadASN1(&p.content, asn1.SEQUENCE))
	if body.PeekASN1Tag(tag0) {
		read(body.ReadASN1Element(&p.certificates, tag0))
	}
	read(body.ReadASN1(&signers, asn1.SET) && body.Empty() && signers.ReadASN1(&signer, asn1.SEQUENCE) && signers.Empty())
	for !signer.Empty() {
		if signer.PeekASN1Tag(tag1) {
			read(signer.ReadASN1(&p.unsigned, tag1) && signer.Empty())
			break
		}
		read(signer.ReadAnyASN1Element(&element, &tag))
		p.signer = append(p.signer, element...)
	}
	return &p
}

func (p *parts) join(b *cryptobyte.Builder) {
	b.AddBytes(p.version)
	b.AddBytes(p.digests)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(p.content) })
	b.AddBytes(p.certificates)
	b.AddASN1(asn1.SET, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(p.signer)
			if len(p.unsigned) > 0 {
				b.AddASN1(tag1, func(b *cryptobyte.Builder) { b.AddBytes(p.unsigned) })
			}
		})
	})
}

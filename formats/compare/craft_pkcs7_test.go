// SPDX-License-Identifier: Apache-2.0

package compare

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"time"
)

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}

	digestOIDs = map[crypto.Hash]asn1.ObjectIdentifier{
		crypto.MD5: {1, 2, 840, 113549, 2, 5}, crypto.SHA1: {1, 3, 14, 3, 2, 26}, crypto.SHA256: {2, 16, 840, 1, 101, 3, 4, 2, 1},
		crypto.SHA384: {2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA512: {2, 16, 840, 1, 101, 3, 4, 2, 3},
	}
	oidRSA         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidECDSASHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
)

// cmsSigner is a throwaway key with a certificate.
type cmsSigner struct {
	key  crypto.Signer
	cert *x509.Certificate
}

var cmsSigners sync.Map

func newCMSSigner(name string) *cmsSigner {
	if s, ok := cmsSigners.Load(name); ok {
		return s.(*cmsSigner)
	}
	key := throwaway(name)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Crafted " + name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	raw := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	s, _ := cmsSigners.LoadOrStore(name, &cmsSigner{key: key, cert: must(x509.ParseCertificate(raw))})
	return s.(*cmsSigner)
}

// cmsSignature is a SignedData in the making.
type cmsSignature struct {
	document   []byte
	hash       crypto.Hash
	attributes [][]byte // DER, in the order given; nil for none
	value      []byte   // what is signed instead of attributes or content
	content    []byte   // inside; nil when detached
	signers    []*cmsSigner
	certs      []*cmsSigner
	serial     int64
	breakLast  bool
	unsorted   bool   // the attributes stay in the order given, in the file and under the signature
	asGiven    bool   // …in the file only
	unsigned   []byte // attributes that nobody signs
	tail       []byte
}

func attribute(oid asn1.ObjectIdentifier, values ...any) []byte {
	var set []byte
	for _, v := range values {
		set = append(set, must(asn1.Marshal(v))...)
	}
	return sequence(must(asn1.Marshal(oid)), tlv(0x31, set))
}

// tlv encodes a DER value.
func tlv(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	switch n := len(body); {
	case n < 0x80:
		return append([]byte{tag, byte(n)}, body...)
	case n < 0x100:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
}

func sequence(parts ...[]byte) []byte { return tlv(0x30, parts...) }

func algorithmID(oid asn1.ObjectIdentifier) []byte { return sequence(must(asn1.Marshal(oid))) }

func plainCMS(name string, hash crypto.Hash, document []byte) cmsSignature {
	s := newCMSSigner(name)
	return cmsSignature{document: document, hash: hash, signers: []*cmsSigner{s}, certs: []*cmsSigner{s}, serial: 7, attributes: [][]byte{
		attribute(oidContentType, oidData),
		attribute(oidSigningTime, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
		attribute(oidMessageDigest, sum(hash, document)),
	}}
}

func (c cmsSignature) file() []byte {
	var certs, infos []byte
	for _, s := range c.certs {
		certs = append(certs, s.cert.Raw...)
	}
	for i, s := range c.signers {
		infos = append(infos, c.signerInfo(s, c.breakLast && i == len(c.signers)-1)...)
	}
	inner := must(asn1.Marshal(oidData))
	if c.content != nil {
		inner = append(inner, tlv(0xa0, must(asn1.Marshal(c.content)))...)
	}
	data := sequence([]byte{2, 1, 1}, tlv(0x31, algorithmID(digestOIDs[c.hash])), sequence(inner), tlv(0xa0, certs), tlv(0x31, infos))
	return append(sequence(must(asn1.Marshal(oidSignedData)), tlv(0xa0, data)), c.tail...)
}

func (c cmsSignature) signerInfo(s *cmsSigner, broken bool) []byte {
	signed, attributes := c.document, []byte(nil)
	if c.attributes != nil {
		sorted := slices.Clone(c.attributes)
		slices.SortFunc(sorted, bytes.Compare)
		signed, attributes = tlv(0x31, sorted...), tlv(0xa0, sorted...)
		if c.unsorted || c.asGiven {
			attributes = tlv(0xa0, c.attributes...)
		}
		if c.unsorted {
			signed = tlv(0x31, c.attributes...)
		}
	}
	if c.value != nil {
		signed = c.value
	}
	algorithm := oidRSA
	if s.cert.PublicKeyAlgorithm == x509.ECDSA {
		algorithm = oidECDSASHA256
	}
	value := signDigest(s.key, c.hash, sum(c.hash, signed))
	if broken {
		value[len(value)-1] ^= 1
	}
	return sequence([]byte{2, 1, 1}, sequence(s.cert.RawIssuer, must(asn1.Marshal(big.NewInt(c.serial)))), algorithmID(digestOIDs[c.hash]),
		attributes, algorithmID(algorithm), must(asn1.Marshal(value)), c.unsigned)
}

type cmsField struct {
	kind  string
	apply func(*mathrand.Rand, *cmsSignature)
}

var cmsFields = []cmsField{
	{"field: none", func(*mathrand.Rand, *cmsSignature) {}},
	{"field: attribute left out", func(r *mathrand.Rand, c *cmsSignature) {
		i := r.IntN(len(c.attributes))
		c.attributes = slices.Delete(c.attributes, i, i+1)
	}},
	{"field: content-type wrong", func(r *mathrand.Rand, c *cmsSignature) {
		c.attributes[0] = pick(r, attribute(oidContentType, oidSignedData), attribute(oidContentType), attribute(oidContentType, oidData, oidData), attribute(oidContentType, 5))
	}},
	{"field: message digest wrong", func(r *mathrand.Rand, c *cmsSignature) {
		c.attributes[2] = pick(r, attribute(oidMessageDigest, sum(c.hash, []byte("another"))), attribute(oidMessageDigest),
			attribute(oidMessageDigest, sum(c.hash, document), sum(c.hash, document)), attribute(oidMessageDigest, sum(c.hash, document)[:8]))
	}},
	{"field: attribute twice", func(r *mathrand.Rand, c *cmsSignature) { c.attributes = append(c.attributes, pick(r, c.attributes...)) }},
	{"field: other attribute", func(_ *mathrand.Rand, c *cmsSignature) {
		c.attributes = append(c.attributes, attribute(asn1.ObjectIdentifier{1, 2, 3, 4}, "anything"))
	}},
	{"field: no attributes", func(_ *mathrand.Rand, c *cmsSignature) { c.attributes = nil }},
	{"field: empty attributes", func(_ *mathrand.Rand, c *cmsSignature) { c.attributes = [][]byte{} }},
	{"field: signing time", func(r *mathrand.Rand, c *cmsSignature) {
		c.attributes[1] = attribute(oidSigningTime, pick(r, now.AddDate(1, 0, 0), now.AddDate(-6, 0, 0), now.AddDate(22, 0, 0)))
	}},
	{"field: no signer", func(_ *mathrand.Rand, c *cmsSignature) { c.signers = nil }},
	{"field: two signers", func(_ *mathrand.Rand, c *cmsSignature) {
		c.hash = crypto.SHA256
		c.signers = append(c.signers, newCMSSigner("other"))
		c.certs = c.signers
	}},
	{"field: two signers, the last broken", func(_ *mathrand.Rand, c *cmsSignature) {
		c.hash = crypto.SHA256
		c.signers = append(c.signers, newCMSSigner("other"))
		c.certs, c.breakLast = c.signers, true
	}},
	{"field: broken", func(_ *mathrand.Rand, c *cmsSignature) { c.breakLast = true }},
	{"field: serial of no certificate", func(_ *mathrand.Rand, c *cmsSignature) { c.serial = 8 }},
	{"field: no certificate", func(_ *mathrand.Rand, c *cmsSignature) { c.certs = nil }},
	{"field: another's certificate", func(_ *mathrand.Rand, c *cmsSignature) { c.certs = []*cmsSigner{newCMSSigner("other")} }},
	{"field: attached", func(_ *mathrand.Rand, c *cmsSignature) { c.content = document }},
	{"field: attached, another content", func(_ *mathrand.Rand, c *cmsSignature) { c.content = []byte("another") }},
	{"field: attributes out of order", func(r *mathrand.Rand, c *cmsSignature) {
		slices.SortFunc(c.attributes, func(a, b []byte) int { return bytes.Compare(b, a) })
		c.unsorted = r.IntN(2) == 0
		c.asGiven = !c.unsorted
	}},
	{"field: unsigned attribute", func(_ *mathrand.Rand, c *cmsSignature) {
		c.unsigned = tlv(0xa1, attribute(asn1.ObjectIdentifier{1, 2, 3, 4}, "anything"))
	}},
	{"field: another certificate besides", func(_ *mathrand.Rand, c *cmsSignature) { c.certs = append(c.certs, newCMSSigner("other")) }},
	{"field: bytes after the end", func(r *mathrand.Rand, c *cmsSignature) { c.tail = pick(r, []byte{0}, []byte{5, 0}, []byte("\n")) }},
}

// craftPKCS7 makes a signature with one of its fields chosen at random.
func craftPKCS7(r *mathrand.Rand, bases []submission) submission {
	if r.IntN(3) == 0 {
		return flipBelowPEM(r, bases)
	}
	c := plainCMS(pick(r, "rsa2048", "p256"), crypto.SHA256, document)
	if r.IntN(6) == 0 {
		c = plainCMS("rsa2048", pick(r, crypto.MD5, crypto.SHA1, crypto.SHA384, crypto.SHA512), document)
	}
	f, plain := pick(r, cmsFields...), c
	plain.attributes = slices.Clone(c.attributes)
	f.apply(r, &c)
	s := submission{base: "crafted", kind: f.kind, signature: c.file(), artifact: document}
	if f.kind == "field: unsigned attribute" || f.kind == "field: another certificate besides" {
		s.origin = &submission{format: "pkcs7", signature: plain.file(), artifact: document}
	}
	if c.content != nil {
		s.artifact = nil
	}
	return s
}

// strippedAttributes is a genuine signature whose signed attributes became its content.
func strippedAttributes() submission {
	c := plainCMS("rsa2048", crypto.SHA256, document)
	sorted := slices.Clone(c.attributes)
	slices.SortFunc(sorted, bytes.Compare)
	forged := tlv(0x31, sorted...)
	c.attributes, c.value = nil, forged
	return submission{format: "pkcs7", base: "crafted", kind: "attributes stripped", signature: c.file(), artifact: forged}
}

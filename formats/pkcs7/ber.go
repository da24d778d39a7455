// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// maxDepth is enough for a time-stamp token among the unsigned attributes, with certificates.
const maxDepth = 48

const (
	constructed         = 0x20
	constructedOctets   = asn1.Tag(0x24)
	indefinite          = 0x80
	highTag             = 0x1f
	universalClassLimit = 0x40
)

// toDER takes one value off in and turns indefinite lengths into definite ones and octet
// strings in pieces into whole ones (X.690, 8.1.3.6 and 8.7). All else must be DER in its
// outline already and comes out unchanged, so that what was signed stays as it was. Not ok is a value
// of another form; the error is m's.
func toDER(m *formats.Meter, in []byte) (der, rest []byte, ok bool, err error) {
	c := converter{meter: m}
	s := cryptobyte.String(in)
	out, ok := c.convertValue(nil, &s, 0)
	if !ok || c.err != nil {
		return nil, nil, false, c.err
	}
	return out, s, true, nil
}

// converter holds the first error of its meter, which ends the conversion as not ok.
type converter struct {
	meter *formats.Meter
	err   error
}

// chargeElement charges for one element of n bytes, which are copied at each depth.
func (c *converter) chargeElement(n int) bool {
	if c.err = c.meter.ChargeElements(2); c.err == nil {
		c.err = c.meter.ChargeBytes(2 * n)
	}
	return c.err == nil
}

// convertValue appends the next value of in, as DER, to out.
func (c *converter) convertValue(out []byte, in *cryptobyte.String, depth int) ([]byte, bool) {
	if depth == maxDepth || len(*in) < 2 || (*in)[0]&highTag == highTag {
		return nil, false
	}
	tag := asn1.Tag((*in)[0])
	if tag&constructed == 0 {
		var element cryptobyte.String
		if (*in)[1] == indefinite || !in.ReadAnyASN1Element(&element, &tag) {
			return nil, false
		}
		return append(out, element...), c.chargeElement(len(element))
	}
	body, ok := c.convertBody(in, tag, depth)
	if !ok || !c.chargeElement(len(body)) {
		return nil, false
	}
	if tag == constructedOctets {
		tag = asn1.OCTET_STRING
	} else if tag < universalClassLimit && tag != asn1.SEQUENCE && tag != asn1.SET {
		return nil, false
	}
	b := cryptobyte.NewBuilder(out)
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(body) })
	out, err := b.Bytes()
	return out, err == nil
}

// convertBody returns the content of the constructed value that in starts with.
func (c *converter) convertBody(in *cryptobyte.String, tag asn1.Tag, depth int) ([]byte, bool) {
	var children cryptobyte.String
	endless := (*in)[1] == indefinite
	if endless {
		in.Skip(2)
		children = *in
	} else if !in.ReadASN1(&children, tag) {
		return nil, false
	}
	var body []byte
	for {
		switch {
		case endless && len(children) >= 2 && children[0] == 0 && children[1] == 0:
			*in = children[2:]
			return body, true
		case !endless && children.Empty():
			return body, true
		}
		var ok bool
		if body, ok = c.convertChild(body, &children, tag, depth); !ok {
			return nil, false
		}
	}
}

// convertChild appends a child, or only its content when the parent is an octet string.
func (c *converter) convertChild(body []byte, children *cryptobyte.String, parent asn1.Tag, depth int) ([]byte, bool) {
	if parent != constructedOctets {
		return c.convertValue(body, children, depth+1)
	}
	piece, ok := c.convertValue(nil, children, depth+1)
	var octets cryptobyte.String
	s := cryptobyte.String(piece)
	if !ok || !s.ReadASN1(&octets, asn1.OCTET_STRING) {
		return nil, false
	}
	return append(body, octets...), true
}

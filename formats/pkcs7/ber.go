// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"

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
	out, ok := c.convertValue(make([]byte, 0, len(in)), &s, 0)
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
	children, header, endless := *in, []byte(nil), (*in)[1] == indefinite
	if whole := *in; endless {
		children.Skip(2)
	} else if in.ReadASN1(&children, tag) {
		header = whole[:len(whole)-len(*in)-len(children)]
	} else {
		return nil, false
	}
	start, size := len(out)+len(header), len(children)
	out, ok := c.convertChildren(append(out, header...), &children, tag, endless, depth)
	if !ok || !c.chargeElement(len(out)-start) {
		return nil, false
	}
	if endless {
		*in = children
	}
	switch {
	case tag == constructedOctets:
		tag = asn1.OCTET_STRING
	case tag < universalClassLimit && tag != asn1.SEQUENCE && tag != asn1.SET:
		return nil, false
	case !endless && len(out)-start == size:
		return out, true // its header is right as it was
	}
	body := bytes.Clone(out[start:])
	b := cryptobyte.NewBuilder(out[:start-len(header)])
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(body) })
	out, err := b.Bytes()
	return out, err == nil
}

// convertChildren appends the content of a constructed value, of which in has that alone, or all up to its end and beyond, when that is
// marked. It leaves what comes after it.
func (c *converter) convertChildren(out []byte, in *cryptobyte.String, tag asn1.Tag, endless bool, depth int) ([]byte, bool) {
	for {
		switch {
		case endless && len(*in) >= 2 && (*in)[0] == 0 && (*in)[1] == 0:
			in.Skip(2)
			return out, true
		case !endless && in.Empty():
			return out, true
		}
		var ok bool
		if out, ok = c.convertChild(out, in, tag, depth); !ok {
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

// SPDX-License-Identifier: Apache-2.0

package foreign

import "slices"

// Tags of the elements that are looked at.
const (
	tagInteger   = 0x02
	tagBitString = 0x03
	tagOctets    = 0x04
	tagOID       = 0x06
	tagIA5String = 0x16
	tagUTCTime   = 0x17
	tagTime      = 0x18 // GeneralizedTime
	tagSequence  = 0x30
	tagSet       = 0x31
	tagContext   = 0xa0 // constructed; the number is added
)

// cursor reads ASN.1 elements of which the last may be cut short. Lengths are read as laxly as BER
// allows: a signature was made over the bytes as they are.
type cursor []byte

// element is one with what there is of its content.
type element struct {
	tag  byte
	body cursor
	cut  bool
}

// next reads the next element; false at the end, and for a tag or length that is none.
func (c *cursor) next() (element, bool) {
	tag, length, rest, ok := readHeader(*c)
	if !ok {
		*c = nil
		return element{}, false
	}
	n := min(length, int64(len(rest)))
	*c = rest[n:]
	return element{tag: tag, body: rest[:n], cut: n < length}, true
}

// readHeader reads a tag of one byte and a definite length.
func readHeader(b []byte) (tag byte, length int64, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, 0, nil, false
	}
	tag, length, rest = b[0], int64(b[1]), b[2:]
	if length < 0x80 {
		return tag, length, rest, true
	}
	n := int(length & 0x7f)
	if n == 0 || n > 6 || n > len(rest) {
		return 0, 0, nil, false
	}
	length = 0
	for _, d := range rest[:n] {
		length = length<<8 | int64(d)
	}
	return tag, length, rest[n:], true
}

// take reads the next element when it has one of the tags.
func (c *cursor) take(tags ...byte) (element, bool) {
	tag, _, _, ok := readHeader(*c)
	if !ok || !slices.Contains(tags, tag) {
		return element{}, false
	}
	return c.next()
}

func (c *cursor) takes(tags ...byte) bool {
	_, ok := c.take(tags...)
	return ok
}

// startsWith reports whether the element's content starts with an element of the tag.
func (e element) startsWith(tag byte) bool { return len(e.body) > 0 && e.body[0] == tag }

// takesAlgorithm reads an AlgorithmIdentifier.
func (c *cursor) takesAlgorithm() bool {
	e, ok := c.take(tagSequence)
	return ok && e.startsWith(tagOID)
}

// takesName reads a Name, which may be empty.
func (c *cursor) takesName() bool {
	e, ok := c.take(tagSequence)
	return ok && (len(e.body) == 0 || e.startsWith(tagSet))
}

// takesKey reads a SubjectPublicKeyInfo.
func (c *cursor) takesKey() bool {
	e, ok := c.take(tagSequence)
	return ok && e.body.takesAlgorithm() && e.body.takes(tagBitString)
}

// wholeSequence returns the content of the SEQUENCE that the artifact is: its length fits the size exactly.
func (w *window) wholeSequence() (cursor, bool) {
	tag, length, rest, ok := readHeader(w.head)
	return rest, ok && tag == tagSequence && int64(len(w.head)-len(rest))+length == w.size
}

// isPKIX recognises what certificates and their kin are signed over. The files themselves are none: in each
// the signed part is the first of three elements.
func isPKIX(w *window) bool {
	body, ok := w.wholeSequence()
	return ok && (isTBSCertificate(body) || isTBSCertList(body) || isResponseData(body) || isRequestInfo(body) || isCertRequest(body) || isChallenge(body))
}

// isTBSCertificate: RFC 5280, 4.1.
func isTBSCertificate(c cursor) bool {
	_ = c.takes(tagContext) // version
	if !c.takes(tagInteger) || !c.takesAlgorithm() || !c.takesName() {
		return false
	}
	validity, ok := c.take(tagSequence)
	return ok && validity.body.takes(tagUTCTime, tagTime) && validity.body.takes(tagUTCTime, tagTime)
}

// isTBSCertList: RFC 5280, 5.1.
func isTBSCertList(c cursor) bool {
	_ = c.takes(tagInteger) // version
	return c.takesAlgorithm() && c.takesName() && c.takes(tagUTCTime, tagTime)
}

// isResponseData: RFC 6960, 4.2.1.
func isResponseData(c cursor) bool {
	_ = c.takes(tagContext)                             // version
	responder, ok := c.take(tagContext+1, tagContext+2) // by name, by hash of key
	if !ok || !responder.startsWith(tagSequence) && !responder.startsWith(tagOctets) || !c.takes(tagTime) {
		return false
	}
	responses, ok := c.take(tagSequence)
	return ok && (len(responses.body) == 0 || responses.startsWith(tagSequence))
}

// isRequestInfo: CertificationRequestInfo of PKCS #10 (RFC 2986, 4.1).
func isRequestInfo(c cursor) bool {
	return c.takes(tagInteger) && c.takesName() && c.takesKey()
}

// isChallenge: PublicKeyAndChallenge of Netscape's SPKAC, which openssl spkac makes.
func isChallenge(c cursor) bool { return c.takesKey() && c.takes(tagIA5String) }

// isCertRequest: CertRequest of CRMF, as proof of possession signs it: with subject and key in its
// template (RFC 4211, 4.1 and 5).
func isCertRequest(c cursor) bool {
	const subject, key = tagContext + 5, tagContext + 6
	if !c.takes(tagInteger) {
		return false
	}
	template, ok := c.take(tagSequence)
	found := map[byte]bool{}
	for ok && len(template.body) > 0 {
		e, read := template.body.next()
		if ok = read && e.tag&0xc0 == 0x80; ok {
			found[e.tag] = true
		}
	}
	return ok && found[subject] && found[key]
}

// isTSTInfo: RFC 3161, 2.4.2.
func isTSTInfo(w *window) bool {
	c, ok := w.wholeSequence()
	if !ok || !c.takes(tagInteger) || !c.takes(tagOID) {
		return false
	}
	imprint, ok := c.take(tagSequence)
	return ok && imprint.body.takesAlgorithm() && imprint.body.takes(tagOctets) && c.takes(tagInteger) && c.takes(tagTime)
}

// messageDigest is the object identifier 1.2.840.113549.1.9.4.
const messageDigest = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04"

// isAttributes recognises a SET OF Attribute that has a messageDigest (RFC 5652, 5.4 and 11.2), whatever
// its length says: it is the DER of what a signature carries as BER.
func isAttributes(w *window) bool {
	if len(w.head) < 2 || w.head[0] != tagSet {
		return false
	}
	body := cursor(w.head[2:])
	if length := w.head[1]; length > 0x80 {
		body = body[min(int(length&0x7f), len(body)):]
	}
	for {
		attribute, ok := body.take(tagSequence)
		if !ok {
			return false
		}
		id, ok := attribute.body.take(tagOID)
		if !ok {
			return false
		}
		if string(id.body) == messageDigest {
			return true
		}
	}
}

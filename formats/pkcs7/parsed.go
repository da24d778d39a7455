// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	encoding "encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// parsed is a signature whose signer is known. Beside signed attributes, it has been checked.
type parsed struct {
	data       *signedData
	kind       string
	scheme     scheme
	attributes *attributes // nil when there are none
	content    []byte      // as it was signed; nil when detached
	crlf       bool        // the content stands in a message with other line ends than were signed
	digest     []byte      // that the signature covers, once known: of the attributes or of the content
	excluded   []string    // checks that the content is no other protocol's, without attributes
	key        keyfile.Key
	keys       [][]byte // that Parse needs again
	findings   []formats.Finding
	notes      []string
	rooted     bool // the certificate chains to the policy's roots
}

var _ formats.Parsed = (*parsed)(nil)

// interpretContainer reads everything but who signed.
func interpretContainer(c container, p formats.Policy) (*parsed, error) {
	data, err := parseSignedData(c.der)
	if err != nil {
		return nil, err
	}
	s := &parsed{data: data, kind: c.kind, content: data.content}
	if c.mime != nil {
		if data.content != nil {
			return nil, errMalformedSignature("the S/MIME signature carries a content of its own beside the signed part")
		}
		s.content = c.mime
	}
	if s.scheme, err = data.signer.readScheme(); err != nil {
		return nil, err
	}
	if err := s.checkHash(p); err != nil {
		return nil, err
	}
	if err := s.readAttributes(p); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *parsed) checkHash(p formats.Policy) error {
	switch h := s.scheme.hash; {
	case h == crypto.SHA1 && p.Historical:
		s.addFinding(formats.ReasonWeakAlgorithm, "the signature is over SHA-1")
	case h == crypto.SHA1 || h == crypto.MD5:
		return formats.NewError(formats.ReasonWeakAlgorithm, "the signature is over "+h.String()+", which is broken", hintAlgorithm)
	}
	return nil
}

func (s *parsed) readAttributes(p formats.Policy) (err error) {
	if s.data.signer.attributes == nil {
		return nil
	}
	if s.attributes, err = parseAttributes(s.data.signer.attributes); err != nil {
		return err
	}
	if len(s.attributes.messageDigest) != s.scheme.hash.Size() {
		return badAttributes("the message digest has not the length of its algorithm")
	}
	if a := s.attributes.algorithms; a != nil && (!a[0].equal(s.data.signer.digest) || !a[1].equal(s.data.signer.algorithm)) {
		return badAttributes("the signature's algorithms are not those that the signer protected")
	}
	if t := s.attributes.signingTime; t != nil {
		return p.CheckSigningTime(*t)
	}
	return nil
}

func (s *parsed) addFinding(r formats.Reason, message string) {
	s.findings = append(s.findings, formats.Finding{Reason: r, Message: message})
}

func (s *parsed) describeSigner() formats.Signer {
	id := sha256.Sum256(s.key.SPKI)
	return formats.Signer{SPKI: s.key.SPKI, Fingerprint: "sha256:" + hex.EncodeToString(id[:]), Algorithm: formats.KeyName(s.key.Public)}
}

// verifySignature reports whether the signature verifies over digest, which this package computed.
func (s *parsed) verifySignature(digest []byte) bool {
	sig := s.data.signer.signature
	switch pub := s.key.Public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(pub, digest, sig)
	case *rsa.PublicKey:
		if s.scheme.name == formats.RSAPSS {
			return rsa.VerifyPSS(pub, s.scheme.hash, digest, sig, &rsa.PSSOptions{SaltLength: s.scheme.salt}) == nil
		}
		return rsa.VerifyPKCS1v15(pub, s.scheme.hash, digest, sig) == nil
	}
	return false
}

// encodeCanonical returns the signature without wrapping, certificates and unsigned attributes, and with ECDSA's low s.
func (s *parsed) encodeCanonical() []byte {
	sig := s.data.signer.signature
	if pub, ok := s.key.Public.(*ecdsa.PublicKey); ok {
		sig = lowS(sig, pub.Params().N)
	}
	out, err := encoding.Marshal(struct {
		Digest, Algorithm     encoding.ObjectIdentifier
		Attributes, Signature []byte
	}{s.data.signer.digest.id, s.data.signer.algorithm.id, s.data.signer.attributes, sig})
	if err != nil {
		return sig // object identifiers that were read can be written
	}
	return out
}

// digestForm returns SHA-256 over what encodeCanonical leaves out and a verifier may need or look for: with a bare
// key, the signer's certificate has to be inside; unsigned attributes hold timestamps and countersignatures.
func (s *parsed) digestForm() []byte {
	u := s.data.unsigned
	if u.size() == 0 {
		return nil
	}
	h := sha256.New()
	for _, part := range []cryptobyte.String{u.certificates, u.revocations, u.attributes} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// lowS rewrites a DER signature that has verified.
func lowS(der []byte, n *big.Int) []byte {
	var p struct{ R, S *big.Int }
	if _, err := encoding.Unmarshal(der, &p); err != nil {
		return der
	}
	if other := new(big.Int).Sub(n, p.S); other.Cmp(p.S) < 0 {
		p.S = other
	}
	out, err := encoding.Marshal(p)
	if err != nil {
		return der
	}
	return out
}

// Describe implements formats.Parsed.
func (s *parsed) Describe() formats.Description {
	d := formats.Description{
		Format: name, Variant: s.describeVariant(), Algorithm: s.describeAlgorithm(), Signers: []formats.Signer{s.describeSigner()},
		Need: s.decideNeed(), Threshold: 1, ClaimedTime: s.claimedTime(),
		Findings: slices.Clone(s.findings), Notes: slices.Clone(s.notes),
	}
	a, known := formats.AlgorithmOf(s.scheme.hash)
	if d.Need == formats.NeedDigest {
		d.Digests = []formats.DigestAlgorithm{a}
	}
	if len(s.findings) > 0 || !known {
		d.NotProjectable = formats.NewError(formats.ReasonNotProjectable,
			"a signature that only the historical policy lets pass is never projected", hintAlgorithm)
		return d
	}
	d.Candidates = []formats.Candidate{s.buildCandidate(a)}
	return d
}

func (s *parsed) claimedTime() *time.Time {
	if s.attributes == nil || s.attributes.signingTime == nil {
		return nil
	}
	t := *s.attributes.signingTime
	return &t
}

func (s *parsed) decideNeed() formats.Need {
	_, known := formats.AlgorithmOf(s.scheme.hash)
	switch {
	case s.content != nil:
		return formats.NeedNone
	case s.attributes != nil && known:
		return formats.NeedDigest
	default:
		return formats.NeedBytes
	}
}

func (s *parsed) describeVariant() string {
	out := s.kind + ", detached"
	if s.content != nil {
		out = s.kind + ", attached"
	}
	switch {
	case s.attributes == nil:
		return out + ", no signed attributes"
	case len(s.attributes.certHashes) > 0:
		return out + ", CAdES"
	default:
		return out
	}
}

func (s *parsed) describeAlgorithm() string {
	out := formats.KeyName(s.key.Public)
	if s.scheme.name == formats.RSAPSS {
		out += "-PSS"
	}
	return out + "/" + s.scheme.hash.String()
}

func (s *parsed) buildCandidate(a formats.DigestAlgorithm) formats.Candidate {
	return formats.Candidate{SPKI: s.key.SPKI, Scheme: s.scheme.name, Hash: a, Remedy: s.suggestRemedy()}
}

// suggestRemedy says how to get a signature that the log takes from the same tool.
func (s *parsed) suggestRemedy() string {
	if pub, ok := s.key.Public.(*ecdsa.PublicKey); ok {
		md := map[int]string{256: "sha256", 384: "sha384", 521: "sha512"}[pub.Params().BitSize]
		return "sign with the hash as long as the curve: openssl cms -sign -binary -md " + md
	}
	return "with an RSA key of 2048, 3072 or 4096 bits sign with: openssl cms -sign -binary -md sha256"
}

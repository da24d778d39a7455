// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	encoding "encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// signer is one signature of the file.
type signer struct {
	info       signerInfo
	scheme     scheme
	attributes *attributes // nil when there are none
	key        keyfile.Key
	keys       [][]byte           // that Parse needs again
	digest     []byte             // of the attributes; nil without them, or when the bytes themselves are signed
	checked    formats.Projection // that verified over digest; see verifyDigest
	inside     *match             // how the content inside was signed; nil when detached
	findings   []formats.Finding
	notes      []string
	rooted     bool // the certificate chains to the policy's roots
}

// match is the form of a content that a signer signed.
type match struct {
	digest   []byte             // that the signature covers; nil when the bytes themselves are signed
	checked  formats.Projection // that verified over digest; see signer.verifyDigest
	crlf     bool
	excluded []string // checks that the content is no other protocol's, without attributes
}

// interpret reads everything but whose the signature is.
func (s *signer) interpret(p formats.Policy) error {
	var err error
	if s.scheme, err = s.info.readScheme(); err != nil {
		return err
	}
	if err := s.checkHash(p); err != nil {
		return err
	}
	return s.readAttributes(p)
}

func (s *signer) checkHash(p formats.Policy) error {
	switch h := s.scheme.hash; {
	case h == crypto.SHA1 && p.Allows(formats.ExceptionSHA1):
		s.addFinding(formats.ExceptionSHA1, formats.ReasonWeakAlgorithm, "the signature is over SHA-1")
	case h == crypto.SHA1 || h == crypto.MD5:
		return formats.NewError(formats.ReasonWeakAlgorithm, "the signature is over "+h.String()+", which is broken", hintAlgorithm+formats.HintHistorical)
	}
	return nil
}

func (s *signer) readAttributes(p formats.Policy) (err error) {
	if s.info.attributes == nil {
		return nil
	}
	if s.attributes, err = parseAttributes(s.info.attributes); err != nil {
		return err
	}
	if len(s.attributes.messageDigest) != s.scheme.hash.Size() {
		return badAttributes("the message digest has not the length of its algorithm")
	}
	if a := s.attributes.algorithms; a != nil && (!a[0].equal(s.info.digest) || !a[1].equal(s.info.algorithm)) {
		return badAttributes("the signature's algorithms are not those that the signer protected")
	}
	if t := s.attributes.signingTime; t != nil {
		return p.CheckSigningTime(*t)
	}
	return nil
}

func (s *signer) addFinding(e formats.Exceptions, r formats.Reason, message string) {
	s.findings = append(s.findings, formats.Finding{Reason: r, Message: message, Exception: e})
}

func (s *signer) describe() formats.Signer {
	id := sha256.Sum256(s.key.SPKI)
	return formats.Signer{SPKI: s.key.SPKI, Fingerprint: "sha256:" + hex.EncodeToString(id[:]), Algorithm: formats.KeyName(s.key.Public)}
}

// signsContent reports whether the signature is over the content's bytes themselves.
func (s *signer) signsContent() bool { return s.scheme.name == pureEd25519 && s.attributes == nil }

// startVerifier is for a pure Ed25519 signature.
func (s *signer) startVerifier() (*ed25519stream.Verifier, error) {
	pub, _ := s.key.Public.(ed25519.PublicKey) // checkKind has seen to it
	v, err := ed25519stream.New(pub, s.info.signature)
	if err != nil {
		return nil, formats.WrapError(err, formats.ReasonMalformedSignature, "this is no Ed25519 signature", hintSend)
	}
	return v, nil
}

// verifyDigest reports whether the signature verifies over digest, which this package computed. Where the check of what it can be
// recorded as is the same computation, that stands in its place and is returned.
func (s *signer) verifyDigest(digest []byte) (checked formats.Projection, ok bool) {
	a, known := formats.AlgorithmOf(s.scheme.hash)
	if known && (s.scheme.name == formats.ECDSA || s.scheme.name == formats.RSAPKCS1v15) {
		checked, err := s.buildProjection(formats.Digest{Algorithm: a, Value: digest}).Check()
		return checked, err == nil
	}
	return formats.Projection{}, s.verifyAlone(digest)
}

// verifyAlone is for what no log takes over any digest, and for RSA-PSS, whose salt has the length that its parameters say.
func (s *signer) verifyAlone(digest []byte) bool {
	sig := s.info.signature
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

// verifyAttributes checks the signature over the signed attributes, of which there are some.
func (s *signer) verifyAttributes() error {
	if s.scheme.name == pureEd25519 {
		if _, err := s.startVerifier(); err != nil {
			return err
		}
		checked, err := s.buildProjection(formats.Digest{}).CheckMessage(s.info.attributes)
		if err != nil {
			return errSignatureInvalid()
		}
		s.checked = checked
		return nil
	}
	h := newHash(s.scheme.hash)
	h.Write(s.info.attributes)
	digest, err := sumHash(h)
	if err != nil {
		return err
	}
	checked, ok := s.verifyDigest(digest)
	if !ok {
		return errSignatureInvalid()
	}
	s.digest, s.checked = digest, checked
	return nil
}

// matchContent returns the form of the content that was signed.
func (s *signer) matchContent(forms []reading) (match, error) {
	for _, f := range forms {
		if s.attributes != nil {
			if bytes.Equal(f.digests[s.scheme.hash], s.attributes.messageDigest) {
				return match{digest: s.digest, checked: s.checked, crlf: f.crlf}, nil
			}
			continue
		}
		if f.foreign != nil {
			return match{}, f.foreign
		}
		if v := f.pure[s]; v != nil {
			signed := formats.Digest{Algorithm: formats.SHA256, Value: f.digests[crypto.SHA256]}
			if checked, err := s.buildProjection(signed).CheckStream(v); err == nil {
				return match{checked: checked, crlf: f.crlf, excluded: f.excluded}, nil
			}
			continue
		}
		digest := f.digests[s.scheme.hash]
		if checked, ok := s.verifyDigest(digest); ok {
			return match{digest: digest, checked: checked, crlf: f.crlf, excluded: f.excluded}, nil
		}
	}
	if s.attributes != nil {
		return match{}, errArtifactMismatch()
	}
	return match{}, errSignatureInvalid()
}

// encodeCanonical returns the signature without wrapping, certificates and unsigned attributes, and with ECDSA's low s.
func (s *signer) encodeCanonical() []byte {
	sig := s.info.signature
	if pub, ok := s.key.Public.(*ecdsa.PublicKey); ok {
		sig = lowS(sig, pub.Params().N)
	}
	out, err := encoding.Marshal(struct {
		Digest, Algorithm     encoding.ObjectIdentifier
		Attributes, Signature []byte
	}{s.info.digest.id, s.info.algorithm.id, s.info.attributes, sig})
	if err != nil {
		return sig // object identifiers that were read can be written
	}
	return out
}

// digestForm returns SHA-256 over what encodeCanonical leaves out and a verifier may need or look for: with a bare
// key, the signer's certificate has to be inside; unsigned attributes hold timestamps and countersignatures.
func (s *signer) digestForm(u unsigned) []byte {
	parts := []cryptobyte.String{u.certificates, u.revocations, s.info.unsigned}
	h, size := sha256.New(), 0
	for _, part := range parts {
		size += len(part)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	if size == 0 {
		return nil
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

func (s *signer) claimedTime() *time.Time {
	if s.attributes == nil || s.attributes.signingTime == nil {
		return nil
	}
	t := *s.attributes.signingTime
	return &t
}

func (s *signer) describeAlgorithm() string {
	out := formats.KeyName(s.key.Public)
	switch s.scheme.name {
	case pureEd25519:
		return out
	case formats.RSAPSS:
		out += "-PSS"
	}
	return out + "/" + s.scheme.hash.String()
}

// refuseProjection says why the signature is no hashedrekord's, or returns nil.
func (s *signer) refuseProjection() *formats.Error {
	_, known := formats.AlgorithmOf(s.scheme.hash)
	if len(s.findings) > 0 || !known {
		return formats.NewError(formats.ReasonNotProjectable,
			"a signature that only the historical policy lets pass is never projected", hintAlgorithm)
	}
	return nil
}

func (s *signer) buildCandidate() formats.Candidate {
	a, _ := formats.AlgorithmOf(s.scheme.hash)
	if s.scheme.name == pureEd25519 { // whatever the content is hashed by
		a = formats.SHA256
	}
	return formats.Candidate{SPKI: s.key.SPKI, Scheme: s.scheme.name, Hash: a, Remedy: s.suggestRemedy()}
}

// buildProjection returns the signature over d, not checked yet and without its recipe.
func (s *signer) buildProjection(d formats.Digest) formats.Projection {
	return formats.Projection{Candidate: s.buildCandidate(), Digest: d, Signature: s.info.signature}
}

// suggestRemedy says how to get a signature that the log takes from the same tool.
func (s *signer) suggestRemedy() string {
	if pub, ok := s.key.Public.(*ecdsa.PublicKey); ok {
		md := map[int]string{256: "sha256", 384: "sha384", 521: "sha512"}[pub.Params().BitSize]
		return "sign with the hash as long as the curve: openssl cms -sign -binary -md " + md
	}
	if s.scheme.name == pureEd25519 {
		return "use an attestation, or sign with an ECDSA key on P-256: openssl cms -sign -binary -md sha256"
	}
	return "with an RSA key of 2048, 3072 or 4096 bits sign with: openssl cms -sign -binary -md sha256"
}

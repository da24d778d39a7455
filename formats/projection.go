// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
)

// Scheme is how a signature relates to the digest it is checked against.
type Scheme string

// The schemes. All but the last can be checked against a digest alone.
const (
	RSAPKCS1v15 Scheme = "rsa-pkcs1v15"
	RSAPSS      Scheme = "rsa-pss"
	ECDSA       Scheme = "ecdsa" // signature in ASN.1 DER
	Ed25519ph   Scheme = "ed25519ph"
	Ed25519     Scheme = "ed25519" // pure: over the bytes themselves, whose SHA-256 is the digest
)

// Candidate is a hashedrekord that a signature could be recorded as, known before the
// artifact is read.
type Candidate struct {
	// Native: the digest is the artifact's own and the signature is as the signer made it
	// (X.509). Otherwise it is a projection.
	Native bool
	SPKI   []byte
	Scheme Scheme
	Hash   DigestAlgorithm // of the digest in the hashedrekord: SHA-256 for pure Ed25519
	// Remedy is how the signer can get a recordable signature from the same tool, for
	// logs that do not take this candidate ("sign with: gpg --digest-algo SHA256 …").
	Remedy string
}

// Projection is a verified Candidate: VerifyDigest succeeds for it.
type Projection struct {
	Candidate
	Digest    Digest // of the bytes that Recipe rebuilds
	Signature []byte
	// Message is what a pure Ed25519 signature is over, where a log may show it, because nobody can have put anything of his own into
	// it: a digest, or an SSHSIG blob, whose one text is a namespace of the policy's. It is nil else, and whoever does not have the signed
	// bytes cannot check the signature.
	Message []byte
	// Certificate is the signer's, DER, when the key came in one; logged only when asked.
	Certificate []byte
	Recipe      Recipe

	// checked is the sum over all that VerifyDigest looks at, of a projection for which it has succeeded. Copies keep
	// it; with anything else changed it is worth nothing.
	checked [sha256.Size]byte
}

// KeyName names a public key for display: "RSA-3072", "ECDSA P-256", "Ed25519".
func KeyName(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA-%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	default:
		return "unknown key"
	}
}

// Check returns p with a note that VerifyDigest has succeeded for it, or the error of that.
func (p Projection) Check() (Projection, error) {
	sum, err := p.verifyOnce()
	if err == nil {
		p.checked = sum
	}
	return p, err
}

// IsChecked reports whether p has Check's note as it is.
func (p Projection) IsChecked() bool { return p.hasNote(p.sumChecked()) }

func (p *Projection) hasNote(sum [sha256.Size]byte) bool {
	return p.checked != [sha256.Size]byte{} && p.checked == sum
}

// WithCheckOf returns p with other's note, which is worth something where the two say the same.
func (p Projection) WithCheckOf(other Projection) Projection {
	p.checked = other.checked
	return p
}

// sumChecked is SHA-256 over all that VerifyDigest looks at, each part after its length.
func (p *Projection) sumChecked() [sha256.Size]byte {
	b := make([]byte, 0, 1024) // on the stack, and enough for RSA-3072 with its key
	for _, part := range [][]byte{p.SPKI, []byte(p.Scheme), []byte(p.Hash), []byte(p.Digest.Algorithm), p.Digest.Value, p.Signature, p.Message} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(b)
}

// SignedDigest returns the digest that a client can send in place of the artifact: of the bytes that the format signs, before
// pure Ed25519 takes that digest as its message.
func (p Projection) SignedDigest() Digest {
	if p.Recipe.Hash != "" {
		return Digest{Algorithm: p.Recipe.Hash, Value: p.Message}
	}
	return p.Digest
}

// VerifyDigest checks the projection's signature against its digest with the standard
// library alone, as the log will. It does so once for what Check has noted, and for what RememberChecks has. Errors have
// ReasonSignatureInvalid, ReasonMalformedKey, or, for a pure Ed25519 signature without its message, ReasonNeedsBytes.
func (p Projection) VerifyDigest() error {
	_, err := p.verifyOnce()
	return err
}

// verifyOnce is VerifyDigest that returns sumChecked.
func (p *Projection) verifyOnce() (sum [sha256.Size]byte, err error) {
	sum = p.sumChecked()
	if p.hasNote(sum) || isRemembered(sum) {
		return sum, nil
	}
	if err = p.computeDigest(); err == nil {
		rememberCheck(sum)
	}
	return sum, err
}

// computeDigest is VerifyDigest without a memory.
func (p *Projection) computeDigest() error {
	pub, err := ParseSPKI(p.SPKI)
	if err != nil {
		return WrapError(err, ReasonMalformedKey, "the signer's key is not a PKIX public key", "")
	}
	h := p.Hash.Hash()
	if p.Digest.Algorithm != p.Hash || h == 0 || len(p.Digest.Value) != h.Size() {
		return NewError(ReasonSignatureInvalid, "the digest does not fit the algorithm", "")
	}
	valid := false
	switch {
	case p.Scheme != Ed25519:
		valid = verifyDigest(pub, p.Scheme, h, p.Digest.Value, p.Signature)
	case p.Message == nil:
		return NewError(ReasonNeedsBytes, "the signature is over the bytes themselves, of which only a digest is here", "")
	default:
		valid = p.verifyMessage(pub)
	}
	if !valid {
		return NewError(ReasonSignatureInvalid, "the signature does not verify",
			"check that the signature, the key and the artifact belong together")
	}
	return nil
}

func verifyDigest(pub crypto.PublicKey, s Scheme, h crypto.Hash, digest, sig []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if s == RSAPKCS1v15 {
			return rsa.VerifyPKCS1v15(k, h, digest, sig) == nil
		}
		return s == RSAPSS && rsa.VerifyPSS(k, h, digest, sig, nil) == nil
	case *ecdsa.PublicKey:
		return s == ECDSA && ecdsa.VerifyASN1(k, digest, sig)
	case ed25519.PublicKey:
		return s == Ed25519ph && ed25519.VerifyWithOptions(k, digest, sig, &ed25519.Options{Hash: crypto.SHA512}) == nil
	}
	return false
}

// verifyMessage is verifyDigest for pure Ed25519.
func (p *Projection) verifyMessage(pub crypto.PublicKey) bool {
	key, ok := pub.(ed25519.PublicKey)
	digest := sha256.Sum256(p.Message)
	return ok && p.Hash == SHA256 && bytes.Equal(digest[:], p.Digest.Value) && ed25519.Verify(key, p.Message, p.Signature)
}

// CheckMessage is Check for a pure Ed25519 signature over message, of which it sets the digest. Message is left as it is.
func (p Projection) CheckMessage(message []byte) (Projection, error) {
	digest := sha256.Sum256(message)
	p.Digest = Digest{Algorithm: SHA256, Value: digest[:]}
	whole := p
	if whole.Message = message; message == nil {
		whole.Message = []byte{} // signed as well
	}
	if err := whole.VerifyDigest(); err != nil {
		return p, err
	}
	p.checked = p.sumChecked()
	return p, nil
}

// CheckStream is Check for a pure Ed25519 signature over bytes that v was given, and the digest's hash as well: that these were the same
// is the caller's to see to. Errors have ReasonSignatureInvalid or ReasonMalformedKey.
func (p Projection) CheckStream(v *ed25519stream.Verifier) (Projection, error) {
	pub, err := ParseSPKI(p.SPKI)
	if err != nil {
		return p, WrapError(err, ReasonMalformedKey, "the signer's key is not a PKIX public key", "")
	}
	key, ok := pub.(ed25519.PublicKey)
	if !ok || p.Scheme != Ed25519 || p.Digest.Algorithm != SHA256 || len(p.Digest.Value) != sha256.Size || !v.IsFor(key, p.Signature) || !v.Verify() {
		return p, NewError(ReasonSignatureInvalid, "the signature does not verify", "check that the signature, the key and the artifact belong together")
	}
	p.checked = p.sumChecked()
	return p, nil
}

// Recipe rebuilds the bytes that were really signed: Prefix, then the artifact if Artifact is
// set (with line ends as CRLF if CRLF is set, by RFC 9580 section 5.2.1.2), then Suffix. If Hash is set, the digest of all that
// is what was signed.
type Recipe struct {
	Prefix   []byte
	Artifact bool
	CRLF     bool
	Suffix   []byte
	Hash     DigestAlgorithm
}

// Reader returns the signed bytes; artifact is not read when the recipe leaves it out.
func (r Recipe) Reader(artifact io.Reader) io.Reader {
	parts := r.join(artifact)
	if r.Hash == "" {
		return parts
	}
	return &digestReader{src: parts, hash: r.Hash}
}

func (r Recipe) join(artifact io.Reader) io.Reader {
	parts := []io.Reader{bytes.NewReader(r.Prefix)}
	if r.Artifact {
		if r.CRLF {
			artifact = &crlfReader{src: artifact}
		}
		parts = append(parts, artifact)
	}
	return io.MultiReader(append(parts, bytes.NewReader(r.Suffix))...)
}

// digestReader is the digest of src.
type digestReader struct {
	src  io.Reader
	hash DigestAlgorithm
	left []byte // of the digest; nil until src is read
}

// Read implements io.Reader.
func (d *digestReader) Read(b []byte) (int, error) {
	if d.left == nil {
		h := d.hash.New()
		if _, err := io.Copy(h, d.src); err != nil {
			return 0, err
		}
		d.left = h.Sum(nil)
	}
	if len(d.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, d.left)
	d.left = d.left[n:]
	return n, nil
}

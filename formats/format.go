// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"context"
	"crypto/sha256"
	"time"
)

// Format is one signature format. Implementations hold no state, are safe for
// concurrent use and never change or keep the slices they are given.
//
// A checklist for a new one, all of it hostile input:
//
//   - Every loop over it charges its work to a Meter before it is done: packets, lines, values,
//     certificates, patterns, and above all signature checks. A hash over the same bytes is computed
//     once, or charged each time.
//   - A loop in a loop becomes a map by what is looked for (fingerprint, key id, name). Where that cannot
//     be, the inner step is charged.
//   - What a library does in one call ends by itself: sizes are bounded before, and 100 ms is long.
//   - Recursion has a depth. Nothing starts a goroutine.
//   - The operator's own keys are read with Meter.ForKeys, and what is wrong with them goes through Policy.ExplainKeys.
//     It is a KeyChecker as well.
//   - Its fuzz targets hold formatstest.CheckWork, its tests formatstest.Run.
type Format interface {
	// Name is the stable lower-case name ("pgp") used in URLs, rows and metric labels.
	Name() string

	// Detect reports whether signature looks like this format's. It is asked only when
	// the caller names no format, reads a bounded prefix at most once, and may be wrong:
	// Parse decides. At most one format may claim any one input.
	Detect(signature []byte) bool

	// Parse reads signature strictly and finds its signer among keys (in the format's
	// own key encodings; formats that carry their certificate accept none). When keys
	// are given, the signer must be one of them. Everything that can be refused without
	// the artifact is refused here. Every refusal is an *Error; the Parsed is nil then. Work
	// is charged to ctx's account, and ends soon after ctx does, with its error.
	Parse(ctx context.Context, signature []byte, keys [][]byte, p Policy) (Parsed, error)
}

// Parsed is a well-formed signature whose signer is known. It is immutable: Verify may
// be called any number of times, concurrently.
type Parsed interface {
	// Describe says who signed, how, and what Verify needs.
	Describe() Description

	// Verify checks the signature over artifact, in one pass and in constant memory.
	// A refusal is an *Error; a failure to read the artifact is the reader's own error,
	// wrapped; ctx is honoured between reads, and what is not reading the artifact is charged
	// to its account. Beside an error the Verified is nil.
	Verify(ctx context.Context, artifact Artifact) (*Verified, error)
}

// Description is what is known of a signature before its artifact is read.
type Description struct {
	Format    string // the plugin's Name
	Variant   string // what a person would call this kind: "cleartext, v4", "SSHSIG, sk-ecdsa"
	Algorithm string // for display: "RSA-3072/SHA-256", "Ed25519"
	Signers   []Signer

	Need    Need
	Digests []DigestAlgorithm // for NeedDigest: the digests Verify takes instead of the bytes

	// SignedDigests lists the digests Verify takes through FromSignedDigest: the digest
	// of the bytes the format really signs, computed by a client that has the artifact.
	// Empty when the format does not offer it.
	SignedDigests []DigestAlgorithm

	ClaimedTime *time.Time // the signing time the signer claims, nil when none

	// Candidates are the hashedrekords this signature can be re-expressed as, one per
	// signature, or the alternatives where a signature does not name its hash (X.509, ECDSA):
	// then only Verify knows. Threshold is how many of them together say what the signature says
	// (1 but for TUF). Whether a log takes a candidate is the log's to say.
	Candidates []Candidate
	Threshold  int
	// NotProjectable says why Candidates is empty; nil otherwise.
	NotProjectable *Error

	// Whole is the signature as an entry of Rekor v1's own kind for its format; nil where there is none. NotWhole says why of a signature whose
	// format has such a kind; nil of others. Beside a Whole it says why the log takes it no more, which may have been recorded before. Both are nil
	// with Policy.WithoutWhole.
	Whole    *Whole
	NotWhole *Error

	// Findings are weaknesses that only a historical policy lets pass. With any, the
	// signature may be attested under the historical predicate and never projected.
	Findings []Finding
	// Notes are facts an auditor should read ("signer's certificate is not chained to a
	// configured root"). They never hold user IDs, e-mails or other personal data, nor any text that a
	// submitter chose: the gateway signs them, as it does Variant, Algorithm, Signers and Findings.
	Notes []string

	// Parts has a Description for each signature when the file holds more than one, in their order there, and
	// this Description then sums them up for display: it has no ClaimedTime and no Candidates of its own. Of a file
	// with one signature it is empty. See Each.
	Parts []Description
	// Unchecked are the file's signatures that Policy.KnownOnly let pass.
	Unchecked []Unchecked
}

// Need says what of the artifact Verify has to be given.
type Need int

const (
	// NeedBytes: only the artifact's bytes will do.
	NeedBytes Need = iota
	// NeedDigest: a digest from Description.Digests is enough; bytes do as well.
	NeedDigest
	// NeedNone: the artifact is inside the signature (cleartext, attached CMS, TUF).
	// Bytes given all the same are compared with it.
	NeedNone
)

// String returns "bytes", "digest" or "none".
func (n Need) String() string {
	switch n {
	case NeedBytes:
		return "bytes"
	case NeedDigest:
		return "digest"
	default:
		return "none"
	}
}

// Finding is a weakness that policy let pass.
type Finding struct {
	Reason    Reason
	Message   string
	Exception Exceptions // the one of the policy that let it pass
}

// Verified is what a successful Verify proved. Like a Description, it may share memory with
// the Parsed it came from, so its slices must not be changed.
type Verified struct {
	// Digests of the artifact that were computed from its bytes or that the signature
	// itself binds; a digest merely claimed by a caller is never among them. With bytes,
	// SHA-256 is always there. Empty for a signed digest: then nothing is known of the
	// artifact's own digest.
	Digests []ArtifactDigest
	// Size of the artifact in bytes, -1 when only a digest was seen.
	Size int64
	// Signers whose signatures verified; at least one.
	Signers []Signer
	// Keys re-verify the signature when given to Parse: the signers' minimal key material
	// in the format's own encoding, without other people's signatures, and without user IDs
	// unless the key's validity rests on one (most PGP keys of gpg). They are for receipts and
	// are never logged. Empty when the signature carries all that is needed.
	Keys [][]byte
	// Canonical is the signature without its malleable parts (unhashed subpackets, the
	// choice of armor, ECDSA's high s). It is used to recognise the same submission again, never logged.
	Canonical []byte
	// Form is a digest of what Canonical leaves out, a receipt's copy of the signature carries, and somebody may
	// look for in it: the certificates and unsigned attributes of CMS. Two signatures with the same
	// Canonical and Form have receipts that serve both senders. Nil where all that is left out is noise.
	Form []byte
	// Projections has one element per signature that verified and that has a Candidate, in the
	// order of Description.Candidates.
	Projections []Projection
	// Checks names what was checked, for the attestation: lower-case words joined by
	// dashes ("subkey-binding").
	Checks []string
	// Notes are those of a Description that depend on what Verify was given.
	Notes []string

	// Parts has an element for each of Description.Parts: its Signers, Projections, Checks, Notes and Canonical are
	// that signature's own. This Verified then sums them up, without Projections.
	Parts []*Verified
}

// Evidence returns the weakest of what the signature was verified with: EvidenceBytes when every
// digest was computed from the artifact's bytes, EvidenceDigest else.
func (v *Verified) Evidence() Evidence {
	for _, d := range v.Digests {
		if d.Evidence != EvidenceBytes {
			return EvidenceDigest
		}
	}
	if len(v.Digests) == 0 {
		return EvidenceDigest
	}
	return EvidenceBytes
}

// Signer is one verified key. Its identity is the SHA-256 of SPKI; Fingerprint is the
// format's own way to display the key and proves nothing by itself.
type Signer struct {
	SPKI        []byte // SubjectPublicKeyInfo, DER (RFC 5280); Ed25519 by RFC 8410
	Fingerprint string // "SHA256:…" for SSH, hex for PGP, the key id that TUF computes; never text that a submitter chose
	Algorithm   string // "RSA-3072", "ECDSA P-256", "Ed25519"
}

// SignerID returns the identity of the key whose SubjectPublicKeyInfo is spki: its SHA-256.
func SignerID(spki []byte) Digest {
	id := sha256.Sum256(spki)
	return Digest{Algorithm: SHA256, Value: id[:]}
}

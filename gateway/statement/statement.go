// SPDX-License-Identifier: Apache-2.0

// Package statement makes and reads what a gateway attests: an in-toto Statement v1 that says
// which signature over which artifact it verified, by whom it is, and how. It holds no text
// that a submitter chose, and one receipt makes exactly one statement, byte for byte.
package statement

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// MaxSize bounds a statement, in bytes.
const MaxSize = 1 << 20

// The predicate types; what follows them names the signers, see PredicateType.
const (
	typeVerified   = "https://rekor-gateway.dev/attestation/signature-verified/v1"
	typeHistorical = "https://rekor-gateway.dev/attestation/historical-signature-verified/v1"
)

// Statement is an in-toto Statement v1 with this gateway's predicate.
type Statement struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"` // exactly one
	PredicateType string    `json:"predicateType"`
	Predicate     Predicate `json:"predicate"`
}

// Subject is the artifact, by its digests alone: Name is "artifact" for every one.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"` // in-toto's names ("sha256", "blake2b"), hex
}

// Predicate says what was verified.
type Predicate struct {
	Format    string   `json:"format"`
	Variant   string   `json:"variant"`
	Algorithm string   `json:"algorithm"`
	Signers   []Signer `json:"signers"`
	Signature File     `json:"signature"` // the signature file as submitted
	Keys      []File   `json:"keys"`      // the minimal key material that is in the receipt
	Evidence  []Seen   `json:"evidence"`
	Size      int64    `json:"size"` // of the artifact in bytes, -1 when its bytes were not seen
	// ClaimedTime is when the signer says that it was signed.
	ClaimedTime string    `json:"claimedTime,omitempty"`
	Checks      []string  `json:"checks"`
	Findings    []Finding `json:"findings,omitempty"`
	Notes       []string  `json:"notes,omitempty"`
	Policy      Policy    `json:"policy"`
	Verifier    Verifier  `json:"verifier"`
	VerifiedAt  string    `json:"verifiedAt"` // by the gateway's clock
}

// Signer is one key whose signature verified.
type Signer struct {
	SPKI        string `json:"spkiSha256"` // hex; the signer's identity
	Fingerprint string `json:"fingerprint"`
	Algorithm   string `json:"algorithm"`
}

// File is a file by its content.
type File struct {
	SHA256 string `json:"sha256"`
}

// Seen says how a digest of the subject came to be known: "BYTES" or "DIGEST".
type Seen struct {
	Digest   string `json:"digest"` // in-toto's name
	Evidence string `json:"evidence"`
}

// Finding is a weakness that a historical policy let pass.
type Finding struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Policy is what the gateway accepted.
type Policy struct {
	Historical    bool     `json:"historical"`
	SSHNamespaces []string `json:"sshNamespaces,omitempty"`
	TUFRoots      []string `json:"tufRoots,omitempty"` // SHA-256, hex
}

// Verifier is the program that verified.
type Verifier struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// digestNames are in-toto's for the digests a receipt may have.
var digestNames = map[formats.DigestAlgorithm]string{
	formats.SHA256: "sha256", formats.SHA384: "sha384", formats.SHA512: "sha512", formats.BLAKE2b512: "blake2b",
}

// evidenceNames leaves out digests that were merely claimed: they are never a subject.
var evidenceNames = map[receiptpb.Digest_Evidence]string{
	receiptpb.Digest_BYTES: "BYTES", receiptpb.Digest_DIGEST: "DIGEST",
}

// PredicateType names, within the type itself, the signer whose signature was verified, so that
// whoever pins the type ("cosign verify-blob-attestation --type") pins the signer: the type
// ends in "/signer/sha256:HEX" of the SPKI; with several signers in "/signers/sha256:HEX" over
// their sorted identities, 32 bytes each. A signature with findings has a type of its own.
func PredicateType(signers [][sha256.Size]byte, historical bool) string {
	base := typeVerified
	if historical {
		base = typeHistorical
	}
	if len(signers) == 1 {
		return base + "/signer/sha256:" + hex.EncodeToString(signers[0][:])
	}
	sorted := slices.Clone(signers)
	slices.SortFunc(sorted, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	for _, s := range slices.Compact(sorted) {
		h.Write(s[:])
	}
	return base + "/signers/sha256:" + hex.EncodeToString(h.Sum(nil))
}

// Build returns the one statement that says what r says; r's log entries are not looked at. It
// fails when there is no signer, no digest, or a digest whose evidence is none.
func Build(r *receiptpb.Receipt, v Verifier) ([]byte, error) {
	subject, evidence, err := subjectOf(r.GetArtifact().GetDigests())
	if err != nil {
		return nil, fmt.Errorf("building statement: %w", err)
	}
	if len(r.GetSigners()) == 0 {
		return nil, fmt.Errorf("building statement: there is no signer")
	}
	var ids [][sha256.Size]byte
	p := predicateOf(r, v)
	p.Evidence = evidence
	for _, s := range r.GetSigners() {
		id := sha256.Sum256(s.GetSpki())
		ids = append(ids, id)
		p.Signers = append(p.Signers, Signer{SPKI: hex.EncodeToString(id[:]), Fingerprint: s.GetFingerprint(), Algorithm: s.GetAlgorithm()})
	}
	return encodeStatement(Statement{
		Type: intoto.StatementTypeUri, Subject: []Subject{subject},
		PredicateType: PredicateType(ids, len(r.GetFindings()) > 0), Predicate: p,
	})
}

func subjectOf(digests []*receiptpb.Digest) (Subject, []Seen, error) {
	s := Subject{Name: "artifact", Digest: map[string]string{}}
	var evidence []Seen
	for _, d := range digests {
		name, seen := digestNames[formats.DigestAlgorithm(d.GetAlgorithm())], evidenceNames[d.GetEvidence()]
		if name == "" || seen == "" || s.Digest[name] != "" {
			return Subject{}, nil, fmt.Errorf("digest %.20q is unknown, repeated or without evidence", d.GetAlgorithm())
		}
		s.Digest[name] = hex.EncodeToString(d.GetValue())
		evidence = append(evidence, Seen{Digest: name, Evidence: seen})
	}
	if len(evidence) == 0 {
		return Subject{}, nil, fmt.Errorf("there is no digest of the artifact")
	}
	return s, evidence, nil
}

func predicateOf(r *receiptpb.Receipt, v Verifier) Predicate {
	s := r.GetSignature()
	p := Predicate{
		Format: s.GetFormat(), Variant: s.GetVariant(), Algorithm: s.GetAlgorithm(),
		Signature: fileOf(s.GetContent()), Keys: []File{}, Size: r.GetArtifact().GetSize(),
		ClaimedTime: timeOf(s.GetClaimedTime()), Checks: append([]string{}, r.GetChecks()...), Notes: r.GetNotes(),
		Policy:   Policy{Historical: r.GetPolicy().GetHistorical(), SSHNamespaces: r.GetPolicy().GetSshNamespaces()},
		Verifier: v, VerifiedAt: timeOf(r.GetVerifiedAt()),
	}
	for _, k := range s.GetKeys() {
		p.Keys = append(p.Keys, fileOf(k))
	}
	for _, f := range r.GetFindings() {
		p.Findings = append(p.Findings, Finding{Reason: f.GetReason(), Message: f.GetMessage()})
	}
	for _, root := range r.GetPolicy().GetTufRoots() {
		p.Policy.TUFRoots = append(p.Policy.TUFRoots, hex.EncodeToString(root))
	}
	return p
}

func fileOf(b []byte) File {
	sum := sha256.Sum256(b)
	return File{SHA256: hex.EncodeToString(sum[:])}
}

func timeOf(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().UTC().Format(time.RFC3339Nano)
}

func encodeStatement(s Statement) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encoding statement: %w", err)
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(out) > MaxSize {
		return nil, fmt.Errorf("encoding statement: over %d bytes", MaxSize)
	}
	return out, nil
}

// Parse reads a statement. It takes nothing but what Build makes: encoding it again gives b.
func Parse(b []byte) (*Statement, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("parsing statement: over %d bytes", MaxSize)
	}
	var s Statement
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("parsing statement: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("parsing statement: data after its end")
	}
	if s.Type != intoto.StatementTypeUri || len(s.Subject) != 1 || len(s.Subject[0].Digest) == 0 {
		return nil, fmt.Errorf("parsing statement: not an in-toto Statement v1 with one subject and its digests")
	}
	again, err := encodeStatement(s)
	if err != nil {
		return nil, fmt.Errorf("parsing statement: %w", err)
	}
	if !bytes.Equal(again, b) {
		return nil, fmt.Errorf("parsing statement: not in the form a gateway writes")
	}
	return &s, nil
}

// Matches returns nil when b is the statement that Build makes of r, whichever verifier made it;
// otherwise what differs.
func Matches(b []byte, r *receiptpb.Receipt) error {
	got, err := Parse(b)
	if err != nil {
		return err
	}
	expected, err := Build(r, got.Predicate.Verifier)
	if err != nil {
		return err
	}
	if bytes.Equal(expected, b) {
		return nil
	}
	want, err := Parse(expected)
	if err != nil {
		return err
	}
	if got.PredicateType != want.PredicateType {
		return fmt.Errorf("statement has predicate type %.200q, not %q", got.PredicateType, want.PredicateType)
	}
	return fmt.Errorf("statement is of another signature, artifact or verification")
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// BundleMediaType is that of the Sigstore bundles in a receipt.
const BundleMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// Facts are what a gateway knows of a submission once it is verified.
type Facts struct {
	ID          string // the gateway's name for the submission
	Signature   []byte // the file as submitted
	Description formats.Description
	Verified    *formats.Verified
	Policy      formats.Policy  // Now is when it was verified
	Container   *formats.Digest // of the compressed file the artifact was in, or nil
	// Representations are those of the signatures, in the order of Verified.Each.
	Representations []receiptpb.Receipt_Representation
	// Ways are those of the signatures, in the same order; nil is DIRECT for all.
	Ways []receiptpb.RecordedSignature_Way
}

// New returns the receipt of f, still without log entries: append one for each record that will
// be logged (see Project), in the order of their roles, and call Complete once they are.
func New(f Facts) *receiptpb.Receipt {
	d, v := f.Description, f.Verified
	r := &receiptpb.Receipt{
		MediaType:     MediaType,
		FormatVersion: f.version(),
		SubmissionId:  f.ID,
		VerifiedAt:    timestamppb.New(f.Policy.Now.UTC().Truncate(time.Second)),
		Signature: &receiptpb.Signature{
			Format: d.Format, Variant: d.Variant, Algorithm: d.Algorithm,
			Content: f.Signature, Keys: v.Keys, ClaimedTime: timestamp(d.ClaimedTime),
		},
		Artifact:       &receiptpb.Artifact{Size: v.Size, Embedded: d.Need == formats.NeedNone},
		Representation: weakest(f.Representations),
		Checks:         v.Checks,
		Notes:          slices.Concat(d.Notes, v.Notes),
		Policy:         policyMessage(f.Policy),
	}
	if r.GetFormatVersion() > versionOne { // each signature has its own, also when one is all that is recorded
		r.Signature.ClaimedTime = nil
	}
	for _, s := range v.Signers {
		r.Signers = append(r.Signers, &receiptpb.Signer{Spki: s.SPKI, Fingerprint: s.Fingerprint, Algorithm: s.Algorithm})
	}
	for i := range v.Each() {
		r.Recorded = append(r.Recorded, f.recordedSignature(i))
	}
	for _, u := range d.Unchecked {
		r.Unchecked = append(r.Unchecked, &receiptpb.UncheckedSignature{Issuer: u.Issuer})
	}
	for _, g := range v.Digests {
		r.Artifact.Digests = append(r.Artifact.Digests, digestMessage(g.Digest, g.Evidence))
	}
	if f.Container != nil {
		r.Artifact.Container = digestMessage(*f.Container, "")
	}
	r.Findings = findingMessages(d.Findings)
	return r
}

// version returns the lowest one that can say it all, so that programs of before several signatures read as much as they can.
func (f Facts) version() uint32 {
	switch {
	case slices.Contains(f.Ways, receiptpb.RecordedSignature_BATCHED):
		return versionBatched
	case len(f.Verified.Parts) > 0 || len(f.Description.Unchecked) > 0:
		return versionSeveral
	}
	return versionOne
}

func (f Facts) way(at int) receiptpb.RecordedSignature_Way {
	if f.Ways == nil {
		return receiptpb.RecordedSignature_DIRECT
	}
	return f.Ways[at]
}

// weakest returns the last of the representations in their order, which is that of their numbers.
func weakest(all []receiptpb.Receipt_Representation) receiptpb.Receipt_Representation {
	return slices.Max(all)
}

// recordedSignature says how the signature at a position is recorded and, from version 3 on, what is its own.
func (f Facts) recordedSignature(at int) *receiptpb.RecordedSignature {
	v, d := f.Verified.Each()[at], f.Description.Each()[at]
	s := &receiptpb.RecordedSignature{
		Representation: f.Representations[at], Way: f.way(at), Evidence: evidenceMessage(v.Evidence()),
	}
	for _, own := range v.Signers {
		i := slices.IndexFunc(f.Verified.Signers, func(s formats.Signer) bool { return bytes.Equal(s.SPKI, own.SPKI) })
		s.Signers = append(s.Signers, uint32(i))
	}
	if f.version() < versionSeveral {
		return s
	}
	s.Variant, s.Algorithm, s.ClaimedTime = d.Variant, d.Algorithm, timestamp(d.ClaimedTime)
	s.Notes, s.Findings = slices.Concat(d.Notes, v.Notes), findingMessages(d.Findings)
	if !f.checksAreShared(v) {
		s.Checks = v.Checks
	}
	return s
}

// checksAreShared reports whether the receipt's checks are those of its one signature too: from version 4 on they stand there once.
func (f Facts) checksAreShared(v *formats.Verified) bool {
	return f.version() >= versionBatched && len(f.Verified.Each()) == 1 && slices.Equal(v.Checks, f.Verified.Checks)
}

func findingMessages(findings []formats.Finding) (list []*receiptpb.Finding) {
	for _, n := range findings {
		list = append(list, &receiptpb.Finding{Reason: string(n.Reason), Message: n.Message})
	}
	return list
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

func policyMessage(p formats.Policy) *receiptpb.Policy {
	m := &receiptpb.Policy{Historical: p.Historical.Allow != 0, SshNamespaces: p.SSHNamespaces}
	for _, root := range p.TUFRoots {
		m.TufRoots = append(m.TufRoots, bytes.Clone(root[:]))
	}
	return m
}

func digestMessage(d formats.Digest, e formats.Evidence) *receiptpb.Digest {
	return &receiptpb.Digest{Algorithm: string(d.Algorithm), Value: d.Value, Evidence: evidenceMessage(e)}
}

func evidenceMessage(e formats.Evidence) receiptpb.Digest_Evidence {
	switch e {
	case formats.EvidenceBytes:
		return receiptpb.Digest_BYTES
	case formats.EvidenceDigest:
		return receiptpb.Digest_DIGEST
	}
	return receiptpb.Digest_EVIDENCE_UNSPECIFIED
}

// Project is ProjectFor for Rekor v2.
func Project(p formats.Projection, publish bool) (*receiptpb.LogEntry, hashedrekord.Record, error) {
	return ProjectFor(hashedrekord.RekorV2, p, publish)
}

// ProjectFor returns the receipt's entry for a signature that is logged as p, NATIVE or
// PROJECTED, in a log that takes list, and the record to log. The key is logged, and the certificate it came in only
// with publish: it names its holder for ever, and stock verifiers refuse it without a trusted
// timestamp. Errors have ReasonAlgorithmNotLoggable or ReasonMalformedKey.
func ProjectFor(list hashedrekord.Algorithms, p formats.Projection, publish bool) (*receiptpb.LogEntry, hashedrekord.Record, error) {
	record, err := recordOf(list, p)
	if err != nil {
		return nil, hashedrekord.Record{}, err
	}
	material := keyMaterial(p.SPKI)
	if publish && len(p.Certificate) > 0 {
		record.Certificate = p.Certificate
		material.Content = &bundlepb.VerificationMaterial_Certificate{Certificate: &commonpb.X509Certificate{RawBytes: p.Certificate}}
	}
	hash, _ := list.HashAlgorithm(record)
	return &receiptpb.LogEntry{
		Spki:   p.SPKI,
		Recipe: recipeMessage(p.Recipe),
		Bundle: &bundlepb.Bundle{
			MediaType:            BundleMediaType,
			VerificationMaterial: material,
			Content: &bundlepb.Bundle_MessageSignature{MessageSignature: &commonpb.MessageSignature{
				MessageDigest: &commonpb.HashOutput{Algorithm: hash, Digest: p.Digest.Value},
				Signature:     p.Signature,
			}},
		},
	}, record, nil
}

// SignedStatement is a gateway's statement on a submission, signed as DSSE.
type SignedStatement struct {
	Payload   []byte // an in-toto Statement
	Signature []byte // ECDSA P-256 over statement.Digest of Payload, ASN.1 DER
	SPKI      []byte // the gateway's key, DER
}

// Attestation returns the receipt's entry for a signature that is logged as a statement, and the
// record to log.
func Attestation(s SignedStatement) (*receiptpb.LogEntry, hashedrekord.Record) {
	digest := statement.Digest(s.Payload)
	return &receiptpb.LogEntry{
			Spki: s.SPKI,
			Bundle: &bundlepb.Bundle{
				MediaType:            BundleMediaType,
				VerificationMaterial: keyMaterial(s.SPKI),
				Content: &bundlepb.Bundle_DsseEnvelope{DsseEnvelope: &dssepb.Envelope{
					Payload: s.Payload, PayloadType: statement.PayloadType,
					Signatures: []*dssepb.Signature{{Sig: s.Signature, Keyid: KeyHint(s.SPKI)}},
				}},
			},
		}, hashedrekord.Record{
			Digest: digest[:], Signature: s.Signature, SPKI: s.SPKI,
			KeyDetails: commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
		}
}

func recipeMessage(r formats.Recipe) *receiptpb.Recipe {
	m := &receiptpb.Recipe{Prefix: r.Prefix, Artifact: r.Artifact, Crlf: r.CRLF, Suffix: r.Suffix}
	if r.Hash != "" { // else it is not there, since older programs do not know it
		m.Hash = proto.String(string(r.Hash))
	}
	return m
}

func recordOf(list hashedrekord.Algorithms, p formats.Projection) (hashedrekord.Record, error) {
	details, err := list.KeyDetails(p.Candidate)
	if err != nil {
		return hashedrekord.Record{}, err
	}
	return hashedrekord.Record{Digest: p.Digest.Value, Signature: p.Signature, SPKI: p.SPKI, KeyDetails: details, Message: p.Message}, nil
}

func keyMaterial(spki []byte) *bundlepb.VerificationMaterial {
	return &bundlepb.VerificationMaterial{Content: &bundlepb.VerificationMaterial_PublicKey{
		PublicKey: &commonpb.PublicKeyIdentifier{Hint: KeyHint(spki)},
	}}
}

// What KeyHint remembers: the hints of the keys used last, and of none that is larger, in bytes.
const (
	rememberedHints = 256
	rememberedSize  = 1 << 10
)

var keyHints, _ = lru.New[string, string](rememberedHints) // fails for sizes below one

// KeyHint names a key in a bundle and its DSSE envelope: "SHA256:" and base64, as ssh-keygen
// prints it, since that is what the DSSE library of stock verifiers computes and compares.
// It is "" for a key that it cannot be computed of.
func KeyHint(spki []byte) string {
	if hint, ok := keyHints.Get(string(spki)); ok {
		return hint
	}
	hint := computeHint(spki)
	if len(spki) <= rememberedSize {
		keyHints.Add(string(spki), hint)
	}
	return hint
}

func computeHint(spki []byte) string {
	pub, err := formats.ParseSPKI(spki)
	if err != nil {
		return ""
	}
	hint, err := dsse.SHA256KeyID(pub)
	if err != nil {
		return ""
	}
	return hint
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// MaxCondensed bounds a condensed receipt, in bytes.
const MaxCondensed = 32 << 10

// condense returns a receipt without what Verify works out again of the signature file, the keys and the artifact, and without
// what is for display alone. It stands where the signature file is at hand: within it, or in a proof beside it.
//
//   - The signature file is left out; so is the key of a PGP signature, which has none in it, so that the verifier has to name one anyway.
//     Where the gateway's statement binds its digest it is kept.
//   - A record that is a projection of its signature is left out, with all that follows from it: fillEntries projects it again.
//   - Of an anchor, what follows from the own log's checkpoint is left out: restoreAnchor makes it again.
//
// What is left out is never believed for being absent: what is put in its place is held to the proofs as ever.
func condense(r *receiptpb.Receipt) *receiptpb.Receipt {
	c := proto.CloneOf(r)
	c.MediaType, c.Signature.Content = "", nil
	if !slices.ContainsFunc(c.GetRecorded(), isAttested) && c.GetRepresentation() != receiptpb.Receipt_ATTESTED {
		dropDisplay(c)
	}
	entries := map[uint32]int{}
	for _, e := range c.GetEntries() {
		entries[e.GetSignature()]++
	}
	for _, e := range c.GetEntries() {
		condenseAnchors(e.GetOwn())
		if entries[e.GetSignature()] == 1 && isProjection(e) {
			condenseEntry(e)
		}
	}
	return c
}

func condenseEntry(e *receiptpb.LogEntry) {
	e.Bundle, e.Recipe, e.Spki = bareBundle(e.GetBundle()), nil, nil
	if e.GetOwn() != nil {
		e.Own.Body = nil
	}
}

// pgpFormat is the format whose signatures never carry a key.
const pgpFormat = "pgp"

func isAttested(s *receiptpb.RecordedSignature) bool {
	return s.GetRepresentation() == receiptpb.Receipt_ATTESTED
}

// dropDisplay leaves out what nothing binds and nothing prints where there is no statement: see fields.
func dropDisplay(c *receiptpb.Receipt) {
	if c.GetSignature().GetFormat() == pgpFormat {
		c.Signature.Keys = nil
	}
	c.Signature.Variant, c.Signature.Algorithm = "", ""
	c.Checks, c.Notes = nil, nil
	for _, s := range c.GetSigners() {
		s.Fingerprint, s.Algorithm = "", ""
	}
	for _, s := range c.GetRecorded() {
		s.Variant, s.Algorithm, s.Checks, s.Notes = "", "", nil, nil
	}
}

// isProjection reports whether an entry's bundle has a signature and the hint of its key (a statement has neither, nor has a
// certificate a hint), and its record is one that is made again byte for byte.
func isProjection(e *receiptpb.LogEntry) bool {
	if e.GetBundle().GetMessageSignature() == nil || e.GetBundle().GetVerificationMaterial().GetPublicKey() == nil {
		return false
	}
	body := recordedBody(e)
	record, err := hashedrekord.Parse(body)
	if err != nil {
		return false
	}
	again, err := hashedrekord.Body(record)
	return err == nil && bytes.Equal(again, body)
}

// recordedBody returns the record of an entry, in whichever log it is, or nil.
func recordedBody(e *receiptpb.LogEntry) []byte {
	if own := e.GetOwn(); own != nil {
		return own.GetBody()
	}
	if entries := e.GetBundle().GetVerificationMaterial().GetTlogEntries(); len(entries) == 1 {
		return entries[0].GetCanonicalizedBody()
	}
	return nil
}

// bareBundle returns the timestamps of a bundle, and its log entry without the record; or nil when there is neither.
func bareBundle(b *bundlepb.Bundle) *bundlepb.Bundle {
	material := b.GetVerificationMaterial()
	bare := &bundlepb.VerificationMaterial{TimestampVerificationData: material.GetTimestampVerificationData()}
	for _, t := range material.GetTlogEntries() {
		t = proto.CloneOf(t)
		t.CanonicalizedBody = nil
		bare.TlogEntries = append(bare.TlogEntries, t)
	}
	if proto.Size(bare) == 0 {
		return nil
	}
	return &bundlepb.Bundle{VerificationMaterial: bare}
}

// condenseAnchors leaves an anchor as it is where it could not be made again.
func condenseAnchors(own *receiptpb.OwnRecord) {
	_, c, err := openOwnProof(own, nil)
	if err != nil {
		return
	}
	for i, whole := range own.GetAnchors() {
		entries := whole.GetBundle().GetVerificationMaterial().GetTlogEntries()
		if len(entries) != 1 {
			continue
		}
		bare := bareAnchor(whole, entries[0])
		again := proto.CloneOf(bare)
		if restoreAnchor(c, again) == nil && proto.Equal(again, whole) {
			own.Anchors[i] = bare
		}
	}
}

func bareAnchor(a *receiptpb.Anchor, logged *rekorpb.TransparencyLogEntry) *receiptpb.Anchor {
	logged = proto.CloneOf(logged)
	logged.CanonicalizedBody = nil
	return &receiptpb.Anchor{Spki: a.GetSpki(), Bundle: &bundlepb.Bundle{
		VerificationMaterial: &bundlepb.VerificationMaterial{
			TlogEntries:               []*rekorpb.TransparencyLogEntry{logged},
			TimestampVerificationData: a.GetBundle().GetVerificationMaterial().GetTimestampVerificationData(),
		},
		Content: &bundlepb.Bundle_MessageSignature{MessageSignature: &commonpb.MessageSignature{
			Signature: a.GetBundle().GetMessageSignature().GetSignature(),
		}},
	}}
}

// restoreAnchor makes again what is left out of an anchor of the checkpoint.
func restoreAnchor(c ownCheckpoint, a *receiptpb.Anchor) error {
	digest := sha256.Sum256(c.anchored)
	record := hashedrekord.Record{
		Digest: digest[:], Signature: a.GetBundle().GetMessageSignature().GetSignature(), SPKI: a.GetSpki(),
		KeyDetails: commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256,
	}
	body, err := hashedrekord.Body(record)
	if err != nil {
		return fmt.Errorf("making the anchor's record: %w", err)
	}
	material := a.GetBundle().GetVerificationMaterial()
	a.Bundle.MediaType, material.Content = BundleMediaType, keyMaterial(a.GetSpki()).GetContent()
	material.GetTlogEntries()[0].CanonicalizedBody = body
	a.Bundle.GetMessageSignature().MessageDigest = &commonpb.HashOutput{Algorithm: commonpb.HashAlgorithm_SHA2_256, Digest: digest[:]}
	return nil
}

// isCondensed reports whether an entry's record is left out.
func isCondensed(e *receiptpb.LogEntry) bool { return len(recordedBody(e)) == 0 }

// encodeCondensed returns a condensed receipt as protobuf.
func encodeCondensed(c *receiptpb.Receipt) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding condensed receipt: %w", err)
	}
	if len(b) > MaxCondensed {
		return nil, refuse(ReasonExportNotPossible, fmt.Sprintf("the proof has %d bytes, and %d are the most that go beside a signature", len(b), MaxCondensed),
			"keep the receipt beside the file")
	}
	return b, nil
}

// decodeCondensed reads a condensed receipt. What it lacks restoreCondensed and Verify put in.
func decodeCondensed(b []byte) (*receiptpb.Receipt, error) {
	var c receiptpb.Receipt
	switch {
	case len(b) > MaxCondensed:
		return nil, malformedProof(nil, fmt.Sprintf("the proof is larger than %d bytes", MaxCondensed))
	case proto.Unmarshal(b, &c) != nil:
		return nil, malformedProof(nil, "the proof is damaged")
	case hasUnknown(&c):
		return nil, refuse(ReasonMalformedReceipt, "the proof has parts that this program does not know", "verify with a newer program")
	case c.GetMediaType() != "" || c.GetSignature() == nil || len(c.GetSignature().GetContent()) > 0:
		return nil, malformedProof(nil, "the proof is not as this program writes it")
	case len(c.GetEntries()) > MaxEntries:
		return nil, malformed(fmt.Sprintf("has more than %d log entries", MaxEntries))
	}
	return &c, nil
}

func hasUnknown(m proto.Message) (found bool) {
	_ = protorange.Range(m.ProtoReflect(), func(values protopath.Values) error { // ends with the error of the function, which has none
		if inner, ok := values.Index(-1).Value.Interface().(protoreflect.Message); ok {
			found = found || len(inner.GetUnknown()) > 0
		}
		return nil
	})
	return found
}

func malformedProof(err error, what string) error {
	const hint = "get the receipt again, rekor-gateway get ID --receipt FILE, and make the proof anew: verify --embed SIGNATURE-FILE, or --export-tlog-proof FOLDER"
	if err == nil {
		return refuse(ReasonMalformedReceipt, what, hint)
	}
	return wrap(err, ReasonMalformedReceipt, what, hint)
}

// restoreCondensed puts into a condensed receipt what does not take the artifact: the signature file, and all of the anchors.
func restoreCondensed(c *receiptpb.Receipt, signature []byte) error {
	c.MediaType, c.Signature.Content = MediaType, signature
	for _, e := range c.GetEntries() {
		if e.GetOwn() == nil {
			continue
		}
		if err := checkOwnProofShape(e.GetOwn()); err != nil {
			return err
		}
		_, checkpoint, err := openOwnProof(e.GetOwn(), nil)
		if err != nil {
			return err
		}
		for _, a := range e.GetOwn().GetAnchors() {
			if err := restoreAnchorIn(checkpoint, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// restoreAnchorIn passes over an anchor that is whole.
func restoreAnchorIn(c ownCheckpoint, a *receiptpb.Anchor) error {
	entries := a.GetBundle().GetVerificationMaterial().GetTlogEntries()
	switch {
	case len(entries) != 1 || a.GetBundle().GetMessageSignature() == nil:
		return malformed("has an anchor without exactly one log entry and its signature")
	case len(entries[0].GetCanonicalizedBody()) > 0:
		return nil
	}
	if err := restoreAnchor(c, a); err != nil {
		return malformedProof(err, "the proof has an anchor that is none")
	}
	return nil
}

// checkCondensedEntry refuses an entry whose record is left out and that has parts which go with it.
func checkCondensedEntry(e *receiptpb.LogEntry) error {
	bundle := bareBundle(e.GetBundle())
	if e.GetRecipe() != nil || len(e.GetSpki()) > 0 || !proto.Equal(bundle, e.GetBundle()) {
		return malformed("has a part of a log entry that it leaves out")
	}
	if e.GetOwn() == nil {
		return checkLoggedOnce(bundle)
	}
	if len(bundle.GetVerificationMaterial().GetTlogEntries()) > 0 {
		return malformed("has an entry that is in a log and in a gateway's own")
	}
	if err := checkOwnProofShape(e.GetOwn()); err != nil {
		return err
	}
	return checkAnchorBundles(e.GetOwn())
}

// fillEntries puts the projection of the signature just verified into the entry that leaves it out. The proofs decide whether that is
// what was recorded.
func (v *verification) fillEntries(native bool) error {
	if !v.options.Condensed {
		return nil
	}
	for i, e := range v.receipt.GetEntries() {
		if !isCondensed(e) {
			continue
		}
		p, err := v.onlyProjection(native)
		if err != nil {
			return err
		}
		filled, record, err := Project(p, false)
		if err != nil {
			return wrap(err, ReasonEntryMismatch, "the signature cannot be recorded as the proof says", hintEntry)
		}
		body, err := hashedrekord.Body(record)
		if err != nil {
			return wrap(err, ReasonEntryMismatch, "the signature cannot be recorded as the proof says", hintEntry)
		}
		v.receipt.Entries[i] = joinEntry(filled, e, body)
	}
	return nil
}

// joinEntry puts the proofs of a condensed entry, and the record that they are to prove, beside what is made of the signature.
func joinEntry(filled, condensed *receiptpb.LogEntry, body []byte) *receiptpb.LogEntry {
	proofs := condensed.GetBundle().GetVerificationMaterial()
	filled.Bundle.VerificationMaterial.TimestampVerificationData = proofs.GetTimestampVerificationData()
	if own := condensed.GetOwn(); own != nil {
		filled.Own = &receiptpb.OwnRecord{Body: body, Proof: own.GetProof(), Anchors: own.GetAnchors()}
		return filled
	}
	logged := proto.CloneOf(proofs.GetTlogEntries()[0])
	logged.CanonicalizedBody = body
	filled.Bundle.VerificationMaterial.TlogEntries = []*rekorpb.TransparencyLogEntry{logged}
	return filled
}

// onlyProjection returns the one that a log has for the signature.
func (v *verification) onlyProjection(native bool) (formats.Projection, error) {
	var found []formats.Projection
	for _, p := range v.verified.Projections {
		if p.Native == native {
			found = append(found, p)
		}
	}
	if len(found) != 1 || len(v.receipt.GetEntries()) != 1 {
		return formats.Projection{}, refuse(ReasonEntryMismatch, "the signature is not one that is recorded as the proof says", hintEntry)
	}
	return found[0], nil
}

// equalContent reports whether a receipt is for a signature file, whatever proof is embedded in either. A statement is of
// the file byte for byte.
func equalContent(r *receiptpb.Receipt, file []byte) bool {
	content := r.GetSignature().GetContent()
	if bytes.Equal(content, file) {
		return true
	}
	bare, _, err := cutProof(content)
	attested := r.GetRepresentation() == receiptpb.Receipt_ATTESTED
	return err == nil && !attested && bytes.Equal(bare, file)
}

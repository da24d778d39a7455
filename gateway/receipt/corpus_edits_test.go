// SPDX-License-Identifier: Apache-2.0

//go:build corpus

package receipt_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bundlepb "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// edited is a receipt of the corpus that somebody has changed by hand.
type edited struct {
	name, of, about string
	change          func(*receiptpb.Receipt)
	also            []string // questions that the original answered with no
}

func verifiedIn(year int) func(*receiptpb.Receipt) {
	return func(r *receiptpb.Receipt) {
		r.VerifiedAt = timestamppb.New(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))
	}
}

// corpusEdits are all that have been made. Add to them, and change none.
var corpusEdits = []edited{
	{name: "edited-verified-earlier", of: "x509-p256", about: "verifiedAt moved to 2016, before the log was there", change: verifiedIn(2016),
		also: []string{"right key, a month before it was made", "log key ended before", "log key ended before, ten years later"}},
	{name: "edited-verified-later", of: "x509-p256", about: "verifiedAt moved to 2031", change: verifiedIn(2031)},
	{name: "edited-verified-earlier-attested", of: "x509-ed25519", about: "verifiedAt moved to 2016, against the statement", change: verifiedIn(2016)},
	{name: "edited-certificate-verified-later", of: "x509-p256-certificate", about: "verifiedAt moved to 2031, after the certificate's end", change: verifiedIn(2031)},
	{name: "edited-line-verified-earlier", of: "ssh-ecdsa-256", about: "verifiedAt moved to 2020, when a line was valid that has expired since", change: verifiedIn(2020),
		also: []string{"right key as in ecdsa-until-2021.signers", "right key as in ecdsa-until-2021.signers, ten years later", "log key ended before"}},
	{name: "edited-line-verified-later", of: "ssh-valid-before-2030", about: "verifiedAt moved to 2031, after the line's end", change: verifiedIn(2031)},
	{name: "edited-key-expires-verified-later", of: "pgp-key-expires", about: "verifiedAt moved to 2031, after the key's end", change: verifiedIn(2031)},
	{name: "edited-signature-expires-verified-later", of: "pgp-signature-expires", about: "verifiedAt moved to 2031, after the signature's end", change: verifiedIn(2031)},
	{name: "edited-signature-verified-before-made", of: "pgp-rsa3072", about: "verifiedAt moved to 2020, before the signer says that he signed", change: verifiedIn(2020)},
	{name: "edited-noattr-verified-later", of: "pkcs7-rsa2048-noattr", about: "verifiedAt moved to 2031, after the certificate's end", change: verifiedIn(2031)},
	{name: "edited-claimed-time", of: "pgp-rsa3072", about: "another signing time", change: func(r *receiptpb.Receipt) {
		r.Signature.ClaimedTime = timestamppb.New(r.GetSignature().GetClaimedTime().AsTime().Add(time.Second))
	}},
	{name: "edited-display", of: "x509-p256", about: "submission id, variant, algorithm and fingerprint, which are for display", change: func(r *receiptpb.Receipt) {
		r.SubmissionId, r.Signature.Variant, r.Signature.Algorithm = "another", "another", "another"
		r.Signers[0].Fingerprint, r.Signers[0].Algorithm = "another", "another"
	}},
	{name: "edited-display-attested", of: "minisign-prehashed", about: "variant, algorithm and fingerprint, against the statement", change: func(r *receiptpb.Receipt) {
		r.Signature.Variant, r.Signature.Algorithm, r.Signers[0].Fingerprint = "another", "another", "another"
	}},
	{name: "edited-id-attested", of: "minisign-prehashed", about: "the submission id, which no statement has", change: func(r *receiptpb.Receipt) { r.SubmissionId = "another" }},
	{name: "edited-checks-notes", of: "pgp-rsa3072", about: "checks and notes, which are the gateway's word", change: func(r *receiptpb.Receipt) {
		r.Checks, r.Notes = []string{"all-of-them"}, []string{"nothing to see here"}
	}},
	{name: "edited-checks-attested", of: "ssh-ed25519", about: "checks, against the statement", change: func(r *receiptpb.Receipt) { r.Checks = append(r.Checks, "all-of-them") }},
	{name: "edited-policy", of: "ssh-ecdsa-256", about: "the policy says historical and another namespace", change: func(r *receiptpb.Receipt) {
		r.Policy = &receiptpb.Policy{Historical: true, SshNamespaces: []string{"another"}}
	}, also: []string{"historical allowed", "another SSH namespace", "right key as in ecdsa-until-2021.signers"}},
	{name: "edited-policy-attested", of: "ssh-historical-certificate-expired", about: "the policy no longer says historical", change: func(r *receiptpb.Receipt) { r.Policy = nil }},
	{name: "edited-findings", of: "pgp-historical-sha1", about: "findings taken away", change: func(r *receiptpb.Receipt) { r.Findings = nil }},
	{name: "edited-findings-message", of: "pgp-historical-sha1", about: "the finding's message made harmless", change: func(r *receiptpb.Receipt) { r.Findings[0].Message = "nothing" }},
	{name: "edited-evidence", of: "x509-p256-by-digest", about: "evidence of a digest alone turned into evidence of the bytes", change: func(r *receiptpb.Receipt) {
		for _, d := range r.GetArtifact().GetDigests() {
			d.Evidence = receiptpb.Digest_BYTES
		}
	}},
	{name: "edited-size", of: "x509-p256", about: "a size that is not the artifact's", change: func(r *receiptpb.Receipt) { r.Artifact.Size++ }},
	{name: "edited-size-unknown", of: "x509-p256", about: "the size taken away", change: func(r *receiptpb.Receipt) { r.Artifact.Size = -1 }},
	{name: "edited-digests", of: "pgp-rsa3072", about: "the digests taken away", change: func(r *receiptpb.Receipt) { r.Artifact.Digests = nil }},
	{name: "edited-container", of: "pgp-gzip", about: "another container", change: func(r *receiptpb.Receipt) { r.Artifact.Container.Value[0] ^= 1 }},
	{name: "edited-container-attested", of: "pgp-xz-attested", about: "another container, which the statement does not name", change: func(r *receiptpb.Receipt) {
		r.Artifact.Container.Value[0] ^= 1
	}},
	{name: "edited-container-made-up", of: "x509-p256", about: "a container that nobody sent", change: func(r *receiptpb.Receipt) {
		r.Artifact.Container = proto.CloneOf(r.GetArtifact().GetDigests()[0])
	}},
	{name: "edited-representation", of: "pgp-rsa3072", about: "PROJECTED turned into NATIVE", change: func(r *receiptpb.Receipt) { r.Representation = receiptpb.Receipt_NATIVE }},
	{name: "edited-spki", of: "pgp-p256", about: "the entry's key cut short", change: func(r *receiptpb.Receipt) {
		e := r.GetEntries()[0]
		e.Spki = e.GetSpki()[:len(e.GetSpki())-1]
	}},
	{name: "edited-entry-gone", of: "tuf-targets", about: "one of two entries taken away", change: func(r *receiptpb.Receipt) { r.Entries = r.Entries[:1] }},
	{name: "edited-entry-twice", of: "tuf-targets", about: "one of two entries in the other's place", change: func(r *receiptpb.Receipt) { r.Entries[1] = proto.CloneOf(r.Entries[0]) }},
	{name: "edited-one-log-of-two", of: "x509-p256-two-logs", about: "the second log's entry taken away", change: func(r *receiptpb.Receipt) { r.Entries = r.Entries[:1] }},
	{name: "edited-timestamp", of: "x509-p256", about: "a timestamp that is none", change: func(r *receiptpb.Receipt) {
		r.GetEntries()[0].GetBundle().GetVerificationMaterial().TimestampVerificationData = &bundlepb.TimestampVerificationData{
			Rfc3161Timestamps: []*commonpb.RFC3161SignedTimestamp{{SignedTimestamp: []byte("none")}},
		}
	}},
	{name: "edited-integrated-time", of: "x509-p256", about: "a time of logging that nothing proves", change: func(r *receiptpb.Receipt) {
		logOf(r).IntegratedTime = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Unix()
	}},
	{name: "edited-cosignature", of: "x509-p256", about: "a cosignature by an unknown witness on the checkpoint", change: func(r *receiptpb.Receipt) {
		logOf(r).GetInclusionProof().GetCheckpoint().Envelope += "\u2014 witness.example AAAAAAAA\n"
	}},
	{name: "edited-receipt-key", of: "pgp-key-compromised-since", about: "the receipt's key in the form that says it is compromised", change: func(r *receiptpb.Receipt) {
		b, err := os.ReadFile(filepath.Join(corpusDir, "inputs", "compromised-since-now.key"))
		if err != nil {
			panic(err)
		}
		r.Signature.Keys = [][]byte{b}
	}},
}

func logOf(r *receiptpb.Receipt) *rekorpb.TransparencyLogEntry {
	return r.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTlogEntries()[0]
}

// addEdited makes the folder of e from that of the receipt it changes. Of that one's questions
// it takes those that were answered with ok: an edit must not turn no into yes either, but then
// the answer comes from what was not edited.
func addEdited(t *testing.T, e edited) {
	from, f := filepath.Join(corpusDir, e.of), &files{dir: filepath.Join(corpusDir, e.name)}
	encoded := readFile(t, filepath.Join(from, "receipt.json"))
	r, err := receipt.Unmarshal(encoded)
	if err != nil {
		t.Fatal(err)
	}
	e.change(r)
	changed, err := receipt.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(encoded, changed) {
		t.Fatal("the edit changes nothing")
	}
	f.keep("receipt.json", changed)
	original := readVerdicts(t, from)
	list := verdicts{About: e.of + ": " + e.about, Trust: original.Trust}
	for _, v := range original.Verifications {
		got, _ := v.judge(t, from, original.Trust)
		if got.Verdict != verdictOK && !slices.Contains(e.also, v.Name) {
			continue
		}
		for _, name := range append(slices.Clone(v.Keys), v.Artifact) {
			if name != "" && !strings.HasPrefix(name, "..") {
				f.keep(name, readFile(t, filepath.Join(from, name)))
			}
		}
		v.verdict = verdict{}
		list.Verifications = append(list.Verifications, v)
	}
	f.write(t)
	writeVerdicts(t, f.dir, list)
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// ForSignature returns what r says of the signature at a position of r's recorded ones, as a receipt for that signature
// alone: r itself where the file holds one and it is recorded directly. It shares r's messages, and is what a statement on the signature
// is made of.
func ForSignature(r *receiptpb.Receipt, at int) *receiptpb.Receipt {
	if r.GetFormatVersion() <= versionOne {
		return r
	}
	s, file := r.GetRecorded()[at], r.GetSignature()
	one := &receiptpb.Receipt{
		MediaType: r.GetMediaType(), FormatVersion: versionOne, SubmissionId: r.GetSubmissionId(), VerifiedAt: r.GetVerifiedAt(),
		Signature: &receiptpb.Signature{
			Format: file.GetFormat(), Variant: s.GetVariant(), Algorithm: s.GetAlgorithm(), Content: file.GetContent(),
			Keys: file.GetKeys(), ClaimedTime: s.GetClaimedTime(),
		},
		Artifact: r.GetArtifact(), Representation: s.GetRepresentation(), Policy: r.GetPolicy(),
		Checks: checksOf(r, at), Notes: s.GetNotes(), Findings: s.GetFindings(),
	}
	alone := &receiptpb.RecordedSignature{Representation: s.GetRepresentation(), Way: s.GetWay(), Evidence: s.GetEvidence()}
	for i, signer := range s.GetSigners() {
		one.Signers = append(one.Signers, r.GetSigners()[signer])
		alone.Signers = append(alone.Signers, uint32(i))
	}
	one.Recorded = []*receiptpb.RecordedSignature{alone}
	for _, e := range r.GetEntries() {
		if int(e.GetSignature()) == at {
			one.Entries = append(one.Entries, &receiptpb.LogEntry{
				Bundle: e.GetBundle(), Recipe: e.GetRecipe(), Spki: e.GetSpki(), Own: e.GetOwn(),
			})
		}
	}
	return one
}

// checksOf returns what was checked of the signature at a position: from version 4 on the receipt's own, where that is the only one and has
// none.
func checksOf(r *receiptpb.Receipt, at int) []string {
	if own := r.GetRecorded()[at].GetChecks(); len(own) > 0 || len(r.GetRecorded()) > 1 || r.GetFormatVersion() < versionBatched {
		return own
	}
	return r.GetChecks()
}

// several is a receipt for a file with several signatures being verified. What concerns the file as a whole is done with file;
// what concerns one signature, with the view on it.
type several struct {
	file  *verification
	views []*view
}

// view is what the receipt says of one signature, as a receipt of its own.
type view struct {
	*verification
	asked  bool // by an expected signer, and so checked
	stated bool // the gateway's statement in it is in order, so that it says by when the file existed
}

// verifySeveral verifies the signatures by those whom the caller expects, and what the receipt says of them. Others stay
// unchecked, which the report says.
//
// checkSeveral has passed r.
func verifySeveral(ctx context.Context, r *receiptpb.Receipt, o Options) (*Report, error) {
	s := &several{file: &verification{receipt: r, options: o, report: o.newReport()}}
	for i := range r.GetRecorded() {
		s.views = append(s.views, &view{verification: &verification{receipt: ForSignature(r, i), options: o, report: o.newReport()}})
	}
	err := runSteps(
		s.findTimes,
		func() error { return s.checkSignatures(ctx) },
		func() error { return s.file.checkEach(ctx, s.listAsked()) },
		func() error { return s.checkViews(ctx) },
	)
	if err != nil {
		return nil, err
	}
	report := s.report()
	report.receipt = r
	return report, nil
}

// checkSeveral refuses a receipt whose signatures, entries and signers do not fit each other.
func checkSeveral(r *receiptpb.Receipt) error {
	if n := len(r.GetRecorded()); n == 0 || n > formats.MaxSignatures || isAlone(r) && r.GetFormatVersion() < versionBatched {
		return claim("does not say how its signatures are recorded")
	}
	if r.GetSignature().GetClaimedTime() != nil {
		return claim("has a signing time of no signature")
	}
	entries, signers := map[uint32]bool{}, map[uint32]bool{}
	for _, e := range r.GetEntries() {
		if int(e.GetSignature()) >= len(r.GetRecorded()) {
			return claim("has a log entry of no signature")
		}
		entries[e.GetSignature()] = true
	}
	var representations []receiptpb.Receipt_Representation
	var findings []*receiptpb.Finding
	for i, s := range r.GetRecorded() {
		if err := checkRecordedSigners(s.GetSigners(), len(r.GetSigners()), signers); err != nil {
			return err
		}
		if !entries[uint32(i)] {
			return malformed("has a signature without a log entry")
		}
		representations = append(representations, s.GetRepresentation())
		findings = append(findings, s.GetFindings()...)
	}
	if err := checkWays(r); err != nil {
		return err
	}
	switch {
	case len(signers) != len(r.GetSigners()):
		return claim("has signers of no signature")
	case weakest(representations) != r.GetRepresentation():
		return claim("says two things of how the signatures are recorded")
	case !slices.Equal(listReasons(r.GetFindings()), listReasons(findings)):
		return claim("names other weaknesses of the file than of its signatures")
	}
	return nil
}

// isAlone reports whether r is for a file with one signature, and all of that.
func isAlone(r *receiptpb.Receipt) bool {
	return len(r.GetRecorded()) == 1 && len(r.GetUnchecked()) == 0
}

// checkWays refuses a receipt in which a signature is recorded in another way than its entries, or none in the way that the
// receipt's version is for.
func checkWays(r *receiptpb.Receipt) error {
	batched := false
	for _, s := range r.GetRecorded() {
		switch s.GetWay() {
		case receiptpb.RecordedSignature_DIRECT:
		case receiptpb.RecordedSignature_BATCHED:
			batched = true
		default:
			return claim("has a signature that is recorded in no way this program knows")
		}
	}
	if batched != (r.GetFormatVersion() >= versionBatched) {
		return claim("has a signature that is recorded in no way of its version")
	}
	for i, e := range r.GetEntries() {
		way := r.GetRecorded()[e.GetSignature()].GetWay()
		if (e.GetOwn() != nil) != (way == receiptpb.RecordedSignature_BATCHED) {
			return claim(fmt.Sprintf("has log entry %d in another place than it says", i+1))
		}
	}
	return nil
}

// listReasons returns the findings' reasons, each once.
func listReasons(findings []*receiptpb.Finding) (reasons []string) {
	for _, f := range findings {
		reasons = append(reasons, f.GetReason())
	}
	slices.Sort(reasons)
	return slices.Compact(reasons)
}

func checkRecordedSigners(list []uint32, n int, all map[uint32]bool) error {
	if len(list) == 0 {
		return claim("has a signature of nobody")
	}
	own := map[uint32]bool{}
	for _, at := range list {
		if int(at) >= n || own[at] {
			return claim("has signers of no signature")
		}
		own[at], all[at] = true, true
	}
	return nil
}

// findTimes collects the times of all views: each statement is over the whole file, so it says by when all of it existed.
// One that is not in order says nothing; whether it counts against the receipt depends on who is asked for.
func (s *several) findTimes() error {
	for _, v := range s.views {
		sources := v.options.TimeSources
		if v.stated = v.checkStatements() == nil; v.stated {
			sources = append([]TimeSource{statementTimes{v.verification}}, sources...)
		}
		if v.findTimes(sources) != nil {
			v.times = nil
		}
		s.file.times = append(s.file.times, v.times...)
	}
	slices.SortStableFunc(s.file.times, func(a, b VerifiedTime) int { return a.T.Compare(b.T) })
	for _, v := range s.views {
		v.times = s.file.times
	}
	return nil
}

// checkStatements checks all of the view that is the gateway's word. It leaves the view as it is.
func (v *view) checkStatements() error {
	if v.receipt.GetRepresentation() != receiptpb.Receipt_ATTESTED {
		return claim("has no statement on the signature")
	}
	alone := &verification{receipt: v.receipt, options: v.options, verified: &formats.Verified{}, report: v.options.newReport()}
	return runSteps(alone.checkAttestations, alone.checkProofs, alone.checkGatewayRanges)
}

// checkSignatures verifies the signatures by the expected keys, and finds the view on each.
func (s *several) checkSignatures(ctx context.Context) error {
	ctx = formats.EnsureWork(ctx)
	f := s.file
	parsed, err := f.parseAtAnyMoment(ctx)
	if err != nil {
		return err
	}
	f.description = parsed.Describe()
	places := s.match()
	if err := s.checkUnmatched(places); err != nil {
		return err
	}
	if len(s.listAsked()) == 0 {
		return refuse(ReasonSignerMismatch, "none of the signatures that are recorded is by an expected signer",
			"check whose receipt this is, and that the key is the signer's")
	}
	if err := f.verifyArtifact(ctx, parsed); err != nil {
		return err
	}
	for i, at := range places {
		if v := s.views[i]; v.asked {
			v.description, v.verified, v.judged = f.description.Each()[at], f.verified.Each()[at], f.judged
		}
	}
	return nil
}

// match finds for each view the signature that is by just its signers, in the order of the file where there are several, and
// marks those that were asked for. The result has positions in Description.Each, or -1.
func (s *several) match() []int {
	parts := s.file.description.Each()
	taken := map[int]bool{}
	places := make([]int, len(s.views))
	for i, v := range s.views {
		want := receiptSigners(v.receipt)
		places[i] = -1
		for at, p := range parts {
			if !taken[at] && sameSigners(identities(p.Signers), want) {
				places[i], taken[at], v.asked = at, true, s.expects(want)
				break
			}
		}
	}
	return places
}

// checkUnmatched refuses a receipt that says to record a signature which the file does not hold: each has to be one of those
// whose key is not at hand, and that the receipt does not call unchecked itself. All by a key at hand were found.
func (s *several) checkUnmatched(places []int) error {
	var left []string
	for _, u := range s.file.description.Unchecked {
		left = append(left, u.Issuer)
	}
	for _, u := range s.file.receipt.GetUnchecked() {
		if at := slices.Index(left, u.GetIssuer()); at >= 0 {
			left = slices.Delete(left, at, at+1)
		}
	}
	signed := identities(s.file.description.Signers)
	for i, at := range places {
		if at >= 0 {
			continue
		}
		ids := receiptSigners(s.views[i].receipt)
		known := slices.ContainsFunc(ids, func(id [sha256.Size]byte) bool { return slices.Contains(signed, id) })
		if known || len(left) == 0 {
			return claim("records a signature by " + identity(ids[0]) + ", which is not in the file")
		}
		left = left[1:]
	}
	return nil
}

// expects reports whether all who made a signature are expected; the keys were looked at by parsing with them.
func (s *several) expects(ids [][sha256.Size]byte) bool {
	expected := s.file.options.ExpectedSigners
	return len(expected) == 0 || !slices.ContainsFunc(ids, func(id [sha256.Size]byte) bool { return !slices.Contains(expected, id) })
}

func receiptSigners(r *receiptpb.Receipt) [][sha256.Size]byte {
	ids := make([][sha256.Size]byte, len(r.GetSigners()))
	for i, s := range r.GetSigners() {
		ids[i] = sha256.Sum256(s.GetSpki())
	}
	return ids
}

func sameSigners(a, b [][sha256.Size]byte) bool {
	sorted := func(ids [][sha256.Size]byte) [][sha256.Size]byte {
		ids = slices.Clone(ids)
		slices.SortFunc(ids, func(x, y [sha256.Size]byte) int { return bytes.Compare(x[:], y[:]) })
		return ids
	}
	return slices.Equal(sorted(a), sorted(b))
}

// listAsked returns who made the signatures that were asked for.
func (s *several) listAsked() (ids [][sha256.Size]byte) {
	for _, v := range s.views {
		if v.asked {
			ids = append(ids, receiptSigners(v.receipt)...)
		}
	}
	return ids
}

// checkViews checks the views that were asked for.
func (s *several) checkViews(ctx context.Context) error {
	for i, v := range s.views {
		if !v.asked {
			continue
		}
		if err := runSteps(v.checkClaimedTime, v.checkClaims, func() error { return v.checkRecords(ctx) }, v.checkProofs, v.checkGatewayRanges, v.checkWitnessed); err != nil {
			return formats.NameSignature(err, i, len(s.views))
		}
	}
	return nil
}

// report puts the views' reports together, each line after the number of its signature.
func (s *several) report() *Report {
	sum := s.file.report
	sum.SignerChecked = true
	asked := 0
	for i, v := range s.views {
		if !v.asked {
			continue
		}
		asked++
		v.reportKnown()
		prefix := fmt.Sprintf("%d/%d ", i+1, len(s.views))
		for _, l := range v.report.Proven {
			sum.Proven = append(sum.Proven, prefix+l)
		}
		for _, l := range v.report.Unproven {
			sum.Unproven = append(sum.Unproven, prefix+l)
		}
		sum.Entries = append(sum.Entries, v.report.Entries...)
		sum.logged = append(sum.logged, v.report.logged...)
		sum.SignerChecked = sum.SignerChecked && v.report.SignerChecked
	}
	s.reportOthers(asked)
	s.reportClaims()
	return sum
}

// reportClaims adds what the receipt says of the file as a whole, and nothing binds unless a statement that was checked does.
func (s *several) reportClaims() {
	stated := slices.ContainsFunc(s.views, func(v *view) bool {
		return v.stated || v.asked && v.receipt.GetRepresentation() == receiptpb.Receipt_ATTESTED
	})
	s.file.reportClaims(stated)
}

// reportOthers says which signatures of the file were not checked, or are not in the log.
func (s *several) reportOthers(asked int) {
	sum := s.file.report
	for i, v := range s.views {
		if !v.asked {
			sum.unproven("receipt says: %d/%d is a signature by %s, recorded as %s; it was not asked for, and not checked",
				i+1, len(s.views), identity(receiptSigners(v.receipt)[0]), v.receipt.GetRepresentation())
		}
	}
	if n := len(s.file.description.Each()) - asked; n > 0 {
		sum.unproven("%d more signatures of the file verified, which were not asked for or are not in the log", n)
	}
	if left := s.file.description.Unchecked; len(left) > 0 {
		var names []string
		for _, u := range left {
			names = append(names, u.Issuer)
		}
		sum.unproven("not checked: signatures of the file that say to be by %s", strings.Join(names, ", "))
	}
}

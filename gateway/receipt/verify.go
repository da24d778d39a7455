// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Options say whom and what the verifier trusts. Nothing in a receipt widens them.
type Options struct {
	Registry    *formats.Registry
	TrustedRoot *trustroot.Root
	// GatewayTrust says whose statements count; nil refuses every ATTESTED receipt.
	GatewayTrust *trustroot.Gateway
	// Artifact is read once, to its end; nil when it is inside the signature, or Digest is given.
	Artifact io.Reader
	// Digest is the artifact's, in place of Artifact where that is not at hand; nil: it is not given. All is verified as with
	// the artifact. What takes its bytes is refused with ReasonMissingArtifact: a signature over them, and a size or a further
	// digest in the receipt that the signature does not bind.
	Digest *formats.Digest

	// ExpectedKeys, in the format's own encoding, are used in place of the receipt's: one of
	// them must have signed.
	ExpectedKeys [][]byte
	// ExpectedSigners are SHA-256 of SPKIs: everyone who signed must be among them.
	ExpectedSigners [][sha256.Size]byte
	// Each asks that each of ExpectedKeys and each of ExpectedSigners has signed, not just one of them. The key files of TUF
	// are one chain of trust, and asked together.
	Each bool
	// AnySigner lets a receipt pass with neither of them; the report then says that the signer
	// was not checked.
	AnySigner bool

	// Historical accepts signatures with weaknesses that the gateway's historical policy let pass too. The
	// report says of SignedBefore whether a verified time proves it, or the signer claims it.
	Historical formats.Historical
	// SSHNamespaces are those accepted; nil means "file" alone.
	SSHNamespaces []string
	// Now is the time of verification.
	Now time.Time
	// At, when it is set, is the time at which expiry is judged in place of Now: the reader's own
	// choice, for a signature that he knows to have existed by then.
	At time.Time
	// Condensed says that the receipt is FindProof's or ParseProof's: it lacks what is worked out of the signature and the artifact.
	Condensed bool
	// Checked, unless it is nil, stands for the signature and the artifact, which are not looked at again. It has to fit the receipt.
	Checked *Checked
	// Given says that nobody changes the receipt any more, so that it is not copied for the report.
	Given bool
	// Silent says that nobody reads the lines of the report, so that it has none.
	Silent bool
	// Memory, unless it is nil, spares the verification of checkpoints and anchors that it knows from other receipts. It knows them by their bytes: they have to
	// be as they were decoded.
	Memory *Memory
	// WitnessPolicy is the reader's: a receipt that does not meet it is refused, and the time by which it was met is a verified time. With nil, cosignatures
	// prove nothing.
	WitnessPolicy WitnessPolicy
	// TimeSources find verified times in the receipt, beside the gateway's own statement.
	TimeSources []TimeSource
}

// verification is one receipt being verified.
type verification struct {
	receipt     *receiptpb.Receipt
	options     Options
	description formats.Description
	verified    *formats.Verified
	times       []VerifiedTime // the earliest first
	judged      moment         // at which the signature was found good
	report      *Report
	fits        bool // checkSeveral has passed the receipt's signatures, entries and signers
}

// Verify checks a receipt offline. It verifies the original signature over the artifact again,
// compares what the receipt claims with what came out, and checks that each entry records
// just that and is in a log of the trusted root. The error is the first thing wrong, a
// *formats.Error with one of this package's reasons, or the artifact reader's own; the report
// is nil then.
func Verify(ctx context.Context, r *receiptpb.Receipt, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := checkShape(r, o.Condensed); err != nil {
		return nil, err
	}
	if !o.Given {
		r = proto.CloneOf(r) // the report keeps it
	}
	v := &verification{receipt: r, options: o, report: o.newReport()}
	if r.GetFormatVersion() > versionOne {
		if err := checkSeveral(r); err != nil {
			return nil, err
		}
		if !isAlone(r) {
			return verifySeveral(ctx, r, o)
		}
		v.receipt, v.fits = ForSignature(r, 0), true
	}
	err := runSteps(
		func() error {
			return v.findTimes(append([]TimeSource{statementTimes{v}, promiseTimes{v}, witnessTimes{v}}, o.TimeSources...))
		},
		func() error { return v.checkSignature(ctx) },
		func() error { return v.checkEach(ctx, identities(v.verified.Signers)) },
		v.checkClaims,
		func() error { return v.checkRecords(ctx) },
		v.checkRecorded,
		v.checkProofs,
		v.checkGatewayRanges,
		v.checkWitnessed,
	)
	if err != nil {
		return nil, err
	}
	v.reportLimits()
	v.report.receipt = r
	return v.report, nil
}

func runSteps(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) check() error {
	if len(o.ExpectedKeys) == 0 && len(o.ExpectedSigners) == 0 && !o.AnySigner {
		return refuse(ReasonNoExpectedSigner, "nobody said who should have signed, and a receipt alone proves only that somebody did",
			hintSigner)
	}
	if o.Artifact != nil && o.Digest != nil {
		return errors.New("verifying a receipt: there is the artifact, and a digest in its place")
	}
	if o.TrustedRoot == nil {
		return refuse(ReasonUnknownLog, "no log is trusted", "give the trusted root (--trusted-root FILE)")
	}
	return nil
}

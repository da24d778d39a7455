// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill/run"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// trustFlags name the files that say which logs and gateways are trusted.
type trustFlags struct{ trustedRoot, gatewayTrust string }

func (f *trustFlags) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.trustedRoot, "trusted-root", "", "Sigstore trusted root `FILE` with the log's key")
	c.Flags().StringVar(&f.gatewayTrust, "gateway-trust", "", "gateway trust `FILE`, for ATTESTED and BATCHED receipts")
}

// readTrust reads the files that were named.
func (f *trustFlags) readTrust(o *receipt.Options) (err error) {
	if f.trustedRoot != "" {
		if o.TrustedRoot, err = trustroot.Load(f.trustedRoot); err != nil {
			return explainTrust("trusted-root", f.trustedRoot, err)
		}
	}
	if f.gatewayTrust != "" {
		if o.GatewayTrust, err = trustroot.LoadGateway(f.gatewayTrust); err != nil {
			return explainTrust("gateway-trust", f.gatewayTrust, err)
		}
	}
	return nil
}

// explainTrust says what path is, where it is another file than the flag takes.
func explainTrust(flag, path string, err error) error {
	raw, rerr := input.ReadFile(path, trustroot.MaxSize)
	if kind := detectKeyKind(raw); rerr == nil && kind.name != "" {
		return withHint(fmt.Errorf("--%s: %s is %s", flag, path, kind.name),
			"--trusted-root takes a Sigstore trusted root, and --gateway-trust a gateway's trust file")
	}
	return fmt.Errorf("--%s: %w", flag, err)
}

// keepReceipt verifies the receipt that came, and writes it to the file that was named.
func (a *attempt) keepReceipt(ctx context.Context, s *pb.Submission) error {
	if s.GetReceipt() == nil && s.GetState() == pb.Submission_LOGGED {
		return run.FailNoReceipt(s)
	}
	if s.GetReceipt() == nil {
		return nil
	}
	if err := a.checkReceipt(ctx, s.GetReceipt()); err != nil {
		return fmt.Errorf("verifying the receipt of submission %s: %w", s.GetId(), err)
	}
	if a.receipt == "" {
		return nil
	}
	err := writeReceipt(a.receipt, s.GetReceipt(), a.force)
	a.receiptKept = err == nil
	return err
}

// checkReceipt verifies r as verify will, over the same artifact and by the same keys. Where that cannot be, it says so:
// the gateway is taken at its word then.
func (a *attempt) checkReceipt(ctx context.Context, r *receiptpb.Receipt) error {
	o, err := a.buildOptions(ctx, r)
	if errors.Is(err, client.ErrNoTrustFiles) {
		a.notes.Say("note: the receipt is not verified here: %s; name yours with --trusted-root FILE and, for ATTESTED and BATCHED, --gateway-trust FILE", client.ErrNoTrustFiles)
		return nil
	}
	if err != nil {
		return err
	}
	done := a.notes.SayWaiting("verifying the receipt")
	defer done()
	artifact, closer, err := a.openSigned()
	if err != nil {
		return err
	}
	defer closer.Close() //nolint:errcheck // only read
	o.Artifact, o.Digest = artifact.Reader(), artifact.Digest()
	if _, err := receipt.Verify(ctx, r, o); err != nil {
		return err
	}
	if err := a.checkCoverage(ctx, r); err != nil {
		return err
	}
	a.receiptChecked = true
	return nil
}

func (a *attempt) buildOptions(ctx context.Context, r *receiptpb.Receipt) (receipt.Options, error) {
	o := receipt.Options{Registry: all.Formats(), Historical: formats.AllowAll(true), SSHNamespaces: a.namespaces, Now: time.Now()}
	if err := a.readTrust(&o); err != nil {
		return o, err
	}
	if err := a.completeTrust(ctx, r, &o); err != nil {
		return o, err
	}
	return o, a.expectSigners(ctx, &o)
}

// completeTrust gets from the gateway what was not named, and says whose word that is.
func (a *attempt) completeTrust(ctx context.Context, r *receiptpb.Receipt, o *receipt.Options) error {
	needsGateway := restsOnGateway(r) && o.GatewayTrust == nil
	if o.TrustedRoot != nil && !needsGateway {
		return nil
	}
	files, err := a.remote.TrustFiles(ctx)
	if err != nil {
		return err
	}
	a.served = files
	fetched, flags := "the gateway trust file", "--gateway-trust FILE"
	if o.TrustedRoot == nil {
		fetched, flags = "trust files", "--trusted-root FILE --gateway-trust FILE"
		if o.TrustedRoot, err = trustroot.Parse(files.TrustedRoot); err != nil {
			return fmt.Errorf("reading the trusted root that the gateway hands out: %w", err)
		}
	}
	if needsGateway {
		if files.GatewayTrust == nil {
			return fmt.Errorf("%w for what it attests, or has in its own log", client.ErrNoTrustFiles)
		}
		if o.GatewayTrust, err = trustroot.ParseGateway(files.GatewayTrust); err != nil {
			return fmt.Errorf("reading the trust file that the gateway hands out: %w", err)
		}
	}
	a.notes.Say("note: the receipt is verified with %s from %s, which is the gateway's own word; with yours: %s", fetched, a.server, flags)
	return nil
}

// restsOnGateway reports whether it takes the gateway's trust file to verify r.
func restsOnGateway(r *receiptpb.Receipt) bool {
	return r.GetRepresentation() == receiptpb.Receipt_ATTESTED ||
		slices.ContainsFunc(r.GetEntries(), func(e *receiptpb.LogEntry) bool { return e.GetOwn() != nil })
}

// expectSigners expects the keys that were named; where none were, the signers that the signature itself names.
func (a *attempt) expectSigners(ctx context.Context, o *receipt.Options) error {
	signature, keys, err := a.readInputs(ctx)
	if err != nil {
		return err
	}
	if len(keys) > 0 {
		o.ExpectedKeys = keys
		return nil
	}
	if a.parsed == nil {
		if a.parsed, err = a.parseHere(ctx, &pb.SubmissionHeader{Signature: signature, Format: a.format}); err != nil {
			a.notes.Say("note: the receipt's signer is not checked here: no key was named, and the signature has none in it")
			o.AnySigner = true // the gateway's policy has the keys
			return nil
		}
	}
	for _, s := range a.parsed.Describe().Signers {
		o.ExpectedSigners = append(o.ExpectedSigners, sha256.Sum256(s.SPKI))
	}
	return nil
}

// checkCoverage refuses a receipt that verifies, and is for another signature than the one that was sent, or not for all
// that the file holds. The bytes may differ where the same signature was sent before in another wrapping.
func (a *attempt) checkCoverage(ctx context.Context, r *receiptpb.Receipt) error {
	sent, keys, err := a.readInputs(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 { // the gateway's policy has them, or the signature
		keys = r.GetSignature().GetKeys()
	}
	format, logged := r.GetSignature().GetFormat(), r.GetSignature().GetContent()
	parsed, err := a.parseHere(ctx, &pb.SubmissionHeader{Signature: sent, Keys: keys, Format: format})
	if err != nil {
		return err
	}
	if n := len(parsed.Describe().Each()); n > max(len(r.GetRecorded()), 1) {
		return formats.NewError(receipt.ReasonEntriesMissing, fmt.Sprintf("the receipt has fewer signatures than the %d that were sent", n), run.HintOtherReceipt)
	}
	if bytes.Equal(sent, logged) {
		return nil
	}
	other, err := a.parseHere(ctx, &pb.SubmissionHeader{Signature: logged, Keys: keys, Format: format})
	if err != nil {
		return err
	}
	same, err := a.isSameSignature(ctx, parsed, other)
	if err == nil && !same {
		err = formats.NewError(receipt.ReasonClaimMismatch, "the receipt is for another signature than the one that was sent", run.HintOtherReceipt)
	}
	return err
}

// isSameSignature reports whether two files hold the same signatures over the artifact, whatever they are wrapped in.
func (a *attempt) isSameSignature(ctx context.Context, one, other formats.Parsed) (bool, error) {
	var canonical [2][]byte
	for i, parsed := range []formats.Parsed{one, other} {
		artifact, closer, err := a.openSigned()
		if err != nil {
			return false, err
		}
		verified, err := parsed.Verify(ctx, artifact)
		if err = errors.Join(err, closer.Close()); err != nil {
			return false, err
		}
		canonical[i] = verified.Canonical
	}
	return bytes.Equal(canonical[0], canonical[1]), nil
}

// openSigned opens what was signed: the artifact, or what is inside of it. It is the digest where only that was named, and zero where the
// signature has its content in it.
func (a *attempt) openSigned() (formats.Artifact, io.Closer, error) {
	none := io.NopCloser(nil)
	if a.digest != "" {
		digest, err := formats.ParseDigest(a.digest)
		return formats.FromDigest(digest), none, err
	}
	if a.path == "" {
		return formats.Artifact{}, none, nil
	}
	file, err := a.openArtifact()
	if err != nil {
		return formats.Artifact{}, nil, err
	}
	if a.decompress == "" {
		return formats.FromReader(file), file, nil
	}
	kind, err := container.ParseKind(a.decompress)
	if err != nil {
		return formats.Artifact{}, nil, errors.Join(err, file.Close())
	}
	return formats.FromReader(container.NewReader(kind, file, evidence.MaxUnpacked)), file, nil
}

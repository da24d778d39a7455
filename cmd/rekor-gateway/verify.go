// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	trustFlags
	globals                   *globals
	receipt, artifact         string
	signature, embed          string
	exportCosign, exportProof string
	keys, signers, namespaces []string
	anySigner                 bool
	historical                exceptionsFlag
	signedBefore, at          string
	witnessPolicy             string
}

func newVerify(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Verify receipts offline",
		Long: `verify checks a receipt with nothing but files: the signature over FILE, by the signer
you expect, what the log recorded of it, and the proof that the log did. It prints what that
proves and what it does not, and fails with the first thing wrong.

The receipt of FILE is FILE.receipt.json unless --receipt names it; where there is none, the proof
that --embed has put into FILE itself, or into the PGP signature beside it. A receipt alone proves
only that somebody signed, so say who should have: --key or --signer.`,
		Example: `  rekor-gateway verify app.tar.gz --key release.asc --trusted-root trusted_root.json
  rekor-gateway verify --receipt InRelease.receipt.json --key archive.asc --trusted-root trusted_root.json`,
	}
	f := verifyFlags{globals: g}
	f.addFlags(c)
	c.Flags().StringVar(&f.receipt, "receipt", "", "receipt `FILE`, or one with a proof; that of the signed file when not given")
	c.Flags().StringVar(&f.artifact, "artifact", "", "the signed `FILE`, as if it were an argument; not needed when the signature contains it")
	c.Flags().StringVar(&f.signature, "signature", "", "signature `FILE`: with the proof in it, or the one that a proof which --receipt names is for")
	c.Flags().StringArrayVar(&f.keys, "key", nil, "`FILE` with the key that should have signed; of several keys in it any one (repeatable: each file's then)")
	c.Flags().StringArrayVar(&f.signers, "signer", nil, "who should have signed: `sha256:HEX` of the SubjectPublicKeyInfo (repeatable: each of them then)")
	c.Flags().BoolVar(&f.anySigner, "any-signer", false, "accept a signature by anybody")
	f.historical.addFlag(c)
	c.Flags().StringVar(&f.signedBefore, "signed-before", "", "of weak signatures accept those from before this `TIME` alone: proven, or by the signer's claim")
	c.Flags().StringVar(&f.at, "at", "", "judge expiry at this `TIME` (RFC 3339, or a date) and not now: one by which you know the signature to have existed")
	c.Flags().StringVar(&f.witnessPolicy, "witness-policy", "", "policy `FILE` (C2SP tlog-policy): refuse what too few of its witnesses have cosigned, and take the time by which enough had as proven")
	c.Flags().StringVar(&f.exportCosign, "export-cosign", "", "write what stock cosign needs to verify the same into this `FOLDER`")
	c.Flags().StringVar(&f.exportProof, "export-tlog-proof", "", "write what others need to check a batched record's place in the gateway's own log into this `FOLDER`")
	c.Flags().StringVar(&f.embed, "embed", "", "put the proof into the armor headers of this signature `FILE`, where gpg and apt pass over it")
	c.Flags().StringArrayVar(&f.namespaces, "ssh-namespace", nil, "SSH signature namespace to accept (repeatable); file when not given")
	requireFlags(c, "trusted-root")
	c.RunE = func(c *cobra.Command, files []string) error {
		v := &verifier{verifyFlags: &f, out: c.OutOrStdout(), errs: c.ErrOrStderr(), notes: output.NewNotes(g.notes(c))}
		targets, err := f.findTargets(files)
		if err != nil {
			return err
		}
		if len(targets) == 1 {
			return v.runOne(c.Context(), targets[0])
		}
		return v.runMany(c.Context(), targets)
	}
	return c
}

// verifier is one run of verify.
type verifier struct {
	*verifyFlags
	out, errs io.Writer
	notes     *output.Notes
}

// runOne verifies one file.
func (v *verifier) runOne(ctx context.Context, t target) error {
	result, err := v.verifyTarget(ctx, t)
	if err != nil {
		return err
	}
	return v.printVerified(result)
}

// runMany verifies each of the files, whatever becomes of the others.
func (v *verifier) runMany(ctx context.Context, targets []target) error {
	failures := make([]error, 0, len(targets))
	for _, t := range targets {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !v.globals.isJSON() && !v.globals.quiet {
			output.Line(v.out, "%s:", t.artifact)
		}
		result, err := v.verifyTarget(ctx, t)
		if err == nil {
			err = v.printVerified(result)
		}
		if err != nil {
			v.printRefused(t, err)
			failures = append(failures, err)
		}
	}
	switch len(failures) {
	case 0:
		return nil
	case len(targets):
		return fmt.Errorf("none of %d files verifies; the last: %w", len(targets), failures[len(failures)-1])
	}
	return fail(fault.ReasonSomeRefused, fmt.Errorf("%d of %d files do not verify", len(failures), len(targets)), "the lines above say which, and why")
}

// verified is the result as JSON.
type verified struct {
	File    string `json:"file"`
	Receipt string `json:"receipt"`
	*receipt.Report
	Cosign     []receipt.Command       `json:"cosign,omitempty"`
	TlogProofs []receipt.ExportedProof `json:"tlogProofs,omitempty"`
	Embedded   string                  `json:"embedded,omitempty"` // the signature file that has the proof in it now
}

// refused is the result for one of many files that does not verify.
type refused struct {
	File    string        `json:"file"`
	Receipt string        `json:"receipt"`
	Error   fault.Failure `json:"error"`
}

func (v *verifier) printVerified(r verified) error {
	if v.globals.isJSON() {
		return output.JSON(v.out, r)
	}
	if v.globals.quiet {
		return nil
	}
	output.Report(v.out, r.Report)
	if len(r.Cosign) > 0 {
		output.Line(v.out, "stock cosign verifies the same with:")
	}
	for _, c := range r.Cosign {
		output.Line(v.out, "  %s", c)
	}
	if r.Embedded != "" {
		output.Line(v.out, "the proof is in %s", r.Embedded)
	}
	for _, x := range r.TlogProofs {
		output.Line(v.out, "the record is in %s, and its proof in %s (log: %s): they say nothing of the signer, whom this command has checked", x.Record, x.Proof, x.Policy)
	}
	return nil
}

// printRefused tells of one of many.
func (v *verifier) printRefused(t target, err error) {
	printError(v.errs, fmt.Errorf("%s: %w", t.artifact, err))
	if v.globals.isJSON() {
		_ = output.JSON(v.out, refused{t.artifact, t.receipt, describeFailure(err)}) // nobody is left to hear of it
	}
}

// verifyTarget verifies one receipt, and exports it where that is asked for.
func (v *verifier) verifyTarget(ctx context.Context, t target) (verified, error) {
	r, err := v.readReceipt(&t)
	if err != nil {
		return verified{}, err
	}
	o, err := v.buildOptions(ctx, r)
	if err != nil {
		return verified{}, err
	}
	signed, err := openSignedFile(t.artifact, r.Receipt)
	if err != nil {
		return verified{}, err
	}
	artifact := ""
	if signed != nil {
		defer signed.Close() //nolint:errcheck // only read
		o.Artifact, artifact = signed, t.artifact
	}
	report, err := receipt.Verify(ctx, r.Receipt, o)
	if err != nil {
		return verified{}, v.blameKeyFile(err, r.Receipt, o.ExpectedKeys)
	}
	result := verified{File: t.artifact, Receipt: t.receipt, Report: report}
	if v.exportCosign != "" {
		result.Cosign, err = report.ExportCosign(ctx, receipt.Export{Dir: v.exportCosign, Artifact: artifact, TrustedRoot: v.trustedRoot})
	}
	if err == nil && v.exportProof != "" {
		result.TlogProofs, err = report.ExportTlogProofs(v.exportProof)
	}
	if err == nil {
		result.Embedded, err = v.embedProof(report)
	}
	return result, err
}

func (f *verifyFlags) buildOptions(ctx context.Context, r loaded) (o receipt.Options, err error) {
	o = receipt.Options{
		Registry: all.Formats(), AnySigner: f.anySigner, Historical: formats.Historical{Allow: f.historical.set},
		SSHNamespaces: f.namespaces, Now: time.Now(), Each: true,
		Condensed: r.condensed,
	}
	if err = f.readTrust(&o); err != nil {
		return o, err
	}
	if err = f.readWitnessPolicy(&o); err != nil {
		return o, err
	}
	if o.At, err = parseTime(f.at); err != nil {
		return o, err
	}
	if o.Historical.SignedBefore, err = parseTime(f.signedBefore); err != nil {
		return o, err
	}
	s := r.GetSignature()
	if o.ExpectedKeys, err = readKeyFiles(ctx, f.keys, s.GetFormat(), s.GetContent()); err != nil {
		return o, err
	}
	for _, s := range f.signers {
		d, err := formats.ParseDigest(s)
		if err != nil || d.Algorithm != formats.SHA256 {
			return o, withHint(fmt.Errorf("the signer %q is not sha256:HEX", s),
				"compute it with: openssl pkey -pubin -in KEY -outform DER | sha256sum")
		}
		o.ExpectedSigners = append(o.ExpectedSigners, [sha256.Size]byte(d.Value))
	}
	return o, nil
}

// readWitnessPolicy reads the file that was named.
func (f *verifyFlags) readWitnessPolicy(o *receipt.Options) error {
	if f.witnessPolicy == "" {
		return nil
	}
	text, err := input.ReadFile(f.witnessPolicy, witness.MaxPolicy)
	if err != nil {
		return err
	}
	policy, err := witness.ParsePolicy(text)
	if err != nil {
		return withHint(fmt.Errorf("--witness-policy: %s: %w", f.witnessPolicy, err), "write it as https://c2sp.org/tlog-policy says: lines with log, witness, group and quorum")
	}
	o.WitnessPolicy = policy
	return nil
}

// parseTime reads a time or a date, whose day begins in UTC; "" is the zero time.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && t.Unix() > 0 {
			return t, nil
		}
	}
	return time.Time{}, withHint(fmt.Errorf("%q is no time", s), "write it as 2026-11-28T12:00:00Z, or 2026-11-28")
}

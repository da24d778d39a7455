// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	receipt, artifact, trustedRoot string
	gatewayTrust, exportCosign     string
	keys, signers, namespaces      []string
	anySigner, allowHistorical     bool
	at                             string
	globals                        *globals
}

func newVerify(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Verify a receipt offline",
		Long: `verify checks a receipt with nothing but files: the signature over the artifact, by the signer
you expect, what the log recorded of it, and the proof that the log did. It prints what that
proves and what it does not, and fails with the first thing wrong.

A receipt alone proves only that somebody signed, so say who should have: --key or --signer.`,
		Example: `  rekor-gateway verify --receipt app.tar.gz.receipt.json --artifact app.tar.gz --key release.asc --trusted-root trusted_root.json`,
		Args:    noArguments,
	}
	f := verifyFlags{globals: g}
	c.Flags().StringVar(&f.receipt, "receipt", "", "receipt `FILE`")
	c.Flags().StringVar(&f.artifact, "artifact", "", "the signed `FILE`; not needed when the signature contains it")
	c.Flags().StringVar(&f.trustedRoot, "trusted-root", "", "Sigstore trusted root `FILE` with the log's key")
	c.Flags().StringArrayVar(&f.keys, "key", nil, "`FILE` with the key that should have signed (repeatable)")
	c.Flags().StringArrayVar(&f.signers, "signer", nil, "who should have signed: `sha256:HEX` of the SubjectPublicKeyInfo (repeatable)")
	c.Flags().BoolVar(&f.anySigner, "any-signer", false, "accept a signature by anybody")
	c.Flags().BoolVar(&f.allowHistorical, "allow-historical", false, "accept weaknesses that the gateway's historical policy let pass")
	c.Flags().StringVar(&f.at, "at", "", "judge expiry at this `TIME` (RFC 3339, or a date) and not now: one by which you know the signature to have existed")
	c.Flags().StringVar(&f.gatewayTrust, "gateway-trust", "", "gateway trust `FILE`, for ATTESTED receipts")
	c.Flags().StringVar(&f.exportCosign, "export-cosign", "", "write what stock cosign needs to verify the same into this `FOLDER`")
	c.Flags().StringArrayVar(&f.namespaces, "ssh-namespace", nil, "SSH signature namespace to accept (repeatable); file when not given")
	requireFlags(c, "receipt", "trusted-root")
	c.RunE = func(c *cobra.Command, _ []string) error { return f.runVerify(c.Context(), c.OutOrStdout()) }
	return c
}

func (f *verifyFlags) runVerify(ctx context.Context, out io.Writer) error {
	report, err := f.verifyReceipt(ctx)
	if err != nil {
		return err
	}
	commands, err := f.writeCosignFiles(ctx, report)
	if err != nil {
		return err
	}
	if f.globals.isJSON() {
		return printJSON(out, verified{report, commands})
	}
	if f.globals.quiet {
		return nil
	}
	printReport(out, report)
	if len(commands) > 0 {
		printLine(out, "stock cosign verifies the same with:")
	}
	for _, c := range commands {
		printLine(out, "  %s", c)
	}
	return nil
}

// verified is the result as JSON.
type verified struct {
	*receipt.Report
	Cosign []receipt.Command `json:"cosign,omitempty"`
}

func (f *verifyFlags) writeCosignFiles(ctx context.Context, report *receipt.Report) ([]receipt.Command, error) {
	if f.exportCosign == "" {
		return nil, nil
	}
	return report.ExportCosign(ctx, receipt.Export{Dir: f.exportCosign, Artifact: f.artifact, TrustedRoot: f.trustedRoot})
}

func (f *verifyFlags) verifyReceipt(ctx context.Context) (*receipt.Report, error) {
	raw, err := readFile(f.receipt, receipt.MaxSize)
	if err != nil {
		return nil, err
	}
	r, err := receipt.Unmarshal(raw)
	if err != nil {
		return nil, err
	}
	o, err := f.buildOptions()
	if err != nil {
		return nil, err
	}
	if f.artifact != "" {
		file, err := os.Open(f.artifact)
		if err != nil {
			return nil, err
		}
		defer file.Close() //nolint:errcheck // only read
		o.Artifact = file
	}
	return receipt.Verify(ctx, r, o)
}

func (f *verifyFlags) buildOptions() (o receipt.Options, err error) {
	o = receipt.Options{
		Registry: all.Formats(), AnySigner: f.anySigner, AllowHistorical: f.allowHistorical,
		SSHNamespaces: f.namespaces, Now: time.Now(),
	}
	if o.TrustedRoot, err = trustroot.Load(f.trustedRoot); err != nil {
		return o, err
	}
	if o.At, err = parseTime(f.at); err != nil {
		return o, err
	}
	if f.gatewayTrust != "" {
		if o.GatewayTrust, err = trustroot.LoadGateway(f.gatewayTrust); err != nil {
			return o, err
		}
	}
	if o.ExpectedKeys, err = readFiles(f.keys, formats.MaxKeySize); err != nil {
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

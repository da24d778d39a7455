// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/evidence"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// showAnswer prints what is known of the submission, and returns err with it.
func (a *attempt) showAnswer(ctx context.Context, answer *pb.SubmitResponse, err error) error {
	s := answer.GetSubmission()
	better := a.explainRepresentation(ctx, s)
	commands := a.verifyCommands(ctx, s)
	switch {
	case a.globals.isJSON():
		return a.printJSONAnswer(answer, better, commands, err)
	case a.globals.quiet:
		output.Line(a.out, "%s", s.GetId())
		return err
	case err != nil && s.GetReceipt() != nil && !a.receiptChecked:
		output.Line(a.out, "submission %s", s.GetId()) // it may be logged or not: the receipt is not good
		return err
	}
	a.printAnswer(answer)
	if better != nil {
		a.notes.Say("note: %s and not better: %s", s.GetRepresentation(), better.Message)
		a.notes.Say("hint: %s", better.Hint)
	}
	if err == nil && len(commands) > 0 {
		output.Line(a.out, "verify it with:")
		for _, c := range commands {
			output.Line(a.out, "  %s", c)
		}
	}
	return err
}

// printJSONAnswer prints the answer with what this command adds to it. With an error it is the caller's to
// print both.
func (a *attempt) printJSONAnswer(answer *pb.SubmitResponse, better *pb.Problem, commands []receipt.Command, failed error) error {
	s := proto.CloneOf(answer.GetSubmission())
	s.Receipt = nil
	raw, err := output.MarshalMessage(&pb.SubmitResponse{Submission: s, Created: answer.GetCreated()})
	if err != nil {
		return err
	}
	lines := make([]string, len(commands))
	for i, c := range commands {
		lines[i] = c.String()
	}
	for _, member := range []struct {
		name  string
		value any
	}{{"receiptVerified", a.receiptChecked}, {"verifyCommands", lines}} {
		value, err := json.Marshal(member.value)
		if err != nil {
			return fmt.Errorf("encoding: %w", err)
		}
		raw = addMember(raw, member.name, value)
	}
	if better != nil {
		value, err := output.MarshalMessage(better)
		if err != nil {
			return err
		}
		raw = addMember(raw, "notBetter", value)
	}
	if failed != nil {
		return fault.NewWithResult(failed, raw)
	}
	_, err = fmt.Fprintf(a.out, "%s\n", output.EscapeJSON(raw))
	return err
}

func (a *attempt) printAnswer(answer *pb.SubmitResponse) {
	s, more := answer.GetSubmission(), ""
	if !answer.GetCreated() {
		more = " (submitted before)"
	}
	if s.GetReceipt() != nil && !a.receiptChecked {
		more += " (the receipt is not verified)"
	}
	output.Line(a.out, "%s  %s  %s as %s%s", s.GetState(), s.GetId(), s.GetFormat(), s.GetRepresentation(), more)
	printEntries(a.out, s)
	if a.receiptKept {
		output.Line(a.out, "receipt in %s", a.receipt)
	}
}

// explainRepresentation returns why the signature is not recorded as it is, and how it would be. It returns nil where what it is was
// asked for, or where there is nothing better.
func (a *attempt) explainRepresentation(ctx context.Context, s *pb.Submission) *pb.Problem {
	alone := isInRekorV1Alone(s.GetReceipt()) && s.GetReceipt().GetArtifact().GetSize() < 0 // by a digest
	improvable := s.GetRepresentation() == receiptpb.Receipt_ATTESTED || alone && s.GetRepresentation() == receiptpb.Receipt_PROJECTED
	if !improvable || strings.EqualFold(a.representation, s.GetRepresentation().String()) {
		return nil
	}
	if a.parsed == nil {
		signature, keys, err := a.readInputs(ctx)
		if err != nil {
			return nil
		}
		if a.parsed, err = a.parseHere(ctx, &pb.SubmissionHeader{Signature: signature, Keys: keys, Format: a.format}); err != nil {
			return nil
		}
	}
	if whole := a.parsed.Describe().Whole; alone && whole != nil && s.GetFormat() != pgpFormat { // of PGP it is the policy that decides
		return &pb.Problem{
			Reason: string(formats.ReasonNeedsBytes), Message: "this log of Rekor v1 takes such a signature itself, with the file, and a digest was sent in its place",
			Hint: "send the file, up to the size that plan --server names: --send-bytes; the log is sent it, and records its digest",
		}
	}
	if s.GetRepresentation() != receiptpb.Receipt_ATTESTED {
		return nil
	}
	way := gateway.Direct
	if all := s.GetSignatures(); len(all) > 0 {
		way = gateway.Way(evidence.NameWay(all[0].GetWay()))
	}
	refusal := evidence.ExplainAttested(a.parsed.Describe(), a.verified, way)
	if refusal == nil || refusal.Hint == "" {
		return nil
	}
	return &pb.Problem{Reason: string(refusal.Reason), Message: refusal.Message, Hint: refusal.Hint}
}

// isInRekorV1Alone reports whether all entries are of logs of Rekor v1, which promise to include what they are sent.
func isInRekorV1Alone(r *receiptpb.Receipt) bool {
	return len(r.GetEntries()) > 0 && !slices.ContainsFunc(r.GetEntries(), func(e *receiptpb.LogEntry) bool {
		logged := e.GetBundle().GetVerificationMaterial().GetTlogEntries()
		return len(logged) == 0 || logged[0].GetInclusionPromise() == nil
	})
}

// verifyCommands returns the commands that verify what was submitted, from the files that there are.
func (a *attempt) verifyCommands(ctx context.Context, s *pb.Submission) []receipt.Command {
	if s.GetReceipt() == nil {
		return nil
	}
	commands, artifact := a.artifactCommands()
	receiptFile := a.receipt
	if receiptFile == "" {
		receiptFile = receiptName(artifact, a.signature)
		commands = append(commands, append(a.command("get"), s.GetId(), "--receipt", receiptFile))
	}
	verify := receipt.Command{programName(), "verify"}
	if artifact != "" {
		verify = append(verify, artifact)
	}
	verify = append(verify, "--receipt", receiptFile)
	verify = append(verify, a.signerArguments(ctx, s)...)
	trust, arguments := a.trustCommands(s)
	verify = append(verify, arguments...)
	for _, n := range a.namespaces {
		verify = append(verify, "--ssh-namespace", n)
	}
	if s.GetReceipt().GetPolicy().GetHistorical() && len(s.GetReceipt().GetFindings()) > 0 {
		verify = append(verify, "--allow-historical")
	}
	return append(append(commands, trust...), verify)
}

// receiptName is the name that verify looks for beside a file.
func receiptName(artifact, signature string) string {
	if artifact == "" {
		artifact = signature
	}
	return artifact + receiptSuffix
}

// artifactCommands returns the commands that make the file which was signed, and its name.
func (a *attempt) artifactCommands() (commands []receipt.Command, artifact string) {
	artifact = a.artifact
	switch {
	case a.digest != "":
		return nil, "ARTIFACT" // nobody said where it is
	case client.IsURL(artifact):
		name := "artifact"
		if u, err := client.ParseFetchURL(artifact); err == nil {
			name = client.FileName(u)
		}
		commands = append(commands, receipt.Command{"curl", "-fsSL", "-o", name, artifact})
		artifact = name
	}
	if a.decompress == "" || artifact == "" {
		return commands, artifact
	}
	tool := map[string]string{string(container.Gzip): "gzip", string(container.XZ): "xz"}[a.decompress]
	inner := strings.TrimSuffix(artifact, path.Ext(artifact))
	return append(commands, receipt.Command{tool, "-dk", artifact}), inner
}

// signerArguments name the keys as they were named, else the signers by their identities. verify wants each of several key
// files to have signed, so one that is only for another signature is left out.
func (a *attempt) signerArguments(ctx context.Context, s *pb.Submission) (arguments []string) {
	for _, k := range a.keys {
		if len(a.keys) == 1 || s.GetFormat() == tufFormat || a.madeSignature(ctx, k) {
			arguments = append(arguments, "--key", k)
		}
	}
	if len(arguments) > 0 {
		return arguments
	}
	for _, signer := range s.GetSigners() {
		arguments = append(arguments, "--signer", signer)
	}
	return arguments
}

// tufFormat is the format whose key files are one chain.
const tufFormat = "tuf"

// pgpFormat is the format whose signatures a log of Rekor v1 takes itself only where the policy lets user IDs become public.
const pgpFormat = "pgp"

// madeSignature reports whether a key in the file made one of the signatures.
func (a *attempt) madeSignature(ctx context.Context, path string) bool {
	signature, err := input.ReadFile(a.signature, formats.MaxSignatureSize)
	if err != nil {
		return false
	}
	keys, err := readKeyFiles(ctx, []string{path}, a.format, signature)
	if err != nil {
		return false
	}
	_, err = all.Formats().Parse(ctx, a.format, signature, keys, formats.Policy{
		Now: time.Now(), Historical: formats.AllowAll(true), SSHNamespaces: a.namespaces, KnownOnly: true,
	})
	return err == nil
}

// trustCommands returns the commands that get the trust files, and the arguments that name them.
func (a *attempt) trustCommands(s *pb.Submission) (commands []receipt.Command, arguments []string) {
	rootURL, trustURL := client.TrustFileURLs(a.server)
	add := func(flag, named, name, from string, served []byte) {
		if named == "" && served != nil {
			commands = append(commands, a.curlCommand(name, from))
		}
		arguments = append(arguments, flag, cmp.Or(named, name))
	}
	add("--trusted-root", a.trustedRoot, rootFile, rootURL, a.served.TrustedRoot)
	if s.GetRepresentation() == receiptpb.Receipt_ATTESTED || restsOnGateway(s.GetReceipt()) {
		add("--gateway-trust", a.gatewayTrust, trustFile, trustURL, a.served.GatewayTrust)
	}
	return commands, arguments
}

func (a *attempt) curlCommand(name, from string) receipt.Command {
	c := receipt.Command{"curl", "-fsS", "-o", name}
	if u, err := url.Parse(from); err == nil && u.Scheme == "https" && a.caFile != "" {
		c = append(c, "--cacert", a.caFile)
	}
	return append(c, from)
}

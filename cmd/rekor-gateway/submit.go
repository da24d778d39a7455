// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// submitFlags are the flags of submit.
type submitFlags struct {
	signatureFlags
	connection
	globals                 *globals
	artifact, digest        string
	representation, receipt string
	decompress              string
	labels, namespaces      []string
	wait                    time.Duration
	sendBytes, publish      bool
}

func newSubmit(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "submit",
		Short: "Submit a signature to a gateway and wait for its receipt",
		Long: `submit verifies a signature here, sends it to a gateway, and waits until it is in the log.

The artifact stays on this machine where the format allows it: then only its digest is sent,
or (PGP) the digest of the bytes that are really signed. Of the keys, the signer's alone is
sent, without user IDs where they are not needed. With --send-bytes the artifact
itself is sent, and the gateway alone judges.`,
		Example: `  rekor-gateway submit --server http://127.0.0.1:8080 --signature app.tar.gz.asc --key release.asc --artifact app.tar.gz --receipt app.tar.gz.receipt.json
  rekor-gateway submit --server grpc://127.0.0.1:8081 --signature app.sig --key app.pub --digest sha256:$(sha256sum app | cut -d' ' -f1)`,
		Args: noArguments,
	}
	f := submitFlags{globals: g}
	f.signatureFlags.addFlags(c)
	f.connection.addFlags(c)
	c.Flags().StringVar(&f.artifact, "artifact", "", "the signed `FILE`")
	c.Flags().StringVar(&f.digest, "digest", "", "the signed file's digest, `ALG:HEX`, in place of the file")
	c.Flags().StringVar(&f.representation, "representation", "", "NATIVE, PROJECTED or ATTESTED; the best possible one when not given")
	c.Flags().StringArrayVar(&f.labels, "label", nil, "note of your own, `name=value` (repeatable); it is never logged")
	c.Flags().DurationVar(&f.wait, "wait", 30*time.Second, "how long to wait for the log; 0 returns once the gateway has accepted")
	c.Flags().StringVar(&f.receipt, "receipt", "", "write the receipt to this `FILE`")
	c.Flags().StringVar(&f.decompress, "decompress", "", "the artifact is a container, gzip or xz, and what is inside was signed; the container is sent")
	c.Flags().StringArrayVar(&f.namespaces, "ssh-namespace", nil, "SSH signature namespace that the gateway accepts (repeatable); file when not given")
	c.Flags().BoolVar(&f.sendBytes, "send-bytes", false, "send the artifact itself")
	c.Flags().BoolVar(&f.publish, "publish-certificate", false, "log the signer's certificate, with all it names, for ever; not the bare key")
	requireFlags(c, "server")
	completeFlag(c, "representation", representationNames()...)
	completeFlag(c, "decompress", string(container.Gzip), string(container.XZ))
	c.MarkFlagsMutuallyExclusive("artifact", "digest")
	c.RunE = func(c *cobra.Command, _ []string) error {
		return f.runSubmit(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

func (f *submitFlags) runSubmit(ctx context.Context, out, notes io.Writer) error {
	if f.receipt != "" && f.wait == 0 {
		return withHint(fmt.Errorf("a receipt exists only once the submission is logged"), "leave out --wait 0, or fetch the receipt later")
	}
	s, err := f.buildSubmission(ctx, notes)
	if err != nil {
		return err
	}
	remote, err := f.open(max(f.wait, patience), nil)
	if err != nil {
		return err
	}
	defer remote.Close() //nolint:errcheck // nothing is under way
	answer, err := f.submitAndWait(ctx, remote, s)
	if err != nil {
		return err
	}
	if err := f.writeReceipt(answer.GetSubmission()); err != nil {
		return err
	}
	if err := f.printAnswer(out, answer); err != nil {
		return err
	}
	return f.checkLogged(answer.GetSubmission())
}

// askedWait is the longest that one call to the gateway waits for the log.
const askedWait = 30 * time.Second

// submitAndWait sends s and waits until it is settled, for at most f.wait.
func (f *submitFlags) submitAndWait(ctx context.Context, g client.Client, s client.Submission) (*pb.SubmitResponse, error) {
	started := time.Now()
	s.Wait = min(f.wait, askedWait)
	answer, err := g.Submit(ctx, s)
	if err != nil {
		return nil, err
	}
	for !isSettled(answer.GetSubmission()) && time.Since(started) < f.wait {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
		if answer.Submission, err = g.Get(ctx, answer.GetSubmission().GetId()); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

func isSettled(s *pb.Submission) bool { return gateway.State(s.GetState().String()).Settled() }

// buildHeader returns the header that the flags describe, without a digest.
func (f *submitFlags) buildHeader(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
	h := &pb.SubmissionHeader{Signature: signature, Keys: keys, Format: f.format, Decompress: f.decompress, PublishCertificate: f.publish}
	if f.representation != "" {
		r, ok := receiptpb.Receipt_Representation_value[strings.ToUpper(f.representation)]
		if !ok || r == 0 {
			return nil, withHint(fmt.Errorf("there is no representation %q", f.representation), "use NATIVE, PROJECTED or ATTESTED")
		}
		h.Representation = receiptpb.Receipt_Representation(r)
	}
	for _, l := range f.labels {
		name, value, ok := strings.Cut(l, "=")
		if !ok || name == "" {
			return nil, withHint(fmt.Errorf("the label %q is not name=value", l), "write it as --label release=1.2")
		}
		if h.Labels == nil {
			h.Labels = map[string]string{}
		}
		h.Labels[name] = value
	}
	return h, nil
}

func (f *submitFlags) openArtifact() (io.ReadCloser, error) { return os.Open(f.artifact) }

func (f *submitFlags) writeReceipt(s *pb.Submission) error {
	if f.receipt == "" || s.GetReceipt() == nil {
		return nil
	}
	raw, err := receipt.Marshal(s.GetReceipt())
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.receipt, raw, 0o644); err != nil { // #nosec G306 -- receipts are public
		return fmt.Errorf("writing the receipt: %w", err)
	}
	return nil
}

func (f *submitFlags) printAnswer(w io.Writer, answer *pb.SubmitResponse) error {
	s := proto.CloneOf(answer.GetSubmission())
	if f.globals.isJSON() {
		s.Receipt = nil
		return printMessage(w, &pb.SubmitResponse{Submission: s, Created: answer.GetCreated()})
	}
	again := ""
	if !answer.GetCreated() {
		again = " (submitted before)"
	}
	printLine(w, "%s  %s  %s as %s%s", s.GetState(), s.GetId(), s.GetFormat(), s.GetRepresentation(), again)
	for _, e := range s.GetEntries() {
		if e.LogIndex != nil {
			printLine(w, "log %s, index %d", e.GetLog(), e.GetLogIndex())
			continue
		}
		printLine(w, "log %s: %s %s", e.GetLog(), e.GetState(), e.GetProblem().GetMessage())
	}
	if f.receipt != "" && s.GetReceipt() != nil {
		printLine(w, "receipt in %s", f.receipt)
	}
	return nil
}

// checkLogged returns an error unless the submission is logged. With --wait 0, accepted is enough.
func (f *submitFlags) checkLogged(s *pb.Submission) error {
	switch {
	case s.GetState() == pb.Submission_LOGGED:
		return nil
	case s.GetState() == pb.Submission_FAILED:
		return withHint(fmt.Errorf("the log refused submission %s for good", s.GetId()), "ask the gateway's operator; it can be submitted again")
	case f.wait == 0:
		return nil
	}
	return withHint(fmt.Errorf("submission %s is accepted and not logged yet after %v", s.GetId(), f.wait),
		"nothing is lost: submit it again to wait longer")
}

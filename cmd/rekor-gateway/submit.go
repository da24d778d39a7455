// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// submitFlags are the flags of submit.
type submitFlags struct {
	signatureFlags
	connection
	trustFlags
	globals            *globals
	artifact, digest   string // artifact: a file's name or a URL
	representation     string
	way                string
	receipt            string
	decompress         string
	priority           string
	labels, namespaces []string
	wait               time.Duration
	sendBytes, publish bool
	force              bool
}

func newSubmit(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "submit",
		Short: "Submit a signature to a gateway and wait for its receipt",
		Long: `submit verifies a signature here, sends it to a gateway, waits until it is in the log, and
verifies the receipt.

The artifact stays on this machine where the format allows it: then only its digest is sent,
or (PGP) the digest of the bytes that are really signed. Of the keys, the signer's alone is
sent, without user IDs where they are not needed. With --send-bytes the artifact
itself is sent, and the gateway alone judges.`,
		Example: `  rekor-gateway submit --server http://127.0.0.1:8080 --signature app.tar.gz.asc --key release.asc --artifact app.tar.gz --receipt app.tar.gz.receipt.json
  rekor-gateway submit --server grpc://127.0.0.1:8081 --signature app.sig --key app.pub --digest sha256:$(sha256sum app | cut -d' ' -f1)
  rekor-gateway submit --server https://gateway.example.com --token-file token --signature app.sig --key app.pub --artifact app
  rekor-gateway submit --server https://gateway.example.com --oidc --oidc-audience https://gateway.example.com --signature app.sig --key app.pub --artifact app`,
		Args: noArguments,
	}
	f := submitFlags{globals: g}
	f.signatureFlags.addFlags(c)
	f.connection.addFlags(c)
	f.trustFlags.addFlags(c)
	f.addFlags(c)
	requireFlags(c, "server")
	c.RunE = func(c *cobra.Command, _ []string) error {
		a := &attempt{submitFlags: &f, out: c.OutOrStdout(), notes: output.NewNotes(g.notes(c)), terminal: g.terminal(c)}
		return a.run(c.Context())
	}
	return c
}

func (f *submitFlags) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.artifact, "artifact", "", "the signed `FILE`, or its http(s) URL: it is fetched to this machine")
	c.Flags().StringVar(&f.digest, "digest", "", "the signed file's digest, `ALG:HEX`, in place of the file")
	c.Flags().StringVar(&f.way, "way", "", "direct or batched; as the gateway's policy has it when not given")
	c.Flags().StringVar(&f.representation, "representation", "", "NATIVE, PROJECTED or ATTESTED; the best possible one when not given")
	c.Flags().StringArrayVar(&f.labels, "label", nil, "note of your own, `name=value` (repeatable); it is never logged")
	c.Flags().DurationVar(&f.wait, "wait", 30*time.Second, "how long to wait for the log; 0 returns once the gateway has accepted")
	c.Flags().StringVar(&f.receipt, "receipt", "", "write the receipt to this `FILE`")
	c.Flags().BoolVar(&f.force, "force", false, "replace the receipt's file when it has something else in it")
	c.Flags().StringVar(&f.decompress, "decompress", "", "the artifact is a container, gzip or xz, and what is inside was signed; the container is sent")
	c.Flags().StringVar(&f.priority, "priority", "", "interactive, or backfill, which waits while anything interactive does; interactive when not given")
	c.Flags().StringArrayVar(&f.namespaces, "ssh-namespace", nil, "SSH signature namespace that the gateway accepts (repeatable); file when not given")
	c.Flags().BoolVar(&f.sendBytes, "send-bytes", false, "send the artifact itself")
	c.Flags().BoolVar(&f.publish, "publish-certificate", false, "log the signer's certificate, with all it names, for ever; not the bare key")
	completeFlag(c, "representation", representationNames()...)
	completeFlag(c, "way", "direct", "batched")
	completeFlag(c, "priority", gateway.Interactive.String(), gateway.Backfill.String())
	completeFlag(c, "decompress", string(container.Gzip), string(container.XZ))
	c.MarkFlagsMutuallyExclusive("artifact", "digest")
}

// attempt is one run of submit.
type attempt struct {
	*submitFlags
	out      io.Writer
	notes    *output.Notes
	terminal io.Writer // for progress; nil when there is none

	path     string            // the artifact's file; "" when there is none
	parsed   formats.Parsed    // nil when the signature was not read here
	verified *formats.Verified // nil when it was not verified here
	remote   client.Client

	served         client.TrustFiles // what the gateway hands out; nil files when it was not asked
	receiptChecked bool              // the receipt verifies
	receiptKept    bool              // it is in the file that was named
}

// run submits, and tells the submission's id whatever happens after the gateway has given one.
func (a *attempt) run(ctx context.Context) error {
	if a.receipt != "" && a.wait == 0 {
		return withHint(errors.New("a receipt exists only once the submission is logged"),
			"leave out --wait 0, or leave out --receipt and get it later: rekor-gateway get ID --receipt FILE")
	}
	if err := checkReceiptPath(a.receipt, a.force); err != nil {
		return err
	}
	cleanUp, err := a.takeArtifact(ctx)
	if err != nil {
		return err
	}
	defer cleanUp()
	s, err := a.buildSubmission(ctx)
	if err != nil {
		return err
	}
	if a.remote, err = a.open(max(a.wait, patience), a.notes.SayRetrying); err != nil {
		return err
	}
	defer a.remote.Close() //nolint:errcheck // nothing is under way
	answer, err := a.submitAndWait(ctx, s)
	if answer == nil {
		return a.explainNeedsBytes(err)
	}
	if err == nil {
		err = a.keepReceipt(ctx, answer.GetSubmission())
	}
	if err == nil {
		err = a.checkLogged(answer.GetSubmission())
	}
	return a.showAnswer(ctx, answer, err)
}

// explainNeedsBytes says what to name in place of a digest that is not enough.
func (a *attempt) explainNeedsBytes(err error) error {
	var refusal *client.Error
	if a.digest == "" || !errors.As(err, &refusal) || refusal.Reason != string(formats.ReasonNeedsBytes) {
		return err
	}
	return fail(formats.ReasonNeedsBytes, err, "name the file with --artifact in place of --digest; it is sent only where no digest is enough")
}

// buildHeader returns the header that the flags describe, without a digest.
func (f *submitFlags) buildHeader(signature []byte, keys [][]byte) (*pb.SubmissionHeader, error) {
	h := &pb.SubmissionHeader{Signature: signature, Keys: keys, Format: f.format, Decompress: f.decompress, PublishCertificate: f.publish, Signatures: f.which, Priority: f.priority}
	if _, ok := gateway.ParsePriority(f.priority); !ok {
		return nil, withHint(fmt.Errorf("there is no priority %q", f.priority), "use interactive or backfill")
	}
	if f.representation != "" {
		r, ok := receiptpb.Receipt_Representation_value[strings.ToUpper(f.representation)]
		if !ok || r == 0 {
			return nil, withHint(fmt.Errorf("there is no representation %q", f.representation), "use NATIVE, PROJECTED or ATTESTED")
		}
		h.Representation = receiptpb.Receipt_Representation(r)
	}
	if f.way != "" {
		w, ok := receiptpb.RecordedSignature_Way_value[strings.ToUpper(f.way)]
		if !ok || w == 0 {
			return nil, withHint(fmt.Errorf("there is no way %q", f.way), "use direct or batched")
		}
		h.Way = receiptpb.RecordedSignature_Way(w)
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

// checkLogged returns an error unless the submission is logged. With --wait 0, accepted is enough.
func (a *attempt) checkLogged(s *pb.Submission) error {
	switch {
	case s.GetState() == pb.Submission_LOGGED:
		return nil
	case s.GetState() == pb.Submission_FAILED:
		return fail(problem.ReasonLogRefused, fmt.Errorf("the log refused submission %s for good", s.GetId()),
			"ask the gateway's operator; it can be submitted again")
	case a.wait == 0:
		return nil
	}
	return fail(problem.ReasonNotLogged, fmt.Errorf("submission %s is accepted and not logged yet after %v", s.GetId(), a.wait),
		"nothing is lost: ask for it later with rekor-gateway get %s, or submit it again to wait longer", s.GetId())
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func newGet(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "get ID",
		Short: "Show a submission, and get its receipt",
		Long: `get asks a gateway for one of your submissions. With --receipt the receipt is kept in a file, if
the submission is logged; verify it before you rely on it.`,
		Example: `  rekor-gateway get --server http://127.0.0.1:8080 0198f2a4-7b1c-7c3e-9d55-0a1b2c3d4e5f --receipt app.tar.gz.receipt.json`,
	}
	var n connection
	n.addFlags(c)
	path := c.Flags().String("receipt", "", "write the receipt to this `FILE`")
	force := c.Flags().Bool("force", false, "replace the receipt's file when it has something else in it")
	requireFlags(c, "server")
	c.Args = oneArgument("the submission's id")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkReceiptPath(*path, *force); err != nil {
			return err
		}
		told := output.NewNotes(g.notes(c))
		remote, err := n.open(patience, told.SayRetrying)
		if err != nil {
			return err
		}
		defer remote.Close() //nolint:errcheck // nothing is under way
		defer told.SayWaiting("asking " + n.server)()
		s, err := remote.Get(c.Context(), args[0])
		if err != nil {
			return err
		}
		return g.showSubmission(c.OutOrStdout(), s, keepLogged(s, *path, *force), *path)
	}
	return c
}

// keepLogged writes the receipt of s, where one is wanted.
func keepLogged(s *pb.Submission, path string, force bool) error {
	switch {
	case path == "":
		return nil
	case s.GetReceipt() == nil && s.GetState() == pb.Submission_FAILED:
		return fail(problem.ReasonLogRefused, fmt.Errorf("the log refused submission %s for good", s.GetId()),
			"ask the gateway's operator; it can be submitted again")
	case s.GetReceipt() == nil:
		return fail(problem.ReasonNotLogged, fmt.Errorf("submission %s is not logged yet", s.GetId()), "ask again later")
	}
	return writeReceipt(path, s.GetReceipt(), force)
}

// showSubmission prints s, and returns err with it.
func (g *globals) showSubmission(w io.Writer, s *pb.Submission, err error, receipt string) error {
	if g.isJSON() {
		answer := &pb.GetSubmissionResponse{Submission: s}
		if receipt != "" { // it is in the file
			answer.Submission = proto.CloneOf(s)
			answer.Submission.Receipt = nil
		}
		if err != nil {
			return withResult(err, answer)
		}
		return output.Message(w, answer)
	}
	if g.quiet {
		return err
	}
	output.Line(w, "%s  %s  %s as %s", s.GetState(), s.GetId(), s.GetFormat(), s.GetRepresentation())
	output.Line(w, "submitted %s", s.GetCreateTime().AsTime().Format(time.RFC3339))
	for _, d := range s.GetArtifactDigests() {
		output.Line(w, "artifact %s", d)
	}
	for _, id := range s.GetSigners() {
		output.Line(w, "signer %s", id)
	}
	printEntries(w, s)
	if err == nil && receipt != "" {
		output.Line(w, "receipt in %s (not verified: rekor-gateway verify)", receipt)
	}
	return err
}

// printEntries prints where s is logged, or what its last setback was.
func printEntries(w io.Writer, s *pb.Submission) {
	for _, e := range s.GetEntries() {
		if e.LogIndex != nil {
			output.Line(w, "log %s, index %d", e.GetLog(), e.GetLogIndex())
			continue
		}
		output.Line(w, "log %s: %s %s", e.GetLog(), e.GetState(), e.GetProblem().GetMessage())
	}
	if s.GetEta() != nil {
		output.Line(w, "expected in the log about %s", s.GetEta().AsTime().Format(time.RFC3339))
	}
	for _, d := range s.GetDelays() {
		output.Line(w, "no estimate: log %s: %s", d.GetLog(), d.GetProblem().GetMessage())
	}
}

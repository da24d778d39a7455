// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// listFlags are the flags of list.
type listFlags struct {
	connection
	artifact, signer, state, pageToken string
	digests                            []formats.Digest // of the file that artifact names, if it names one
	pageSize                           int32
	audit                              bool
}

func newList(g *globals) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List your submissions, the newest first",
		Long: `list asks a gateway for your submissions, a page at a time. An artifact is found by a digest that its
receipt names: those of which only PGP's digest of the signed bytes was sent are not.

With --audit it asks for the audit trail of your tenant instead, for which the right audit is needed: who sent
what, from where, and what became of it.`,
		Example: `  rekor-gateway list --server http://127.0.0.1:8080 --state PENDING
  rekor-gateway list --server http://127.0.0.1:8080 --artifact app.tar.gz
  rekor-gateway list --server http://127.0.0.1:8080 --audit`,
		Args: noArguments,
	}
	var f listFlags
	f.addFlags(c)
	c.Flags().StringVar(&f.artifact, "artifact", "", "only those whose receipts have a digest of this `FILE`, or this digest, ALG:HEX")
	c.Flags().StringVar(&f.signer, "signer", "", "only those by this signer: `sha256:HEX` of the SubjectPublicKeyInfo")
	c.Flags().StringVar(&f.state, "state", "", "only those in this state: "+strings.Join(stateNames(), ", "))
	c.Flags().BoolVar(&f.audit, "audit", false, "the audit trail, in place of the submissions")
	for _, filter := range []string{"artifact", "signer", "state"} {
		c.MarkFlagsMutuallyExclusive("audit", filter)
	}
	c.Flags().Int32Var(&f.pageSize, "page-size", 0, "how many at once, at most 1000; 100 when not given")
	c.Flags().StringVar(&f.pageToken, "page-token", "", "where the page before ended, as it was printed there")
	completeFlag(c, "state", stateNames()...)
	requireFlags(c, "server")
	c.RunE = func(c *cobra.Command, _ []string) error {
		request, err := f.buildRequest()
		if err != nil {
			return err
		}
		told := output.NewNotes(g.notes(c))
		remote, err := f.open(patience, told.SayRetrying)
		if err != nil {
			return err
		}
		defer remote.Close() //nolint:errcheck // nothing is under way
		defer told.SayWaiting("asking " + f.server)()
		if f.audit {
			return f.showAudit(c.Context(), g, c.OutOrStdout(), remote)
		}
		page, err := f.list(c.Context(), remote, request)
		if err != nil {
			return err
		}
		return f.showPage(g, c.OutOrStdout(), page)
	}
	return c
}

func (f *listFlags) buildRequest() (*pb.ListSubmissionsRequest, error) {
	r := &pb.ListSubmissionsRequest{Artifact: f.artifact, Signer: f.signer, PageSize: f.pageSize, PageToken: f.pageToken}
	if f.state != "" {
		state, ok := pb.Submission_State_value[strings.ToUpper(f.state)]
		if !ok || state == 0 {
			return nil, withHint(fmt.Errorf("there is no state %q", f.state), "use one of: %s", strings.Join(stateNames(), ", "))
		}
		r.State = pb.Submission_State(state)
	}
	if _, err := formats.ParseDigest(f.artifact); f.artifact == "" || err == nil {
		return r, nil
	}
	var err error
	f.digests, err = hashFile(f.artifact)
	return r, err
}

// list asks for a page: of a file by all of its digests.
func (f *listFlags) list(ctx context.Context, remote client.Client, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	if len(f.digests) > 0 {
		return listFile(ctx, remote, r, f.digests)
	}
	return remote.List(ctx, r)
}

func (f *listFlags) showPage(g *globals, w io.Writer, page *pb.ListSubmissionsResponse) error {
	if g.isJSON() {
		return output.Message(w, page)
	}
	if g.quiet {
		for _, s := range page.GetSubmissions() {
			output.Line(w, "%s", s.GetId())
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range page.GetSubmissions() {
		output.Line(t, "%s\t%s\t%s\t%s as %s\t%s", s.GetId(), s.GetState(), s.GetCreateTime().AsTime().Format(time.RFC3339),
			s.GetFormat(), s.GetRepresentation(), strings.Join(s.GetArtifactDigests(), " "))
	}
	err := t.Flush()
	if len(page.GetSubmissions()) == 0 {
		output.Line(w, "there are none")
		switch {
		case len(f.digests) > 0:
			output.Line(w, "a file may be recorded by none of its digests, as PGP signatures are unless the bytes were sent")
		case f.artifact != "":
			output.Line(w, "a file may be recorded by another of its digests, by all of which it is found when the file is named, and by none of them, as PGP signatures are unless the bytes were sent")
		}
	}
	if next := page.GetNextPageToken(); next != "" {
		output.Line(w, "more: %s", f.nextPage(next))
	}
	return err
}

// nextPage is the command for the page after this one.
func (f *listFlags) nextPage(token string) receipt.Command {
	c := f.command("list")
	if f.audit {
		c = append(c, "--audit")
	}
	for _, flag := range [][2]string{{"--artifact", f.artifact}, {"--signer", f.signer}, {"--state", f.state}} {
		if flag[1] != "" {
			c = append(c, flag[0], flag[1])
		}
	}
	if f.pageSize != 0 {
		c = append(c, "--page-size", fmt.Sprint(f.pageSize))
	}
	return append(c, "--page-token", token)
}

// oneArgument wants one argument, which is what.
func oneArgument(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch len(args) {
		case 1:
			return nil
		case 0:
			return withHint(errors.New(what+" is missing"), "see: %s --help", c.CommandPath())
		}
		return withHint(fmt.Errorf("%s takes one argument, %s", c.Name(), what), "see: %s --help", c.CommandPath())
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// showAudit asks for a page of the audit trail, and shows it.
func (f *listFlags) showAudit(ctx context.Context, g *globals, w io.Writer, remote client.Client) error {
	page, err := remote.ListAudit(ctx, &pb.ListAuditRequest{PageSize: f.pageSize, PageToken: f.pageToken})
	if err != nil {
		return err
	}
	if g.isJSON() {
		return output.Message(w, page)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range page.GetRecords() {
		about := append([]string{r.GetReason()}, r.GetSubmissionId())
		about = append(append(about, r.GetArtifactDigests()...), r.GetSigners()...)
		output.Line(t, "%s\t%s\t%s\t%s\t%s\t%s", r.GetTime().AsTime().Format(time.RFC3339), r.GetEvent(), r.GetCaller(), r.GetAddress(),
			r.GetRequestId(), strings.TrimSpace(strings.Join(about, " ")))
	}
	err = t.Flush()
	if len(page.GetRecords()) == 0 && !g.quiet {
		output.Line(w, "there is none")
	}
	if next := page.GetNextPageToken(); next != "" && !g.quiet {
		output.Line(w, "more: %s", f.nextPage(next))
	}
	return err
}

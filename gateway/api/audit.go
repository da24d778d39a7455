// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/hex"
	"net/http"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func (h *httpServer) serveAudit(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r, "page_size", "page_token")
	if err != nil {
		return err
	}
	request := &pb.ListAuditRequest{PageToken: q.Get("page_token")}
	if request.PageSize, err = parsePageSize(q.Get("page_size")); err != nil {
		return err
	}
	body, err := buildJSON(r.Context(), h.answers, func() (*pb.ListAuditResponse, error) { return listAudit(r.Context(), h.service, request) })
	if err != nil {
		return err
	}
	return h.writeJSON(w, r, http.StatusOK, body)
}

func (g *grpcServer) ListAudit(ctx context.Context, r *pb.ListAuditRequest) (*pb.ListAuditResponse, error) {
	out, err := buildMessage(ctx, g.answers, func() (*pb.ListAuditResponse, error) { return listAudit(ctx, g.service, r) })
	if err != nil {
		return nil, g.writeError(ctx, err)
	}
	return out, nil
}

func listAudit(ctx context.Context, s Service, r *pb.ListAuditRequest) (*pb.ListAuditResponse, error) {
	size, err := checkPageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	records, next, err := s.ListAudit(ctx, tenantOf(ctx), gateway.AuditParams{PageSize: size, PageToken: r.GetPageToken()})
	if err != nil {
		return nil, err
	}
	out := &pb.ListAuditResponse{NextPageToken: next}
	for i := range records {
		out.Records = append(out.Records, convertRecord(&records[i]))
	}
	return out, nil
}

func convertRecord(r *gateway.AuditRecord) *pb.AuditRecord {
	out := &pb.AuditRecord{
		Time: timestamppb.New(r.Time), Event: string(r.Event), Caller: r.Caller, Address: r.Address, RequestId: r.RequestID,
		SubmissionId: r.Submission, Reason: string(r.Reason),
	}
	for _, id := range r.Signers {
		out.Signers = append(out.Signers, "sha256:"+hex.EncodeToString(id[:]))
	}
	for _, d := range r.Artifacts {
		out.ArtifactDigests = append(out.ArtifactDigests, d.String())
	}
	return out
}

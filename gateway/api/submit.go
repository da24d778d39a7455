// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

var (
	errNotLogged = formats.NewError(problem.ReasonNotLogged, "the submission is not logged yet", "ask again later, or submit with wait=30s")

	errLogRefused = formats.NewError(problem.ReasonLogRefused, "the gateway verified the signature, and the log refused it",
		"send it again later; the gateway's operator finds more in its log")
)

// serveSubmit takes POST /v1/submissions: 201 logged, 200 the same as before, 202 accepted,
// 502 refused by the log.
func (h *httpServer) serveSubmit(w http.ResponseWriter, r *http.Request) error {
	wait, err := parseWait(r)
	if err != nil {
		return err
	}
	answer, err := h.submitBody(w, r, wait)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/submissions/"+answer.GetSubmission().GetId())
	if answer.GetSubmission().GetState() == pb.Submission_FAILED {
		return errLogRefused
	}
	status := http.StatusAccepted
	switch {
	case !answer.GetCreated() && isLogged(answer):
		status = http.StatusOK
	case isLogged(answer):
		status = http.StatusCreated
	}
	return writeMessage(w, status, answer.GetSubmission())
}

func isLogged(a *pb.SubmitResponse) bool {
	return a.GetSubmission().GetState() == pb.Submission_LOGGED
}

func (h *httpServer) submitBody(w http.ResponseWriter, r *http.Request, wait time.Duration) (*pb.SubmitResponse, error) {
	ctx := formats.EnsureWork(r.Context()) // one account, although hasEnough parses what is parsed again
	sent, err := h.uploads.ReadSubmission(w, r, func(header upload.Header) bool { return h.hasEnough(ctx, header) })
	if err != nil {
		return nil, err
	}
	defer sent.Close()
	return submitOne(ctx, h.service, sent.Header, wait, func() (formats.Artifact, error) { return sent.Artifact, nil })
}

// hasEnough reports whether the keys read so far are enough to judge the signature: a form may name
// more keys after its artifact.
func (h *httpServer) hasEnough(ctx context.Context, header upload.Header) bool {
	request, err := convertHeader(header, "")
	if err == nil {
		_, err = h.service.Plan(ctx, request)
	}
	return formats.ReasonOf(err) != formats.ReasonMissingKey
}

// servePlan takes POST /v1/submissions:plan: the same forms as a submission, without an artifact.
func (h *httpServer) servePlan(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	sent, err := h.uploads.ReadHeader(w, r)
	if err != nil {
		return err
	}
	defer sent.Close()
	plan, err := planHeader(r.Context(), h.service, sent.Header)
	if err != nil {
		return err
	}
	return writeMessage(w, http.StatusOK, plan)
}

// submitOne takes one submission in; HTTP, gRPC and batches all call it. readArtifact is called once
// the header has been accepted.
func submitOne(
	ctx context.Context, s Service, h upload.Header, wait time.Duration, readArtifact func() (formats.Artifact, error),
) (*pb.SubmitResponse, error) {
	request, err := convertHeader(h, tenantOf(ctx))
	if err != nil {
		return nil, err
	}
	stored, err := s.Submit(ctx, request, readArtifact)
	if err != nil {
		return nil, err
	}
	return awaitLog(ctx, s, stored, wait)
}

// awaitLog waits until the submission is settled, for at most wait. Not settled in time is no error.
func awaitLog(ctx context.Context, s Service, stored gateway.Submission, wait time.Duration) (*pb.SubmitResponse, error) {
	settled := stored
	if wait > 0 && !stored.State.Settled() {
		waiting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		var err error
		if settled, err = s.Wait(waiting, stored.Tenant, stored.ID); err != nil {
			return nil, err
		}
	}
	sub, err := convertSubmission(ctx, s, settled, true)
	if err != nil {
		return nil, err
	}
	return &pb.SubmitResponse{Submission: sub, Created: !stored.Existing}, nil
}

// planHeader returns the plan also when nothing is possible; the options say why.
func planHeader(ctx context.Context, s Service, h upload.Header) (*pb.Plan, error) {
	request, err := convertHeader(h, "")
	if err != nil {
		return nil, err
	}
	plan, err := s.Plan(ctx, request)
	if err != nil && len(plan.Options) == 0 {
		return nil, err
	}
	return ConvertPlan(plan), nil
}

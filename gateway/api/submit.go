// SPDX-License-Identifier: Apache-2.0

package api

import (
	"cmp"
	"context"
	"net/http"
	"strings"
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
	wait, err := parseWait(r, DefaultWait)
	if err != nil {
		return err
	}
	sub, artifact, err := h.submitBody(w, r)
	if err != nil {
		return err
	}
	if err := AwaitLog(r.Context(), h.service, &sub, wait); err != nil {
		return err
	}
	return h.answerSubmit(w, r, &sub, artifact)
}

func (h *httpServer) answerSubmit(w http.ResponseWriter, r *http.Request, sub *gateway.Submission, artifact string) error {
	w.Header().Set("Location", makeLocation(r, "/v1/submissions/"+sub.ID))
	w.Header().Add("Vary", "Accept")
	switch {
	case sub.State == gateway.Failed:
		return errLogRefused
	case sub.State == gateway.Logged && wantsReceipt(r):
		return h.writeReceipt(w, r, statusOf(sub), *sub, artifact)
	}
	return h.writeSubmission(w, r, statusOf(sub), *sub)
}

// statusOf returns the status of an answer to what was stored just now, and has got so far.
func statusOf(sub *gateway.Submission) int {
	switch {
	case sub.State != gateway.Logged:
		return http.StatusAccepted
	case sub.Existing:
		return http.StatusOK
	}
	return http.StatusCreated
}

// submitBody takes in what a form or JSON holds, and returns the artifact's file name, too. Nothing of the body is held
// when it returns.
func (h *httpServer) submitBody(w http.ResponseWriter, r *http.Request) (_ gateway.Submission, artifact string, _ error) {
	ctx := formats.EnsureWork(r.Context()) // one account, also where a key comes after the artifact and is parsed twice
	var draft gateway.Draft
	begin := func(header upload.Header) (err error) {
		draft, err = beginHeader(ctx, h.service, header)
		return err
	}
	sent, err := h.uploads.ReadSubmission(w, r, begin)
	if err != nil {
		return gateway.Submission{}, "", err
	}
	defer sent.Close()
	if draft == nil {
		if err := begin(sent.Header); err != nil {
			return gateway.Submission{}, "", err
		}
	}
	artifact = sent.ArtifactName
	stored, err := draft.Submit(ctx, sent.Artifact)
	return stored, artifact, err
}

func beginHeader(ctx context.Context, s Service, h upload.Header) (gateway.Draft, error) {
	request, err := convertHeader(h, gateway.CallerFrom(ctx))
	if err != nil {
		return nil, err
	}
	return s.Begin(ctx, request)
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
	return h.writeMessage(w, r, plan)
}

// submitHeader takes in a header and its artifact; readArtifact is called once the header has been accepted.
func submitHeader(ctx context.Context, s Service, h upload.Header, readArtifact func() (formats.Artifact, error)) (gateway.Submission, error) {
	ctx = formats.EnsureWork(ctx) // one account for the signature with and without the artifact
	draft, err := beginHeader(ctx, s, h)
	if err != nil {
		return gateway.Submission{}, err
	}
	artifact, err := readArtifact()
	if err != nil {
		return gateway.Submission{}, err
	}
	return draft.Submit(ctx, artifact)
}

// AwaitLog waits until the submission is settled, for at most wait, and brings sub to where it is then. Not settled in time is no error. Whose
// credential is taken back meanwhile is told nothing of it. All of a caller's share the lock in lifetime: nobody but those who wait takes it.
func AwaitLog(ctx context.Context, s Service, sub *gateway.Submission, wait time.Duration) error {
	if wait <= 0 || sub.State.Settled() {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	lifetime := gateway.LifetimeFrom(ctx)
	defer context.AfterFunc(lifetime, cancel)()
	err := s.Await(waiting, sub)
	if lifetime.Err() != nil {
		return context.Cause(lifetime)
	}
	return err
}

// planHeader returns the plan also when nothing is possible; the options say why.
func planHeader(ctx context.Context, s Service, h upload.Header) (*pb.Plan, error) {
	request, err := convertHeader(h, gateway.CallerFrom(ctx))
	if err != nil {
		return nil, err
	}
	plan, err := s.Plan(ctx, request)
	if err != nil && len(plan.Options) == 0 {
		return nil, err
	}
	return ConvertPlan(plan), nil
}

// makeLocation returns the reference to target that a request's answer has. To a caller with a token in the path it is relative to the
// URL that he has used: the token is taken out of that before it gets here, and is part of what he resolves it against.
func makeLocation(r *http.Request, target string) string {
	if !gateway.CallerFrom(r.Context()).InPath {
		return target
	}
	up := strings.Repeat("../", strings.Count(r.URL.Path, "/")-1)
	return cmp.Or(up, "./") + strings.TrimPrefix(target, "/")
}

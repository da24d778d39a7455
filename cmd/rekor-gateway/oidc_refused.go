// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/ambient"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// explaining says what the token claims that a gateway refuses: the gateway says nothing of it, and the claims are
// what has to be compared with its configuration.
type explaining struct {
	client.Client
	token ambient.Source
}

func (e explaining) Submit(ctx context.Context, s client.Submission) (*pb.SubmitResponse, error) {
	answer, err := e.Client.Submit(ctx, s)
	return answer, e.Explain(ctx, err)
}

func (e explaining) Get(ctx context.Context, id string) (*pb.Submission, error) {
	answer, err := e.Client.Get(ctx, id)
	return answer, e.Explain(ctx, err)
}

func (e explaining) List(ctx context.Context, q *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	answer, err := e.Client.List(ctx, q)
	return answer, e.Explain(ctx, err)
}

func (e explaining) Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error) {
	answer, err := e.Client.Plan(ctx, h)
	return answer, e.Explain(ctx, err)
}

func (e explaining) Explain(ctx context.Context, err error) error {
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.Reason != string(problem.ReasonUnauthenticated) {
		return err
	}
	token, terr := e.token(ctx)
	if terr != nil {
		return err
	}
	return withHint(err, "compare the job's token with oidc of the caller in the gateway's configuration, all of whose claims have to be in it as they are: %s", ambient.Describe(token))
}

// Unwrap implements run.Explaining.
func (e explaining) Unwrap() client.Client { return e.Client }

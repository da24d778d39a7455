// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"

	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Service is what the surface calls of the domain; the composition root joins the rooms behind it.
// Refusals are *formats.Error; other errors are the gateway's sentinels or failures of the store.
type Service interface {
	// Formats returns the registry of formats that are taken.
	Formats() *formats.Registry

	// Plan says how a request could be recorded; when it cannot be at all, the plan comes beside
	// the refusal.
	Plan(ctx context.Context, r gateway.Request) (gateway.Plan, error)
	// Begin refuses all that can be refused without the artifact. It parses; the draft does not again.
	Begin(ctx context.Context, r gateway.Request) (gateway.Draft, error)

	// Await returns once a submission that Submit returned is settled, or ctx ends, with sub as it is then.
	Await(ctx context.Context, sub *gateway.Submission) error
	// Watch calls f with the submission now and after each change, until it is settled, f fails or
	// ctx ends.
	Watch(ctx context.Context, tenant, id string, f func(gateway.Submission) error) error

	// Get returns the tenant's submission, or gateway.ErrNotFound.
	Get(ctx context.Context, tenant, id string) (gateway.Submission, error)
	// GetAll returns those of the submissions with these IDs that are the tenant's, by their IDs as they are given.
	GetAll(ctx context.Context, tenant string, ids []string) (map[string]gateway.Submission, error)
	// Estimate says when a submission that is not settled will be logged.
	Estimate(ctx context.Context, sub gateway.Submission) gateway.Estimate
	// List returns a page of the tenant's submissions and the next page's token.
	List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error)
	// ListAudit returns a page of the tenant's audit trail and the next page's token.
	ListAudit(ctx context.Context, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error)
	// Receipt returns the receipt of a Logged submission. It is the caller's, but for the anchors in its own records: receipts share these messages, and nobody
	// changes them.
	Receipt(ctx context.Context, sub gateway.Submission) (*receiptpb.Receipt, error)
	// Statement returns what was logged under leaf as a statement for the tenant, or gateway.ErrNotFound.
	Statement(ctx context.Context, tenant string, leaf gateway.LeafHash) (*dssepb.Envelope, error)
}

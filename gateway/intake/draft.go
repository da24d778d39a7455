// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/killpoint"
)

// Draft is a request whose signature is well-formed, whose signer is known and which can be
// recorded; it waits for its artifact.
type Draft struct {
	service *Service
	request gateway.Request
	policy  formats.Policy
	rules   *rules // of when it began
	target  *target
	parsed  formats.Parsed
	plan    gateway.Plan
	held    *gateway.Held // what parsed takes

	spooled *spooled // the artifact, where an entry is sent with it; nil before its bytes are read, or when none is
}

var _ gateway.Draft = (*Draft)(nil)

// Submit takes r in, and calls artifact once r alone has not been refused. When it returns nil, the
// submission is durable; Existing is set when the same tenant had submitted the same before.
func (s *Service) Submit(ctx context.Context, r gateway.Request, artifact func() (formats.Artifact, error)) (gateway.Submission, error) {
	ctx = formats.EnsureWork(ctx) // one account for the signature with and without the artifact
	draft, err := s.Begin(ctx, r)
	if err != nil {
		return gateway.Submission{}, err
	}
	given, err := artifact()
	if err != nil {
		return gateway.Submission{}, err
	}
	return draft.Submit(ctx, given)
}

// Begin refuses all that can be refused without the artifact, and everything while the disk is low. What the draft
// takes in memory is counted in the gateway.Held of ctx until it is submitted, or that is closed.
func (s *Service) Begin(ctx context.Context, r gateway.Request) (gateway.Draft, error) {
	if err := s.cfg.checkDisk(); err != nil {
		return nil, err
	}
	s.commits.coming.Add(1)
	defer s.commits.coming.Add(-1)
	held := gateway.HeldFrom(ctx).Part()
	d, err := s.beginDraft(ctx, r, held)
	if err != nil {
		held.Close()
		return nil, err
	}
	return d, nil
}

func (s *Service) beginDraft(ctx context.Context, r gateway.Request, held *gateway.Held) (*Draft, error) {
	rules, err := s.rulesFor(r)
	if err != nil {
		return nil, err
	}
	target, err := rules.targetFor(r)
	if err != nil {
		return nil, err
	}
	p := s.signaturesFor(r, rules)
	parsed, plan, err := s.parseAndPlan(ctx, r, rules, target, p, held)
	if err != nil {
		return nil, err
	}
	if r.Digest != nil && r.SignedDigest != nil {
		return nil, formats.NewError(formats.ReasonMalformedDigest, "there are both a digest and a signed digest", "send one of them")
	}
	if r.Digest != nil && plan.Description.Need == formats.NeedBytes {
		return nil, formats.NewError(formats.ReasonNeedsBytes, "this signature cannot be checked by a digest of the artifact",
			"send the artifact itself, or use: rekor-gateway submit")
	}
	if r.PublishCertificate && plan.Chosen == gateway.Attested {
		return nil, errNoCertificate
	}
	return &Draft{service: s, request: r, policy: p, rules: rules, target: target, parsed: parsed, plan: plan, held: held}, nil
}

// Plan implements gateway.Draft.
func (d *Draft) Plan() gateway.Plan { return d.plan }

// Submit implements gateway.Draft.
func (d *Draft) Submit(ctx context.Context, artifact formats.Artifact) (gateway.Submission, error) {
	defer d.held.Close()
	taken := false
	defer func() { // where it panics, too
		if !taken {
			d.dropSpooled()
		}
	}()
	sub, verified, err := d.verifySubmission(ctx, artifact)
	if err != nil {
		return gateway.Submission{}, err
	}
	if d.service.cfg.Storing != nil {
		d.service.cfg.Storing(ctx, sub)
	}
	committing, end := d.service.cfg.observe(ctx, StepCommit)
	stored, err := d.storeSubmission(committing, sub, verified)
	end(err)
	if err != nil {
		return gateway.Submission{}, err
	}
	taken = true
	killpoint.Reach(killpoint.Accepted)
	if d.service.cfg.Committed != nil {
		d.service.cfg.Committed(stored)
	}
	return stored, nil
}

// verifySubmission returns what is to be stored, and what was verified.
func (d *Draft) verifySubmission(ctx context.Context, artifact formats.Artifact) (gateway.NewSubmission, *formats.Verified, error) {
	coming := &d.service.commits.coming
	coming.Add(1)
	defer coming.Add(-1)
	verifying, end := d.service.cfg.observe(ctx, StepVerify)
	verified, packed, err := d.verifyArtifact(verifying, artifact)
	end(err)
	if err == nil {
		err = d.checkRulesAgain(ctx)
	}
	if err != nil {
		return gateway.NewSubmission{}, nil, err
	}
	sub, err := d.newSubmission(ctx, verified, packed)
	return sub, verified, err
}

// verifyArtifact returns, beside what was verified, the digest of the container the artifact was in.
func (d *Draft) verifyArtifact(ctx context.Context, given formats.Artifact) (*formats.Verified, *formats.Digest, error) {
	artifact, err := d.artifactFor(given)
	if err != nil {
		return nil, nil, err
	}
	if d.request.Decompress == "" {
		verified, err := d.verifyWatched(ctx, artifact)
		return verified, nil, err
	}
	if artifact.Reader() == nil {
		return nil, nil, formats.NewError(formats.ReasonNeedsBytes, "there is no container to decompress", "send the container's bytes")
	}
	var verified *formats.Verified
	packed, err := d.service.unpacking.unpack(ctx, d.request.Decompress, artifact.Reader(),
		func(ctx context.Context, inner formats.Artifact) (err error) {
			verified, err = d.verifyWatched(ctx, inner)
			return err
		})
	if err != nil {
		return nil, nil, err
	}
	return verified, &packed, nil
}

// verifyWatched verifies, but for an artifact that is a private key: its owner hears of that first, whatever the
// signature is worth.
func (d *Draft) verifyWatched(ctx context.Context, artifact formats.Artifact) (*formats.Verified, error) {
	if artifact.Reader() == nil {
		return d.parsed.Verify(ctx, artifact)
	}
	watch := formats.WatchSecret(artifact.Reader())
	source, err := d.spoolArtifact(ctx, watch)
	if err != nil {
		return nil, err
	}
	verified, err := d.parsed.Verify(ctx, formats.FromReader(source))
	if serr := watch.Check(); serr != nil {
		return nil, serr
	}
	return verified, err
}

// artifactFor returns the artifact for the plugin: the bytes, or the digest in the request, or none.
func (d *Draft) artifactFor(given formats.Artifact) (formats.Artifact, error) {
	r := d.request
	if r.Digest == nil && r.SignedDigest == nil {
		if given.IsZero() && d.plan.Description.Need != formats.NeedNone {
			return given, formats.NewError(formats.ReasonMissingArtifact, "the artifact is missing", "send the signed file too")
		}
		return given, nil
	}
	if !given.IsZero() {
		return given, formats.NewError(formats.ReasonMalformedDigest, "there are both a digest and an artifact", "send one of them")
	}
	if r.Digest != nil {
		return formats.FromDigest(*r.Digest), nil
	}
	return formats.FromSignedDigest(*r.SignedDigest), nil
}

func (d *Draft) newSubmission(ctx context.Context, v *formats.Verified, packed *formats.Digest) (gateway.NewSubmission, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return gateway.NewSubmission{}, fmt.Errorf("making an id: %w", err)
	}
	recorded, err := d.encodeEntries(ctx, id.String(), v, packed)
	if err != nil {
		return gateway.NewSubmission{}, err
	}
	key, former := d.dedupKeys(v, recorded.representations, packed)
	sub := gateway.NewSubmission{
		SubmissionFields: gateway.SubmissionFields{
			ID: id.String(), Tenant: d.request.Tenant, Key: key, Format: d.plan.Description.Format, Digests: digestsOf(v),
			Signatures: listRecorded(v, recorded.representations, d.target.way),
			Labels:     d.request.Labels, Needed: d.target.Need,
		},
		FormerKeys: former, Priority: d.request.Priority, Takeover: d.target.takeover(), Receipt: recorded.receipt, Entries: recorded.entries,
	}
	if quotas := d.service.cfg.Quotas; quotas != nil {
		sub.Quotas = quotas(ctx, &sub.SubmissionFields)
	}
	if origin := d.service.cfg.Origin; origin != nil {
		sub.Audit = origin(ctx)
	}
	return sub, nil
}

func listRecorded(v *formats.Verified, rs []gateway.Representation, way gateway.Way) []gateway.RecordedSignature {
	var list []gateway.RecordedSignature
	for i, part := range v.Each() {
		list = append(list, gateway.RecordedSignature{
			Signers: signerIDs(part), Representation: rs[i], Way: way, Evidence: part.Evidence(),
		})
	}
	return list
}

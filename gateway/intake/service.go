// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Config is what a Service is made of. Every field is needed unless it says otherwise.
type Config struct {
	Formats *formats.Registry
	// Policies apply to submissions until Service.SetPolicies.
	Policies Policies
	// Condition returns what is known of a log now; nil: all can be used. It is quick.
	Condition func(log string) Condition
	// Queue is where submissions become durable.
	Queue gateway.Queue
	// Archive is where their receipts are.
	Archive Archive
	// Attester signs statements; nil: nothing is attested.
	Attester gateway.Attester
	// Spool takes in compressed containers.
	Spool gateway.Spool
	// Blobs takes in artifacts that entries are sent with; nil: none is.
	Blobs gateway.BlobStore
	// CheckDisk returns gateway.ErrDiskLow while too little space is left to take submissions; nil: it
	// is never asked. It is quick.
	CheckDisk func() error
	// Quotas returns what a new submission counts against, with its request's context; nil: nothing. It is quick.
	Quotas func(context.Context, *gateway.SubmissionFields) []gateway.Quota
	// Origin returns where a submission comes from, for its record in the audit trail, with its request's context; nil, or
	// nothing returned: none is kept. It is quick.
	Origin func(context.Context) *gateway.AuditOrigin
	// MaxArtifact bounds what comes out of a compressed container, in bytes.
	MaxArtifact int64
	// Observe is called when a step of the work on a submission begins, with the request's context, and returns the
	// step's own, and what is called when it has ended. Nil: nobody watches.
	Observe func(ctx context.Context, step string) (context.Context, func(error))
	// Now is the clock by which signatures and keys are judged; nil is the machine's.
	Now func() time.Time
	// Storing is called before a submission is stored, with its request's context; nil for no call. It must not block.
	Storing func(context.Context, gateway.NewSubmission)
	// Committed is called for each submission that was stored; nil for no call. It must not block.
	Committed func(gateway.Submission)
	// Left is called for each submission that was stored, or was there already, for a caller who had left by then, with his
	// request's context; nil for no call. He gets an error.
	Left func(context.Context, gateway.Submission)
}

// Archive is what of a gateway.Reader is asked when an earlier release may have stored the same submission.
type Archive interface {
	Archived(ctx context.Context, tenant, id string) (gateway.Archived, error)
}

// The steps of the work on a submission that Config.Observe is told of.
const (
	StepParse  = "parse"  // and plan
	StepVerify = "verify" // while the artifact is read
	StepCommit = "commit" // until the submission is durable
)

func (c *Config) observe(ctx context.Context, step string) (context.Context, func(error)) {
	if c.Observe == nil {
		return ctx, func(error) {}
	}
	return c.Observe(ctx, step)
}

func (c *Config) checkDisk() error {
	if c.CheckDisk == nil {
		return nil
	}
	return c.CheckDisk()
}

// Service takes submissions. Methods are safe for concurrent use. Refusals are *formats.Error;
// other errors are the gateway's sentinels or failures of the store.
type Service struct {
	cfg       Config
	book      atomic.Pointer[ruleBook] // in use
	commits   *committer
	parsing   *parsingPlaces
	unpacking *unpacker
	now       func() time.Time
}

// New returns a service that commits nothing until Run.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{
		cfg: cfg, commits: newCommitter(cfg.Queue), parsing: newParsingPlaces(), unpacking: newUnpacker(cfg.Spool, cfg.MaxArtifact), now: cfg.Now,
	}
	s.commits.left = s.noteLeft
	if cfg.Blobs != nil {
		s.cfg.Blobs = newStoringBlobs(cfg.Blobs, s.commits)
	}
	s.SetPolicies(cfg.Policies)
	return s
}

func (s *Service) noteLeft(ctx context.Context, stored gateway.Submission) {
	if s.cfg.Committed != nil {
		s.cfg.Committed(stored)
	}
	if s.cfg.Left != nil {
		s.cfg.Left(ctx, stored)
	}
}

// Run commits submissions until ctx ends. The caller stops taking requests before it ends ctx;
// those that come all the same get gateway.ErrClosed.
func (s *Service) Run(ctx context.Context) { s.commits.runCommitter(ctx) }

// Failing reports whether the store failed a short time ago and has not taken anything since. A
// disk that is full shows only when something is written.
func (s *Service) Failing() bool { return s.commits.isFailing() }

// Plan says how a request could be recorded. When it cannot be at all, the plan comes beside
// the *formats.Error that says why.
func (s *Service) Plan(ctx context.Context, r gateway.Request) (gateway.Plan, error) {
	rules, err := s.rulesFor(r)
	if err != nil {
		return gateway.Plan{}, err
	}
	held := gateway.HeldFrom(ctx).Part()
	defer held.Close()
	target, err := rules.targetFor(r)
	if err != nil {
		return gateway.Plan{}, err
	}
	_, plan, err := s.parseAndPlan(ctx, r, rules, target, s.signaturesFor(r, rules), held)
	return plan, err
}

// parseAndPlan takes one of the places for parsing. What is parsed stays counted in held.
func (s *Service) parseAndPlan(ctx context.Context, r gateway.Request, rules *rules, target *target, p formats.Policy, held *gateway.Held) (_ formats.Parsed, _ gateway.Plan, err error) {
	ctx, end := s.cfg.observe(ctx, StepParse)
	defer func() { end(err) }()
	if err := gateway.CheckLabels(r.Labels); err != nil {
		return nil, gateway.Plan{}, err
	}
	if err := rules.checkPublication(r); err != nil {
		return nil, gateway.Plan{}, err
	}
	done, err := s.parsing.takePlace(ctx, r, held)
	if err != nil {
		return nil, gateway.Plan{}, err
	}
	defer done()
	p.WithoutWhole = !target.takesWhole && !r.NeedsWhole
	parsed, err := s.cfg.Formats.Parse(ctx, r.Format, r.Signature, r.Keys, p)
	if err != nil {
		return nil, gateway.Plan{}, err
	}
	planner := target.planner
	planner.NoBytes = r.Digest != nil || r.SignedDigest != nil
	planner.Attests = planner.Attests && r.SignedDigest == nil // nothing is known of the artifact to attest
	description := parsed.Describe()
	if r.PublishCertificate {
		description.Notes = append(slices.Clip(description.Notes), PublicationWarning)
	}
	plan, err := planner.Plan(description, r.Representation)
	plan.SetWay(target.way)
	plan.Logs = target.ids
	return parsed, plan, err
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Config is what a Service is made of.
type Config struct {
	Formats *formats.Registry
	// Policy applies to every submission; its Now is set for each.
	Policy   formats.Policy
	Logs     []Log // at least one; every submission goes to all of them
	Store    Store
	Attester Attester // nil: nothing is attested
	// MaxArtifact bounds what comes out of a compressed container, in bytes; 0 is 1 GiB.
	MaxArtifact int64
	Worker      WorkerConfig
	Metrics     *WorkerMetrics
	Logger      *slog.Logger
}

// Service is the gateway: it takes submissions and answers for them. Methods are safe for
// concurrent use. Refusals are *formats.Error; other errors are the package's sentinels or
// failures of the store.
type Service struct {
	cfg       Config
	planner   Planner
	commits   *committer
	hub       *hub
	workers   []*Worker
	now       func() time.Time
	unpacking chan struct{} // bounds the memory that decompression takes
	patience  time.Duration // to wait for some of it
}

// maxUnpacking bounds the xz containers that are read at once; one takes up to 64 MiB.
const (
	maxUnpacking   = 4
	unpackPatience = 10 * time.Second
)

// ErrBusy is what a service answers when others decompress as much as it can. The same may be
// submitted again later.
var ErrBusy = errors.New("too many containers are being decompressed")

// NewService returns a service that answers but does not log anything until Run.
func NewService(cfg Config) *Service {
	s := &Service{
		cfg:     cfg,
		planner: Planner{Logs: cfg.Logs, Attests: cfg.Attester != nil},
		commits: newCommitter(cfg.Store), hub: newHub(), now: time.Now,
		unpacking: make(chan struct{}, maxUnpacking), patience: unpackPatience,
	}
	for _, l := range cfg.Logs {
		s.workers = append(s.workers, NewWorker(l, cfg.Store, cfg.Worker, cfg.Logger, cfg.Metrics, s.hub.notify))
	}
	return s
}

// Run commits submissions and works them off until ctx ends, then drains. The caller stops
// taking requests before it ends ctx; those that come all the same get ErrClosed.
func (s *Service) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { s.commits.run(ctx) })
	for _, w := range s.workers {
		running.Go(func() { w.Run(ctx) })
	}
	running.Wait()
}

// Logger returns what the service logs to.
func (s *Service) Logger() *slog.Logger { return s.cfg.Logger }

// Formats returns the registry of formats this service takes.
func (s *Service) Formats() *formats.Registry { return s.cfg.Formats }

// Request is a submission but for the artifact's bytes.
type Request struct {
	Tenant         string
	Signature      []byte
	Keys           [][]byte
	Format         string          // "" to find it from the signature
	Digest         *formats.Digest // the artifact's, in place of its bytes
	SignedDigest   *formats.Digest // of what the format really signs, in place of the bytes
	Representation Representation  // "" for the best possible
	Decompress     container.Kind  // the artifact is the file inside of what is sent; "" for none
	Labels         map[string]string
	// PublishCertificate logs the signer's certificate, with all it names, not the bare key.
	PublishCertificate bool
}

// Plan says how a request could be recorded. When it cannot be at all, the plan comes beside
// the *formats.Error that says why.
func (s *Service) Plan(r Request) (Plan, error) {
	_, plan, err := s.parseAndPlan(r, s.policy())
	return plan, err
}

func (s *Service) policy() formats.Policy {
	p := s.cfg.Policy
	p.Now = s.now()
	return p
}

func (s *Service) parseAndPlan(r Request, p formats.Policy) (formats.Parsed, Plan, error) {
	if err := checkLabels(r.Labels); err != nil {
		return nil, Plan{}, err
	}
	parsed, err := s.cfg.Formats.Parse(r.Format, r.Signature, r.Keys, p)
	if err != nil {
		return nil, Plan{}, err
	}
	planner := s.planner
	planner.Attests = planner.Attests && r.SignedDigest == nil // nothing is known of the artifact to attest
	description := parsed.Describe()
	if r.PublishCertificate {
		description.Notes = append(slices.Clip(description.Notes), PublicationWarning)
	}
	plan, err := planner.Plan(description, r.Representation)
	return parsed, plan, err
}

// Get returns the tenant's submission, or ErrNotFound.
func (s *Service) Get(ctx context.Context, tenant, id string) (Submission, error) {
	return s.cfg.Store.Get(ctx, tenant, id)
}

// Statement returns the statement that was logged under leaf, in its DSSE envelope, or
// ErrNotFound. It is for auditors, whoever submitted: the log holds only its hash.
func (s *Service) Statement(ctx context.Context, leaf LeafHash) (*dssepb.Envelope, error) {
	for _, l := range s.cfg.Logs {
		sub, err := s.cfg.Store.ByLeaf(ctx, l.Describe().ID, leaf)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for i, e := range sub.Entries {
			envelope := sub.Receipt.GetEntries()[i].GetBundle().GetDsseEnvelope()
			if e.LeafHash == leaf && e.State == Logged && envelope != nil {
				return envelope, nil
			}
		}
	}
	return nil, ErrNotFound
}

// List returns a page of the tenant's submissions and the next page's token.
func (s *Service) List(ctx context.Context, tenant string, p ListParams) ([]Submission, string, error) {
	return s.cfg.Store.List(ctx, tenant, p)
}

// Receipt returns the receipt of a Logged submission.
func (s *Service) Receipt(sub Submission) (*receiptpb.Receipt, error) { return completeReceipt(sub) }

// Wait returns the submission once it is settled, or as it is when ctx ends. The only errors
// are the store's.
func (s *Service) Wait(ctx context.Context, tenant, id string) (Submission, error) {
	var last Submission
	err := s.Watch(ctx, tenant, id, func(sub Submission) error {
		last = sub
		return nil
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return Submission{}, err
	}
	if last.ID == "" { // ctx had ended before the first look
		return s.Get(context.WithoutCancel(ctx), tenant, id)
	}
	return last, nil
}

// watchPoll is how often watchers look for changes made by other processes.
const watchPoll = 2 * time.Second

// Watch calls f with the submission now and after each change, until it is settled, f
// fails or ctx ends; it returns nil, f's error or ctx's.
func (s *Service) Watch(ctx context.Context, tenant, id string, f func(Submission) error) error {
	changed, cancel := s.hub.subscribe(id)
	defer cancel()
	seen := ""
	for {
		sub, err := s.Get(ctx, tenant, id)
		if err != nil {
			return err
		}
		if now := progress(sub); now != seen {
			seen = now
			if err := f(sub); err != nil {
				return err
			}
		}
		if sub.State.Settled() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-time.After(watchPoll):
		}
	}
}

// progress is a text that differs whenever a watcher would want to know.
func progress(sub Submission) string {
	p := string(sub.State)
	for _, e := range sub.Entries {
		p += fmt.Sprintf("|%s %s", e.State, e.Problem)
	}
	return p
}

// Ready returns nil when submissions can be taken and every log can be submitted to.
func (s *Service) Ready(ctx context.Context) error {
	if _, err := s.cfg.Store.Stats(ctx); err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	if s.commits.failing() {
		return ErrNotStored
	}
	for _, l := range s.cfg.Logs {
		if err := s.cfg.Store.Forked(ctx, l.Describe().Origin); err != nil {
			return err
		}
	}
	return nil
}

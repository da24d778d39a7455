// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekorv2pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Service is what of the domain is called.
type Service interface {
	// Begin and Receipt are those of the surface's Service.
	Begin(ctx context.Context, r gateway.Request) (gateway.Draft, error)
	Receipt(ctx context.Context, sub gateway.Submission) (*receiptpb.Receipt, error)
}

// V2Config is what a V2 is made of. Every field is needed unless it says otherwise.
type V2Config struct {
	Service Service
	// Await returns once a submission that was stored is settled, or after wait, with sub as it is then.
	Await func(ctx context.Context, sub *gateway.Submission, wait time.Duration) error
	// Log returns the log that is read through the gateway, and whose entry is the answer where there are several.
	Log    func() Log
	Upload upload.Config
	Wait   time.Duration // for the log; 0 is upload.MaxRekorWait
	Panics *panics.Reporter
	Logger *slog.Logger
}

// V2 is Rekor v2's API over a gateway. It is safe for concurrent use.
type V2 struct {
	cfg     V2Config
	uploads *upload.Reader
	answers chan struct{} // places of those that are made
	storing chan struct{} // places of those that are verified and stored
	mirror  *mirror
}

// NewV2 returns the API, which its surface serves by ServeCreate and the others.
func NewV2(cfg V2Config) *V2 {
	cfg.Wait = cmp.Or(cfg.Wait, upload.MaxRekorWait)
	return &V2{cfg: cfg, uploads: upload.NewReader(cfg.Upload), answers: make(chan struct{}, runtime.GOMAXPROCS(0)), storing: make(chan struct{}, upload.MaxRekorStoring), mirror: newMirror(cfg.Log)}
}

var (
	errNotInTime = formats.NewError(problem.ReasonNotLoggedInTime, "the gateway has stored this, and the log has not included it yet",
		"send the same again, as Retry-After or RetryInfo says: it is answered by its entry")
	errRefused = formats.NewError(problem.ReasonLogRefused, "the gateway verified the signature, and the log refused it",
		"send it again later; the gateway's operator finds more in its log")
	errOtherEntry = errors.New("the receipt has no entry that is as it was sent")
)

// createEntry records what a request wants, and returns its entry. read returns the request, and is called in a goroutine of its own.
func (v *V2) createEntry(ctx context.Context, read func() (*rekorv2pb.CreateEntryRequest, error)) (*rekorpb.TransparencyLogEntry, error) {
	began := time.Now()
	sub, body, err := v.submitApart(ctx, read)
	if err != nil {
		return nil, err
	}
	err = v.cfg.Await(ctx, sub, v.cfg.Wait-time.Since(began))
	switch {
	case err != nil:
		return nil, err
	case sub.State == gateway.Failed:
		return nil, errRefused
	case sub.State != gateway.Logged:
		return nil, errNotInTime
	}
	return v.findEntry(ctx, sub, body)
}

// submitApart verifies and stores in a goroutine of its own: that takes a large stack, which the request's would keep while it waits for the log.
func (v *V2) submitApart(ctx context.Context, read func() (*rekorv2pb.CreateEntryRequest, error)) (sub *gateway.Submission, body []byte, err error) {
	sub = new(gateway.Submission)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer v.cfg.Panics.Recover("CreateEntry", &err, "request", gateway.RequestID(ctx))
		*sub, body, err = v.submit(ctx, read)
	}()
	<-done
	return sub, body, err
}

func (v *V2) submit(ctx context.Context, read func() (*rekorv2pb.CreateEntryRequest, error)) (gateway.Submission, []byte, error) {
	request, err := read()
	if err != nil {
		return gateway.Submission{}, nil, err
	}
	w, err := readRequest(request)
	if err != nil {
		return gateway.Submission{}, nil, err
	}
	stored, err := v.store(formats.EnsureWork(ctx), w)
	if err != nil {
		return gateway.Submission{}, nil, err
	}
	return stored, w.body, gateway.HeldFrom(ctx).Grow(int64(len(w.body)))
}

// busyWait bounds how long who finds the gateway busy tries again by himself: most clients of Rekor v2 do not.
const busyWait = 5 * time.Second

// store stores what is wanted, once it is its turn: thousands that come at once would find the gateway busy else. Who sends slowly has no turn yet.
func (v *V2) store(ctx context.Context, w wanted) (gateway.Submission, error) {
	waiting, cancel := context.WithTimeout(ctx, v.cfg.Wait)
	defer cancel()
	select {
	case v.storing <- struct{}{}:
		defer func() { <-v.storing }()
	case <-waiting.Done():
		return gateway.Submission{}, cmp.Or(ctx.Err(), gateway.ErrBusy)
	}
	return backoff.Retry(ctx, func() (gateway.Submission, error) {
		stored, err := v.storeOnce(ctx, w)
		if err != nil && !errors.Is(err, gateway.ErrBusy) {
			err = backoff.Permanent(err)
		}
		return stored, err
	}, backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(busyWait))
}

func (v *V2) storeOnce(ctx context.Context, w wanted) (gateway.Submission, error) {
	draft, err := v.cfg.Service.Begin(ctx, w.newRequest(gateway.CallerFrom(ctx)))
	if err != nil {
		return gateway.Submission{}, err
	}
	return draft.Submit(ctx, formats.Artifact{})
}

// answerCopies is how many times its entry's size an answer takes while it is made: parts of the receipt, the bundle, its JSON.
const answerCopies = 8

// findEntry returns what the log says of the entry with this body. One of the log that is read here goes before the others.
func (v *V2) findEntry(ctx context.Context, logged *gateway.Submission, body []byte) (*rekorpb.TransparencyLogEntry, error) {
	select {
	case v.answers <- struct{}{}:
		defer func() { <-v.answers }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := gateway.HeldFrom(ctx).Grow(int64(answerCopies * len(body))); err != nil {
		return nil, err
	}
	receipt, err := v.cfg.Service.Receipt(ctx, *logged)
	if err != nil {
		return nil, err
	}
	var found *rekorpb.TransparencyLogEntry
	for _, e := range receipt.GetEntries() {
		for _, logged := range e.GetBundle().GetVerificationMaterial().GetTlogEntries() {
			if !bytes.Equal(logged.GetCanonicalizedBody(), body) {
				continue
			}
			if isOf(v.cfg.Log(), logged) {
				return logged, nil
			}
			if found == nil {
				found = logged
			}
		}
	}
	switch {
	case found != nil:
		return found, nil
	case hasPending(logged, body):
		return nil, errNotInTime
	}
	return nil, errOtherEntry
}

// hasPending reports whether the entry with this body is still to be logged: as many logs as are needed have it in another form.
func hasPending(logged *gateway.Submission, body []byte) bool {
	leaf := gateway.LeafHash(rfc6962.DefaultHasher.HashLeaf(body))
	return slices.ContainsFunc(logged.Entries, func(e gateway.Entry) bool { return e.State == gateway.Pending && e.LeafHash == leaf })
}

// isOf reports whether an entry is in a shard of a log.
func isOf(l Log, e *rekorpb.TransparencyLogEntry) bool {
	if l == nil {
		return false
	}
	is := func(s gateway.Shard) bool { return bytes.Equal(s.KeyID[:], e.GetLogId().GetKeyId()) }
	return is(l.Describe().Shard) || slices.ContainsFunc(l.Former(), func(f gateway.FormerShard) bool { return is(f.Shard) })
}

// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekorjson"
)

// V1Service is what of the domain Rekor v1's routes call.
type V1Service interface {
	Service
	// Formats and List are those of the surface's Service.
	Formats() *formats.Registry
	List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error)
}

// V1Config is what a V1 is made of. Every field is needed unless it says otherwise.
type V1Config struct {
	Service V1Service
	// Await is V2Config's.
	Await func(ctx context.Context, sub *gateway.Submission, wait time.Duration) error
	// Log returns the log that is read and answers, or nil while it is not configured.
	Log    func() V1Log
	Upload upload.Config
	Wait   time.Duration // for the log; 0 is upload.MaxRekorWait
	Logger *slog.Logger
}

// V1 is Rekor v1's API over a gateway. It is safe for concurrent use.
type V1 struct {
	cfg     V1Config
	uploads *upload.Reader
	answers chan struct{} // places of those that are made
}

// NewV1 returns the API, which its surface serves by ServeCreate and the others.
func NewV1(cfg V1Config) *V1 {
	cfg.Wait = cmp.Or(cfg.Wait, upload.MaxRekorWait)
	return &V1{cfg: cfg, uploads: upload.NewReader(cfg.Upload), answers: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

var errNotInThisLog = formats.NewError(problem.ReasonForbidden, "what this caller sends is not recorded in the log that Rekor v1's clients see here",
	"ask the gateway's operator: the policy's logs.list lacks the log of rekor_api.v1")

// leastWait is how long the log is waited for in any case: who has sent for long has more time than the others.
const leastWait = 10 * time.Second

// createEntry records what a body proposes. existing: the same, or another one with the same entry, had been sent before.
func (v *V1) createEntry(ctx context.Context, body *upload.LongJSON) (id rekorjson.ID, e rekorjson.Entry, existing bool, err error) {
	began := time.Now()
	sub, rekord, err := v.submit(formats.EnsureWork(ctx), body)
	if err != nil {
		return id, e, false, err
	}
	until := time.Now().Add(max(v.cfg.Wait-time.Since(began), leastWait))
	err = v.cfg.Await(ctx, &sub, time.Until(until))
	switch {
	case err != nil:
		return id, e, false, err
	case sub.State == gateway.Failed:
		return id, e, false, errRefused
	case sub.State != gateway.Logged:
		return id, e, false, errNotInTime
	}
	before, err := v.awaitRecorded(ctx, sub, rekord, until)
	if err != nil {
		return id, e, false, err
	}
	id, e, err = v.findRecorded(ctx, sub, rekord)
	return id, e, sub.Existing || before, err
}

// submit verifies and stores what a body proposes. rekord is the entry that Rekor v1 makes of it, as V1Log.Recorded has it. Nothing else of the body is held
// when it returns.
func (v *V1) submit(ctx context.Context, body *upload.LongJSON) (stored gateway.Submission, rekord []byte, err error) {
	defer body.Close()
	p, err := readProposal(body)
	if err != nil {
		return gateway.Submission{}, nil, err
	}
	request, artifact, err := p.newRequest(gateway.CallerFrom(ctx))
	if err != nil {
		return gateway.Submission{}, nil, err
	}
	request.NeedsWhole = true
	log, err := v.log()
	if err != nil {
		return gateway.Submission{}, nil, err
	}
	draft, err := v.cfg.Service.Begin(ctx, request)
	if err != nil {
		return gateway.Submission{}, nil, err
	}
	plan := draft.Plan()
	if !slices.Contains(plan.Logs, log.Source()) { // it would be logged all the same, and never answered
		return gateway.Submission{}, nil, errNotInThisLog
	}
	if stored, err = draft.Submit(ctx, artifact); err != nil {
		return gateway.Submission{}, nil, err
	}
	rekord, _ = p.rekordOf(plan.Description) // else Rekor v1 has no entry of its own for it
	return stored, rekord, nil
}

// findRecorded returns the entry of a submission that is logged. Where it is none of this log, it may come yet.
func (v *V1) findRecorded(ctx context.Context, logged gateway.Submission, rekord []byte) (id rekorjson.ID, e rekorjson.Entry, err error) {
	log, err := v.log()
	if err != nil {
		return id, e, err
	}
	if err := gateway.HeldFrom(ctx).Grow(answerMemory); err != nil {
		return id, e, err
	}
	id, e, err = v.readRecorded(ctx, log, logged, rekord)
	if !errors.Is(err, gateway.ErrNotFound) {
		return id, e, explainRead(err)
	}
	if isLate(log) || slices.ContainsFunc(logged.Entries, func(e gateway.Entry) bool { return e.State == gateway.Pending }) {
		return id, e, errNotInTime
	}
	return id, e, errNotInThisLog
}

// readRecorded is the log's Recorded, once there is a place for it. The caller has counted answerMemory.
func (v *V1) readRecorded(ctx context.Context, log V1Log, logged gateway.Submission, rekord []byte) (id rekorjson.ID, e rekorjson.Entry, err error) {
	select {
	case v.answers <- struct{}{}:
		defer func() { <-v.answers }()
	case <-ctx.Done():
		return id, e, ctx.Err()
	}
	return log.Recorded(ctx, logged, rekord)
}

// answerMemory is what an answer about one entry takes while it is made: a body of at most 64 KiB, its proof, and both as JSON.
const answerMemory = 1 << 20

// log returns the log that is read.
func (v *V1) log() (V1Log, error) {
	if log := v.cfg.Log(); log != nil {
		return log, nil
	}
	return nil, errNoLog
}

// ServeCreate takes POST /api/v1/log/entries: 201 and the entry, 409 and its place where it was there before.
func (v *V1) ServeCreate(w http.ResponseWriter, r *http.Request) error {
	body, err := v.uploads.ReadLongJSON(r, http.NewResponseController(w), true)
	if err != nil {
		return err
	}
	id, entry, existing, err := v.createEntry(r.Context(), body)
	if err != nil {
		return err
	}
	// Clients append it to the server's address as they have it, a token in its path included.
	w.Header().Set("Location", V1EntriesPath+"/"+id.String())
	if existing {
		return writeV1(w, http.StatusConflict, rekorjson.Error{
			Code: http.StatusConflict, Message: "an equivalent entry already exists in the transparency log with UUID " + id.String(),
		})
	}
	w.Header().Set("ETag", id.String())
	return writeV1(w, http.StatusCreated, rekorjson.Entries{id.String(): entry})
}

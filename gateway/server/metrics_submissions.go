// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// submissionMetrics are of submissions, up to where they are durable.
type submissionMetrics struct {
	submissions *prometheus.CounterVec
	byCaller    *prometheus.CounterVec
	quotas      *prometheus.CounterVec
	accept      *prometheus.HistogramVec
	step        *prometheus.HistogramVec
}

// What became of a submission.
const (
	outcomeAccepted  = "accepted"  // stored
	outcomeRepeated  = "repeated"  // it was stored before
	outcomeRefused   = "refused"   // for what it is
	outcomeFailed    = "failed"    // the gateway could not take it now
	outcomeCancelled = "cancelled" // its sender left, or was too slow
)

// unknownLabel stands for what was not found out, since a submission was refused before.
const unknownLabel = "unknown"

func newSubmissionMetrics() *submissionMetrics {
	return &submissionMetrics{
		submissions: newCounter("submissions_total", "Submissions, those of batches too, by what they are and what became of them.",
			"format", "representation", "way", "outcome"),
		byCaller: newCounter("caller_submissions_total", "Submissions, by the caller's name in the configuration and what became of them.", "caller", "outcome"),
		quotas:   newCounter("quota_refusals_total", "Submissions that were refused since a quota was used up, by the caller's name in the configuration, and by whose the quota is (caller, signer) and of what.", "caller", "of", "quota"),
		accept:   newHistogram("submission_accept_seconds", "How long it took from the moment a submission's signature and keys were there until it was durable; its artifact is sent meanwhile.", workBuckets, "format"),
		step:     newHistogram("submission_step_seconds", "How long the steps of that took: parse, verify (the artifact is sent meanwhile), commit (until it is durable).", workBuckets, "step"),
	}
}

func (m *submissionMetrics) list() []prometheus.Collector {
	return []prometheus.Collector{m.submissions, m.byCaller, m.quotas, m.accept, m.step}
}

// countOfCaller counts a submission of the caller of ctx, where there is access control: err is why it was refused. Names
// are those of the configuration, and so as many as it has.
func (m *submissionMetrics) countOfCaller(ctx context.Context, existing bool, err error) {
	name := gateway.CallerFrom(ctx).Name
	if name == "" {
		return
	}
	outcome := outcomeAccepted
	switch {
	case err != nil:
		outcome = outcomeOf(err)
	case existing:
		outcome = outcomeRepeated
	}
	m.byCaller.WithLabelValues(name, outcome).Inc()
	var over *gateway.QuotaError
	if errors.As(err, &over) {
		of := "caller"
		if over.IsOfSigner() {
			of = "signer"
		}
		m.quotas.WithLabelValues(name, of, over.Kind).Inc()
	}
}

// countStored counts a submission that was stored, for the first time or before.
func (m *submissionMetrics) countStored(sub gateway.Submission, took time.Duration) {
	outcome := outcomeAccepted
	if sub.Existing {
		outcome = outcomeRepeated
	}
	way := unknownLabel
	if len(sub.Signatures) > 0 {
		way = string(sub.Signatures[0].Way)
	}
	m.submissions.WithLabelValues(sub.Format, string(sub.Representation()), way, outcome).Inc()
	m.accept.WithLabelValues(sub.Format).Observe(took.Seconds())
}

// countRefused counts a submission that was not taken. format and representation are "" where they are not known.
func (m *submissionMetrics) countRefused(format string, r gateway.Representation, err error) {
	if format == "" {
		format = unknownLabel
	}
	representation, way := string(r), string(gateway.Direct)
	if r == "" {
		representation, way = unknownLabel, unknownLabel
	}
	m.submissions.WithLabelValues(format, representation, way, outcomeOf(err)).Inc()
}

func outcomeOf(err error) string {
	p := problem.FromError(err)
	switch {
	case p.Reason == problem.ReasonCancelled, p.Reason == problem.ReasonTimeout:
		return outcomeCancelled
	case p.Status >= http.StatusInternalServerError:
		return outcomeFailed
	}
	return outcomeRefused
}

func (m *submissionMetrics) observeStep(step string, took time.Duration) {
	m.step.WithLabelValues(step).Observe(took.Seconds())
}

// SPDX-License-Identifier: Apache-2.0

package logmetrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Answers counts what requests to a log ended with: gRPC codes or HTTP statuses of writes, those of this client for what never came
// back among them, and HTTP statuses of reads.
type Answers struct{ *prometheus.CounterVec }

// NewAnswers returns a counter, which New registers.
func NewAnswers() Answers {
	return Answers{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rekor_gateway_log_answers_total",
		Help: "What requests to the transparency log ended with: gRPC code or HTTP status (write), or HTTP status (read).",
	}, []string{"request", "code"})}
}

// CountWrite counts what a write ended with.
func (a Answers) CountWrite(code string) { a.WithLabelValues("write", code).Inc() }

// CountRead counts an HTTP status, which has three digits.
func (a Answers) CountRead(status int) { a.WithLabelValues("read", strconv.Itoa(status)).Inc() }

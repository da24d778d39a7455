// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// answers counts what requests to the log ended with: gRPC codes of writes, those of this client for what never came
// back among them, and HTTP statuses of reads.
type answers struct{ *prometheus.CounterVec }

func newAnswers() answers {
	return answers{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rekor_gateway_log_answers_total",
		Help: "What requests to the transparency log ended with: gRPC code (write) or HTTP status (read).",
	}, []string{"request", "code"})}
}

// countWrite is a grpc.UnaryClientInterceptor.
func (a answers) countWrite(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, conn, opts...)
	code := status.Code(err)
	if code > codes.Unauthenticated { // a log may make any up
		code = codes.Unknown
	}
	a.WithLabelValues("write", code.String()).Inc()
	return err
}

// countRead counts an HTTP status, which has three digits.
func (a answers) countRead(status int) { a.WithLabelValues("read", strconv.Itoa(status)).Inc() }

// noteSize notes the size of the largest checkpoint verified.
func (s *shard) noteSize(size uint64) {
	if s.size.Swap(size) != size || s.grownAt.Load() == 0 {
		s.grownAt.Store(s.now().Unix())
	}
}

// noteRead notes that the log's checkpoint was read now, and verified.
func (s *shard) noteRead() { s.readAt.Store(s.now().Unix()) }

// checkpointTimes shows when the current shard's checkpoint was read, and when it had grown. Before the first one there
// is nothing to show.
type checkpointTimes struct{ log *Log }

var (
	readDesc = prometheus.NewDesc("rekor_gateway_log_checkpoint_read_timestamp_seconds",
		"When a checkpoint of the log's current shard was last read and verified, Unix time.", nil, nil)
	grownDesc = prometheus.NewDesc("rekor_gateway_log_checkpoint_grown_timestamp_seconds",
		"When the largest verified checkpoint of the log's current shard was first seen, Unix time.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c checkpointTimes) Describe(out chan<- *prometheus.Desc) {
	out <- readDesc
	out <- grownDesc
}

// Collect implements prometheus.Collector.
func (c checkpointTimes) Collect(out chan<- prometheus.Metric) {
	s, _ := c.log.current()
	if s == nil {
		return
	}
	for desc, at := range map[*prometheus.Desc]int64{readDesc: s.readAt.Load(), grownDesc: s.grownAt.Load()} {
		if at != 0 {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(at))
		}
	}
}

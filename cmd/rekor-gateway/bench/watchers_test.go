// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// measureWatchers lets many watch while the log cannot be read, and until each has heard that its submission is logged.
func measureWatchers(t *testing.T, r *report) {
	watchers := scaled(10_000)
	log := rekortest.StartServer(t)
	gate := startGate(t, log)
	g := startGateway(t, "watchers", log, t.TempDir(), func(c *config.Config) {
		gate.stand(c)
		c.Limits.MaxRequests, c.Limits.MaxRequestsPerCaller = watchers+1000, 2*watchers+1000
		c.Limits.MaxRequestMemory = 3 << 30 // of which a call counts 160 KiB, whatever it takes
	})
	gate.shut.Store(true)
	clients := g.clients(watchers)
	ids := must(submitBatch(clients, makeItems(watchers, signX509())))
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	var watching, heard atomic.Int64
	var running sync.WaitGroup
	for i, id := range ids {
		running.Go(func() {
			if err := watch(ctx, clients[i%len(clients)], id, &watching); err != nil {
				t.Errorf("watcher %d: %v", i, err)
				cancel()
				return
			}
			heard.Add(1)
		})
	}
	for watching.Load() < int64(watchers) && ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
	}
	const idle = 10 * time.Second
	still := measure(g.pid(), 0, 1, func() { time.Sleep(idle) })
	rss := memoryOf(g.pid(), "VmRSS")
	gate.shut.Store(false)
	done := measure(g.pid(), 0, watchers, running.Wait)
	r.add(
		row{
			what: fmt.Sprintf("%d watchers, nothing happens: CPU a second", watchers), gateway: formatCPU(still.gateway / time.Duration(idle.Seconds())),
			beside: "RSS " + formatMiB(rss), target: "10,000 watchers on one process",
		},
		row{
			what:    "– and all hear that they are logged",
			gateway: fmt.Sprintf("%d of %d within %s", heard.Load(), watchers, done.clock.Round(100*time.Millisecond)),
			beside:  formatCPU(perEntry(done.gateway, watchers)) + " CPU each; peak RSS " + formatMiB(memoryOf(g.pid(), "VmHWM")),
		},
	)
	g.stop()
}

// watch returns once the submission is logged; it counts itself in watching when it has heard of it first.
func watch(ctx context.Context, client pb.GatewayServiceClient, id string, watching *atomic.Int64) error {
	stream, err := client.WatchSubmission(ctx, &pb.WatchSubmissionRequest{Id: id})
	if err != nil {
		return err
	}
	for first, logged := true, false; ; first = false {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) && logged {
			return nil
		}
		if err != nil {
			return err
		}
		if first {
			watching.Add(1)
		}
		logged = answer.GetSubmission().GetState() == pb.Submission_LOGGED
	}
}

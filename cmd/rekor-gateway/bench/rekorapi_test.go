// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/sigstore/rekor-tiles/v2/pkg/client/write"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// rekorWriters is how many clients of Rekor v2 share what is in flight.
const rekorWriters = 100

// measureRekorAPI compares Rekor v2's own routes with Submit: from the first byte until the last one has its entry. No request may fail, and none is sent
// again.
func measureRekorAPI(t *testing.T, r *report) {
	for _, c := range []struct{ inFlight, entries int }{{256, 2048}, {1024, 6144}, {4000, 16000}} {
		t.Run(fmt.Sprint(c.inFlight), func(t *testing.T) { compareRekorAPI(t, r, c.inFlight, max(c.inFlight, scaled(c.entries))) })
	}
}

func compareRekorAPI(t *testing.T, r *report, inFlight, entries int) {
	log := rekortest.StartServer(t)
	logPID := childNamed("rekor-server-posix")
	g := startGateway(t, fmt.Sprintf("rekorapi-%d", inFlight), log, t.TempDir(), func(c *config.Config) {
		c.RekorAPI.V2, c.Worker.InFlight = logID, config.InFlight(inFlight)
		c.Limits.MaxRequests, c.Limits.MaxRequestsPerCaller, c.Limits.MaxConnections, c.Limits.MaxConnectionsPerAddress = 8192, 8192, 8192, 8192
		c.Limits.MaxRequestMemory = 4 << 30 // of which an HTTP connection counts 256 KiB, whatever it takes
	})
	own, overGRPC, overHTTP := g.clients(inFlight), g.rekorClients(), g.rekorWriters(inFlight)
	var submit, calls, posts spent
	sign := signX509()
	for range *rounds {
		items := makeItems(entries, sign)
		submit.add(measure(g.pid(), logPID, entries, func() { check(submitWaiting(own, items, inFlight, nil)) }))
		items = makeItems(entries, sign)
		calls.add(measure(g.pid(), logPID, entries, func() {
			check(createEntries(items, inFlight, func(ctx context.Context, worker int, i item) error {
				_, err := overGRPC[worker%rekorWriters].CreateEntry(ctx, i.logRequest())
				return err
			}))
		}))
		items = makeItems(entries, sign)
		posts.add(measure(g.pid(), logPID, entries, func() {
			check(createEntries(items, inFlight, func(ctx context.Context, worker int, i item) error {
				_, err := overHTTP[worker%rekorWriters].Add(ctx, i.logRequest().GetHashedRekordRequestV002())
				return err
			}))
		}))
	}
	addRekorAPI(r, fmt.Sprintf("logged, %d in flight by %d writers, Rekor v2's CreateEntry", inFlight, rekorWriters), calls, submit)
	addRekorAPI(r, fmt.Sprintf("logged, %d in flight by %d writers, POST /api/v2/log/entries", inFlight, rekorWriters), posts, submit)
	r.add(row{what: fmt.Sprintf("peak RSS at %d in flight by either", inFlight), gateway: formatMiB(memoryOf(g.pid(), "VmHWM"))})
	g.stop()
}

// createEntries sends each item once, so many at once, and ends at the first error.
func createEntries(items []item, inFlight int, create func(ctx context.Context, worker int, i item) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return inParallel(len(items), inFlight, func(worker, i int) error { return create(ctx, worker, items[i]) })
}

// rekorClients returns a client over gRPC for each writer.
func (g *gatewayProcess) rekorClients() []rekortilespb.RekorClient {
	all := make([]rekortilespb.RekorClient, rekorWriters)
	for i := range all {
		conn := must(grpc.NewClient(g.cfg.GRPC.Listen, grpc.WithTransportCredentials(insecure.NewCredentials())))
		g.t.Cleanup(func() { _ = conn.Close() })
		all[i] = rekortilespb.NewRekorClient(conn)
	}
	return all
}

// rekorWriters returns the client of Rekor v2 for each writer, whose connections stay open for as many as are in flight.
func (g *gatewayProcess) rekorWriters(inFlight int) []write.Client {
	shared := http.DefaultTransport.(*http.Transport)
	shared.MaxIdleConns, shared.MaxIdleConnsPerHost = 2*inFlight, inFlight
	g.t.Cleanup(shared.CloseIdleConnections)
	all := make([]write.Client, rekorWriters)
	for i := range all {
		all[i] = must(write.NewWriter("http://" + g.cfg.HTTP.Listen))
	}
	return all
}

func addRekorAPI(r *report, what string, ours, submit spent) {
	mine, its := perSecond(ours.entries, ours.clock), perSecond(submit.entries, submit.clock)
	r.add(
		row{what, formatRate(mine), formatRate(its) + " Submit", mine / its, "no errors"},
		row{
			"– CPU per entry", formatCPU(perEntry(ours.gateway, ours.entries)), formatCPU(perEntry(submit.gateway, submit.entries)) + " Submit",
			float64(ours.gateway) / float64(submit.gateway), "",
		},
		row{
			what: "– CPU per entry of the load generator", gateway: formatCPU(perEntry(ours.client, ours.entries)),
			beside: formatCPU(perEntry(submit.client, submit.entries)) + " Submit",
		},
	)
}

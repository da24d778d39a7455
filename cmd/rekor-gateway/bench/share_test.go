// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// shareInFlight is how many submissions wait at once, on average: they come at even intervals, and each takes
// a little over a second.
const (
	shareInFlight = 256
	shareTime     = 15 * time.Second
)

// measureShare measures what of a submission's time is the gateway's: from its last byte to its answer, less the time from when the
// gateway sent the entry to when it got the log's answer. A relay between the two takes that time; it costs both
// sides processor time, so that the figure is rather too high.
func measureShare(t *testing.T, r *report) {
	log := rekortest.StartServer(t)
	logPID := childNamed("rekor-server-posix")
	relay := startRelay(t, log)
	g := startGateway(t, "share", log, t.TempDir(), func(c *config.Config) {
		c.Logs[0].GRPCURL = "http://" + relay.address
		c.Limits.MaxRequests, c.Limits.MaxRequestsPerCaller = 8192, 8192
		c.Limits.MaxRequestMemory = 2 << 30 // of which a call counts 160 KiB, whatever it takes
	})
	clients := g.clients(2 * shareInFlight)
	rate := float64(shareInFlight) / 1.1 // by the second
	items := makeItems(scaled(int(rate*shareTime.Seconds())), signX509())
	var mu sync.Mutex // over shares
	var shares, fsyncs []time.Duration
	stop := make(chan struct{})
	var syncing, running sync.WaitGroup
	syncing.Go(func() { fsyncs = measureFsync(t.TempDir(), stop) })
	start, before := time.Now(), []time.Duration{cpuOf(g.pid()), cpuOf(logPID), ownCPU()}
	for i := range items {
		time.Sleep(time.Until(start.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		running.Go(func() {
			check(submitWaiting(clients[i%len(clients):][:1], items[i:i+1], 1, func(_ int, took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				shares = append(shares, took-relay.took(items[i]))
			}))
		})
	}
	running.Wait()
	all := cpuOf(g.pid()) + cpuOf(logPID) + ownCPU()
	for _, spent := range before {
		all -= spent
	}
	close(stop)
	syncing.Wait()
	r.add(
		row{
			what: "the gateway's own share, about 256 in flight, p99", gateway: formatCPU(percentile(shares, 99)),
			beside: formatCPU(percentile(fsyncs, 99)) + " fsync p99", target: "≤ 25 ms",
		},
		row{
			what: "the gateway's own share, median", gateway: formatCPU(percentile(shares, 50)), beside: formatCPU(percentile(fsyncs, 50)) + " fsync median",
		},
		row{ // a checkpoint answers all that came in the second before it, so that the last answer waits for this at best
			what:    "– all sides' processor time for one checkpoint's entries, by all processors",
			gateway: formatCPU(time.Duration(rate * float64(perEntry(all, len(items))) / float64(runtime.NumCPU()))),
		},
	)
	g.stop()
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*p/100)]
}

// measureFsync appends 4 KiB to a file and syncs it, ten times a second, until stop closes.
func measureFsync(dir string, stop <-chan struct{}) (all []time.Duration) {
	f := must(os.Create(filepath.Join(dir, "synced")))
	defer f.Close()
	for {
		_ = must(f.Write(make([]byte, 4<<10)))
		start := time.Now()
		check(f.Sync())
		all = append(all, time.Since(start))
		select {
		case <-stop:
			return all
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// relay stands between the gateway and its log, and takes the time of each entry.
type relay struct {
	rekortilespb.UnimplementedRekorServer
	address string
	log     rekortilespb.RekorClient
	times   sync.Map // time.Duration, by digest
}

func startRelay(t *testing.T, log *rekortest.Server) *relay {
	conn := must(grpc.NewClient(log.GRPCURL()[len("http://"):], grpc.WithTransportCredentials(insecure.NewCredentials())))
	t.Cleanup(func() { _ = conn.Close() })
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	r := &relay{address: listener.Addr().String(), log: rekortilespb.NewRekorClient(conn)}
	server := grpc.NewServer()
	rekortilespb.RegisterRekorServer(server, r)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return r
}

// CreateEntry implements the log's service.
func (r *relay) CreateEntry(ctx context.Context, request *rekortilespb.CreateEntryRequest) (*rekorpb.TransparencyLogEntry, error) {
	start := time.Now()
	answer, err := r.log.CreateEntry(ctx, request)
	r.times.Store(string(request.GetHashedRekordRequestV002().GetDigest()), time.Since(start))
	return answer, err
}

func (r *relay) took(i item) time.Duration {
	took, _ := r.times.Load(string(i.digest))
	return took.(time.Duration)
}

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
	"sync/atomic"
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
	shareRate     = shareInFlight / 1.1 // a second
	shareTime     = 15 * time.Second
)

// measureShare measures what of a submission's time is the gateway's: from its last byte to its answer, less the time from when the
// log got the entry to when it answered. A relay between the two takes that time; it costs both
// sides processor time, so that the figure is rather too high. A bare writer does the same through the same relay, to the same
// log: what it waits for beside the log is none of the gateway's doing. A log answers all entries of a checkpoint at once, and
// then all sides want the processors.
func measureShare(t *testing.T, r *report) {
	log := rekortest.StartServer(t)
	logPID := childNamed("rekor-server-posix")
	relay := startRelay(t, log)
	g := startGateway(t, "share", log, t.TempDir(), func(c *config.Config) {
		c.Logs[0].GRPCURL = "http://" + relay.address
		c.Worker.InFlight = 16 * shareInFlight // none waits for another one's answer
		c.Limits.MaxRequests, c.Limits.MaxRequestsPerCaller = 8192, 8192
		c.Limits.MaxRequestMemory = 2 << 30 // of which a call counts 160 KiB, whatever it takes
	})
	clients, bareClient := g.clients(2*shareInFlight), dialLog(t, relay.address)
	sign, n := signX509(), scaled(int(shareRate*shareTime.Seconds()))
	bare := relay.measureShares(makeItems(n, sign), func(i item) time.Time {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		sent := time.Now()
		_ = must(bareClient.CreateEntry(ctx, i.logRequest()))
		return sent
	})
	stop := make(chan struct{})
	var fsyncs []time.Duration
	var syncing sync.WaitGroup
	syncing.Go(func() { fsyncs = measureFsync(t.TempDir(), stop) })
	before := []time.Duration{cpuOf(g.pid()), cpuOf(logPID), ownCPU()}
	next := atomic.Int64{}
	ours := relay.measureShares(makeItems(n, sign), func(i item) (sent time.Time) {
		client := clients[int(next.Add(1))%len(clients):][:1]
		check(submitWaiting(client, []item{i}, 1, func(_ int, took time.Duration) { sent = time.Now().Add(-took) }))
		return sent
	})
	all := cpuOf(g.pid()) + cpuOf(logPID) + ownCPU()
	for _, spent := range before {
		all -= spent
	}
	close(stop)
	syncing.Wait()
	r.add(shareRows(ours, bare, fsyncs)...)
	r.add(row{ // a checkpoint answers all that came in the second before it, so that the last answer waits for this at best
		what:    "– all sides' processor time for one checkpoint's entries, by all processors",
		gateway: formatCPU(time.Duration(shareRate * float64(perEntry(all, n)) / float64(runtime.NumCPU()))),
	})
	g.stop()
}

// shares are how long each of a number of entries took but for the log: before it, and after it.
type shares struct{ before, after, both []time.Duration }

func shareRows(ours, bare shares, fsyncs []time.Duration) []row {
	beside := func(bare []time.Duration, p int) string {
		return formatCPU(percentile(bare, p)) + " bare writer by the same relay"
	}
	const what = "the gateway's own share, about 256 in flight, "
	return []row{
		{what: what + "p99", gateway: formatCPU(percentile(ours.both, 99)), beside: beside(bare.both, 99), target: "≤ 25 ms"},
		{what: "– before the log has it, p99", gateway: formatCPU(percentile(ours.before, 99)), beside: beside(bare.before, 99)},
		{what: "– after the log's answer, p99", gateway: formatCPU(percentile(ours.after, 99)), beside: beside(bare.after, 99)},
		{what: what + "median", gateway: formatCPU(percentile(ours.both, 50)), beside: beside(bare.both, 50)},
		{what: "– before the log has it, median", gateway: formatCPU(percentile(ours.before, 50)), beside: beside(bare.before, 50)},
		{what: "– after the log's answer, median", gateway: formatCPU(percentile(ours.after, 50)), beside: beside(bare.after, 50)},
		{what: "– fsync beside it, p99", gateway: formatCPU(percentile(fsyncs, 99)), beside: formatCPU(percentile(fsyncs, 50)) + " median"},
	}
}

// measureShares has submit send items at even intervals, each of which returns when its last byte was sent, and once it is logged.
func (r *relay) measureShares(items []item, submit func(item) time.Time) (all shares) {
	var mu sync.Mutex // over all
	var running sync.WaitGroup
	start := time.Now()
	for i := range items {
		time.Sleep(time.Until(start.Add(time.Duration(float64(i) / shareRate * float64(time.Second)))))
		running.Go(func() {
			sent := submit(items[i])
			done, at := time.Now(), r.passed(items[i])
			mu.Lock()
			defer mu.Unlock()
			before, after := at.came.Sub(sent), done.Sub(at.left)
			all.before, all.after, all.both = append(all.before, before), append(all.after, after), append(all.both, before+after)
		})
	}
	running.Wait()
	return all
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

// relay stands between the gateway and its log, and notes when each entry passes.
type relay struct {
	rekortilespb.UnimplementedRekorServer
	address string
	log     rekortilespb.RekorClient
	times   sync.Map // passing, by digest
}

// passing is when an entry came to the relay, and when its answer left.
type passing struct{ came, left time.Time }

func startRelay(t *testing.T, log *rekortest.Server) *relay {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	r := &relay{address: listener.Addr().String(), log: dialLog(t, log.GRPCURL()[len("http://"):])}
	server := grpc.NewServer()
	rekortilespb.RegisterRekorServer(server, r)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return r
}

func dialLog(t *testing.T, address string) rekortilespb.RekorClient {
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	t.Cleanup(func() { _ = conn.Close() })
	return rekortilespb.NewRekorClient(conn)
}

// CreateEntry implements the log's service.
func (r *relay) CreateEntry(ctx context.Context, request *rekortilespb.CreateEntryRequest) (*rekorpb.TransparencyLogEntry, error) {
	came := time.Now()
	answer, err := r.log.CreateEntry(ctx, request)
	r.times.Store(string(request.GetHashedRekordRequestV002().GetDigest()), passing{came, time.Now()})
	return answer, err
}

func (r *relay) passed(i item) passing {
	at, _ := r.times.Load(string(i.digest))
	return at.(passing)
}

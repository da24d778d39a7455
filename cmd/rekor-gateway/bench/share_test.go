// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"fmt"
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

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// How many submissions wait at once, on average: they come at even intervals, and each takes a little over a second.
const (
	shareMost  = 256
	shareFew   = 32
	shareTakes = 1.1 // seconds
	shareTime  = 15 * time.Second
)

// measureShare measures what of a submission's time is the gateway's: from its last byte to its answer, less the time from when the
// log got the entry to when it answered. A relay between the two takes that time; it costs both
// sides processor time, so that the figure is rather too high. A bare writer does the same through the same relay, to the same
// log: what it waits for beside the log is none of the gateway's doing. So does a writer that does no more than a gateway must. A log answers all entries of a checkpoint at once, and
// then all sides want the processors.
func measureShare(t *testing.T, r *report) {
	log := rekortest.StartServer(t)
	relay := startRelay(t, log)
	g := startGateway(t, "share", log, t.TempDir(), func(c *config.Config) {
		c.Logs[0].GRPCURL = "http://" + relay.address
		c.Worker.InFlight = 16 * shareMost // none waits for another one's answer
		c.Limits.MaxRequests, c.Limits.MaxRequestsPerCaller = 8192, 8192
		c.Limits.MaxRequestMemory = 2 << 30 // of which a call counts 160 KiB, whatever it takes
	})
	stop := make(chan struct{})
	var fsyncs []time.Duration
	var syncing sync.WaitGroup
	syncing.Go(func() { fsyncs = measureFsync(t.TempDir(), stop) })
	for _, inFlight := range []int{shareMost, shareFew} {
		rate := float64(inFlight) / shareTakes
		sign, n := signX509(), scaled(int(rate*shareTime.Seconds()))
		bare := relay.measureShares(makeItems(n, sign), rate, relay.writeBare(t))
		ours := relay.measureGateway(g, makeItems(n, sign), rate)
		least := relay.measureLeast(t, log, makeItems(n, sign), rate)
		r.add(shareRows(inFlight, ours, bare, least)...)
		ofCheckpoint := func(s shares) string {
			return formatCPU(time.Duration(rate * float64(perEntry(s.cpu, n)) / float64(runtime.NumCPU())))
		}
		r.add(row{ // a checkpoint answers all that came in the second before it, so that the last answer waits for this at best
			what: "– all sides' processor time for one checkpoint's entries, by all processors", gateway: ofCheckpoint(ours),
			beside: ofCheckpoint(least) + " with such a writer",
		})
	}
	close(stop)
	syncing.Wait()
	r.add(row{what: "– fsync meanwhile, p99", gateway: formatCPU(percentile(fsyncs, 99)), beside: formatCPU(percentile(fsyncs, 50)) + " median"})
	g.stop()
}

// writeBare returns what sends an item through the relay.
func (r *relay) writeBare(t *testing.T) func(item) time.Time {
	client := dialLog(t, r.address)
	return func(i item) time.Time {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		sent := time.Now()
		_ = must(client.CreateEntry(ctx, i.logRequest()))
		return sent
	}
}

// measureGateway is measureShares of a gateway.
func (r *relay) measureGateway(g *gatewayProcess, items []item, rate float64) shares {
	clients, next, before := g.clients(2*shareMost), atomic.Int64{}, cpuOf(g.pid())
	ours := r.measureShares(items, rate, func(i item) (sent time.Time) {
		client := clients[int(next.Add(1))%len(clients):][:1]
		check(submitWaiting(client, []item{i}, 1, func(_ int, took time.Duration) { sent = time.Now().Add(-took) }))
		return sent
	})
	ours.cpu += cpuOf(g.pid()) - before
	return ours
}

// measureLeast is measureShares of a writer that does no more than a gateway must.
func (r *relay) measureLeast(t *testing.T, log *rekortest.Server, items []item, rate float64) shares {
	var waiting sync.Map // chan struct{}, by leaf
	w := startLeast(t, log, "http://"+r.address, 16*shareMost, 0, func(leaf gateway.LeafHash) {
		done, _ := waiting.Load(leaf)
		close(done.(chan struct{}))
	})
	defer w.finish()
	rows := make(map[string]gateway.NewSubmission, len(items)) // by digest
	for i, row := range w.makeRows(items) {
		rows[string(items[i].digest)] = row
	}
	return r.measureShares(items, rate, func(i item) time.Time {
		row, done, sent := rows[string(i.digest)], make(chan struct{}), time.Now()
		waiting.Store(row.Entries[0].LeafHash, done)
		w.write(i, row)
		<-done
		return sent
	})
}

// shares are how long each of a number of entries took but for the log: before it, after it, and both; and in the log. cpu is what all of them took of this
// process and of the log.
type shares struct {
	before, after, both, log []time.Duration
	cpu                      time.Duration
}

func shareRows(inFlight int, ours, bare, least shares) []row {
	line := func(what string, p int, ours, bare []time.Duration) row {
		return row{what: what, gateway: formatCPU(percentile(ours, p)), beside: formatCPU(percentile(bare, p)) + " bare writer by the same relay"}
	}
	what := fmt.Sprintf("the gateway's own share, about %d in flight, ", inFlight)
	whole := line(what+"p99", 99, ours.both, bare.both)
	whole.target = "≤ 25 ms"
	log, share := mean(ours.log), mean(ours.both)
	return []row{
		whole,
		leastRow(least, "p99", 99),
		line("– before the log has it, p99", 99, ours.before, bare.before),
		line("– after the log's answer, p99", 99, ours.after, bare.after),
		line(what+"median", 50, ours.both, bare.both),
		leastRow(least, "median", 50),
		line("– before the log has it, median", 50, ours.before, bare.before),
		line("– after the log's answer, median", 50, ours.after, bare.after),
		{"– until the receipt is there, mean", formatCPU(log + share), formatCPU(log) + " of that the log", float64(log) / float64(log+share), ""},
	}
}

// leastRow is the share of a writer that does no more than a gateway must.
func leastRow(least shares, name string, p int) row {
	return row{
		what:    "– the same of a writer that does no more than a gateway must, " + name,
		gateway: formatCPU(percentile(least.both, p)),
		beside:  formatCPU(percentile(least.before, p)) + " before the log has it, " + formatCPU(percentile(least.after, p)) + " after the log's answer",
	}
}

func mean(all []time.Duration) (sum time.Duration) {
	for _, d := range all {
		sum += d
	}
	return sum / time.Duration(max(1, len(all)))
}

// measureShares has submit send items at even intervals, so many a second, each of which returns when its last byte was sent, and once it is logged.
func (r *relay) measureShares(items []item, rate float64, submit func(item) time.Time) (all shares) {
	var mu sync.Mutex // over all
	var running sync.WaitGroup
	start, cpu := time.Now(), cpuOf(r.logPID)+ownCPU()
	for i := range items {
		time.Sleep(time.Until(start.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		running.Go(func() {
			sent := submit(items[i])
			done, at := time.Now(), r.passed(items[i])
			mu.Lock()
			defer mu.Unlock()
			before, after := at.came.Sub(sent), done.Sub(at.left)
			all.before, all.after = append(all.before, before), append(all.after, after)
			all.both, all.log = append(all.both, before+after), append(all.log, at.left.Sub(at.came))
		})
	}
	running.Wait()
	all.cpu = cpuOf(r.logPID) + ownCPU() - cpu
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
	logPID  int
	times   sync.Map // passing, by digest
}

// passing is when an entry came to the relay, and when its answer left.
type passing struct{ came, left time.Time }

func startRelay(t *testing.T, log *rekortest.Server) *relay {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	r := &relay{address: listener.Addr().String(), log: dialLog(t, log.GRPCURL()[len("http://"):]), logPID: childNamed("rekor-server-posix")}
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

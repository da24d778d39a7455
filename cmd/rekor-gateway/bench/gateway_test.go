// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// logID is the log's name in the gateway.
const logID = "bench"

// gatewayProcess is a gateway in a process of its own.
type gatewayProcess struct {
	t       *testing.T
	cfg     config.Config
	dir     string
	process *exec.Cmd
	yields  bool // to the log, where both want a processor: it is run by nice
}

// startGateway starts a gateway in front of log, with a fresh store unless dir has one, and the defaults unless change
// says otherwise.
func startGateway(t *testing.T, name string, log *rekortest.Server, dir string, change func(*config.Config)) *gatewayProcess {
	t.Helper()
	return newGateway(t, log, dir, change).start(name)
}

// newGateway is startGateway before the start.
func newGateway(t *testing.T, log *rekortest.Server, dir string, change func(*config.Config)) *gatewayProcess {
	g := &gatewayProcess{t: t, dir: dir, cfg: config.Default()}
	root := must(trustroot.New(trustroot.LogKey{Origin: log.Origin(), SPKI: must(log.PublicKey()), Start: time.Now().Add(-time.Hour)}))
	check(root.Write(g.file("trusted_root.json")))
	g.cfg.HTTP.Listen, g.cfg.GRPC.Listen, g.cfg.Admin.Listen = freeAddress(), freeAddress(), freeAddress()
	g.cfg.TrustedRoot = "trusted_root.json"
	g.cfg.Logs = []config.Log{{ID: logID, Origin: log.Origin(), GRPCURL: log.GRPCURL(), ReadURL: log.ReadURL()}}
	g.cfg.Attestation = config.Attestation{Key: "attestation.key", CreateKey: true, GatewayTrust: "gateway_trust.json"}
	g.cfg.Limits.MaxPending = 1 << 30
	if change != nil {
		change(&g.cfg)
	}
	return g
}

func (g *gatewayProcess) start(name string) *gatewayProcess {
	g.t.Helper()
	check(os.WriteFile(g.file("config.yaml"), must(g.cfg.Marshal()), 0o600))
	g.run(name)
	return g
}

func (g *gatewayProcess) file(name string) string { return filepath.Join(g.dir, name) }

func (g *gatewayProcess) run(name string) {
	output := must(os.Create(g.file("log")))
	defer output.Close()
	g.process = exec.Command(must(os.Executable()))
	if g.yields {
		g.process = exec.Command("nice", must(os.Executable())) // which becomes what it runs
	}
	g.process.Stdout, g.process.Stderr = output, output
	g.process.Env = append(os.Environ(), configEnv+"="+g.file("config.yaml"))
	if *profileDir != "" {
		g.process.Env = append(g.process.Env, profileEnv+"="+must(filepath.Abs(filepath.Join(*profileDir, name+".pprof"))))
	}
	check(g.process.Start())
	g.t.Cleanup(func() { _ = g.process.Process.Kill() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get("http://" + g.cfg.Admin.Listen + "/metrics"); err == nil {
			_ = resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			g.t.Fatalf("the gateway does not start:\n%s", must(os.ReadFile(g.file("log"))))
		}
	}
}

// stop ends the gateway in an orderly way.
func (g *gatewayProcess) stop() {
	_ = g.process.Process.Signal(os.Interrupt)
	if err := g.process.Wait(); err != nil {
		g.t.Fatalf("stopping the gateway: %v\n%s", err, must(os.ReadFile(g.file("log"))))
	}
}

func (g *gatewayProcess) pid() int { return g.process.Process.Pid }

func freeAddress() string { return fmt.Sprintf("127.0.0.1:%d", must(rekortest.FreePort())) }

// clients returns clients for so many calls at once. A connection takes upload.MaxStreams.
func (g *gatewayProcess) clients(calls int) []pb.GatewayServiceClient {
	var all []pb.GatewayServiceClient
	for range (calls + 199) / 200 {
		conn := must(grpc.NewClient(g.cfg.GRPC.Listen, grpc.WithTransportCredentials(insecure.NewCredentials())))
		g.t.Cleanup(func() { _ = conn.Close() })
		all = append(all, pb.NewGatewayServiceClient(conn))
	}
	return all
}

// logged returns how many entries the gateway has seen logged, by its metrics.
func (g *gatewayProcess) logged() int {
	resp := must(http.Get("http://" + g.cfg.Admin.Listen + "/metrics"))
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), fmt.Sprintf(`rekor_gateway_entry_attempts_total{log=%q,outcome="logged"} `, logID)); ok {
			return int(must(strconv.ParseFloat(value, 64)))
		}
	}
	return 0
}

// awaitLogged waits until n entries are logged.
func (g *gatewayProcess) awaitLogged(ctx context.Context, n int) {
	for g.logged() < n {
		select {
		case <-ctx.Done():
			g.t.Fatalf("%d of %d entries logged", g.logged(), n)
		case <-time.After(250 * time.Millisecond): // asking costs the gateway something, too
		}
	}
}

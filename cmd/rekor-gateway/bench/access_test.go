// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const (
	accessItems  = 6000 // in one round
	accessRounds = 4
	accessToken  = "rgw_bench"
)

// bearer is a token that goes with each call. It implements credentials.PerRPCCredentials.
type bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (bearer) RequireTransportSecurity() bool { return false }

// measureAccess measures what it costs to know who calls, by one call of Submit for each submission, which is then accepted with the log
// stopped: gateways without and with callers take turns.
func measureAccess(t *testing.T, r *report) {
	log := rekortest.StartServer(t)
	gate := startGate(t, log)
	start := func(name string, change func(*config.Config)) *gatewayProcess {
		return startGateway(t, name, log, t.TempDir(), func(c *config.Config) { gate.stand(c); change(c) })
	}
	callers := func(audited bool) func(*config.Config) {
		sum := sha256.Sum256([]byte(accessToken))
		return func(c *config.Config) {
			c.Callers = []config.Caller{{Name: "farm", Tenant: "builds", TokenSHA256: []string{hex.EncodeToString(sum[:])}, May: []string{"submit"}}}
			c.Audit.Store = audited
		}
	}
	gateways := []*gatewayProcess{start("open", func(*config.Config) {}), start("token", callers(false)), start("audited", callers(true))}
	gate.shut.Store(true)
	log.Kill()
	costs := make([]spent, len(gateways))
	sign := signX509()
	for range accessRounds {
		for i, g := range gateways {
			items := makeItems(scaled(accessItems), sign)
			client := g.dialAs(accessToken)
			costs[i].add(measure(g.pid(), 0, len(items), func() { check(submitEach(client, items)) }))
		}
	}
	open := float64(costs[0].gateway) / float64(costs[0].entries)
	for i, what := range []string{"accepted from a caller with a token, a call each: CPU", "– and with a record of each in the audit trail"} {
		c := costs[i+1]
		mine := float64(c.gateway) / float64(c.entries)
		target := "≤ 1.05"
		if i > 0 {
			target = ""
		}
		r.add(row{what, formatCPU(perEntry(c.gateway, c.entries)), formatCPU(perEntry(costs[0].gateway, costs[0].entries)) + " without callers", mine / open, target})
	}
	for _, g := range gateways {
		g.stop()
	}
}

// dialAs returns a client that sends a token with each call.
func (g *gatewayProcess) dialAs(token string) pb.GatewayServiceClient {
	conn := must(grpc.NewClient(g.cfg.GRPC.Listen, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(bearer(token))))
	g.t.Cleanup(func() { _ = conn.Close() })
	return pb.NewGatewayServiceClient(conn)
}

// submitEach sends each item by a call of its own, 64 at once, and waits until it is accepted.
func submitEach(client pb.GatewayServiceClient, items []item) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return inParallel(len(items), 64, func(_, i int) error {
		stream, err := client.Submit(ctx)
		if err != nil {
			return err
		}
		err = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: &pb.SubmitStart{Header: items[i].header(), Wait: durationpb.New(0)}}})
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		answer, err := stream.CloseAndRecv()
		if err == nil && answer.GetSubmission().GetId() == "" {
			err = fmt.Errorf("not accepted: %v", answer)
		}
		return err
	})
}

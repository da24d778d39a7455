// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const (
	accessItems  = 500 // for each gateway in a round
	accessRounds = 120 // at most
	leastRounds  = 40  // also where they take longer than accessTime
	accessRarely = 8   // rounds of what has a target for one of what has none
	accessTime   = time.Minute
	accessCalls  = 64 // at once, to each gateway
	accessToken  = "rgw_bench"
	accessName   = "https://gateway.example.com" // what a job's tokens are for
)

// bearer is a token that goes with each call. It implements credentials.PerRPCCredentials.
type bearer string

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (bearer) RequireTransportSecurity() bool { return false }

// accessSide is a gateway, and a client that it knows, or that it does not ask.
type accessSide struct {
	*gatewayProcess
	client pb.GatewayServiceClient
}

// measureAccess measures what it costs to know who calls, by the gateway's processor time for each submission, which is accepted with
// the log stopped.
func measureAccess(t *testing.T, r *report) {
	a := startAccess(t)
	open, openTLS := a.start("open", nil, nil, ""), a.start("open-tls", a.useTLS, a.pki.client(nil), "")
	pairs := []*accessPair{
		{what: "accepted from a caller with a token, a call each: CPU", target: "≤ 1.05", without: open, with: a.start("token", a.useToken, nil, accessToken)},
		{what: "– and with a record of each in the audit trail", without: open, with: a.start("audited", a.useAudit, nil, accessToken)},
		{what: "– from one with a token of an OpenID Connect issuer", without: open, with: a.start("job", a.useJob, nil, a.issuer.Token(accessName, accessJob))},
		{what: "– from one with a client certificate, over TLS", without: openTLS, with: a.start("certificate", a.useCertificate, a.pki.client(&a.pki.caller), "")},
	}
	a.gate.shut.Store(true)
	a.log.Kill()
	sign := signX509()
	for _, p := range pairs {
		p.run(scaled(accessItems), sign) // caches
		p.spent = nil
	}
	for round, start := 0, time.Now(); round < accessRounds && (round < leastRounds || time.Since(start) < accessTime); round++ {
		for _, p := range pairs {
			if p.target != "" || round%accessRarely == 0 {
				p.run(scaled(accessItems), sign)
			}
		}
	}
	for _, p := range pairs {
		r.add(p.row())
		p.with.stop()
	}
	open.stop()
	openTLS.stop()
}

// accessPair is two gateways that are compared.
type accessPair struct {
	what, target  string
	without, with *accessSide
	spent         [][2]time.Duration // for each submission of a round, without and with callers
}

// run has both gateways accept n at the same time, a call to each in turn: what else the machine does, and how it treats those who
// share it, is the same for both. In turns of their own, one after the other, the same gateway differs by a tenth from itself.
func (p *accessPair) run(n int, sign func([]byte) item) {
	items := makeItems(2*n, sign)
	clients := []pb.GatewayServiceClient{p.without.client, p.with.client}
	without, with := cpuOf(p.without.pid()), cpuOf(p.with.pid())
	check(submitEach(clients, items, accessCalls*len(clients)))
	p.spent = append(p.spent, [2]time.Duration{perEntry(cpuOf(p.without.pid())-without, n), perEntry(cpuOf(p.with.pid())-with, n)})
}

// row has the median of the rounds' ratios, and between which it is.
func (p *accessPair) row() row {
	var without, with time.Duration
	ratios := make([]float64, len(p.spent))
	for i, round := range p.spent {
		without, with = without+round[0], with+round[1]
		ratios[i] = float64(round[1]) / float64(round[0])
	}
	n := len(ratios)
	median, low, high := medianOf(ratios)
	beside := fmt.Sprintf("%s without callers at the same time; %d rounds, 95 %% sure: %.3f to %.3f", formatCPU(perEntry(without, n)), n, low, high)
	return row{p.what, formatCPU(perEntry(with, n)), beside, median, p.target}
}

// access is what the gateways of measureAccess have in common.
type access struct {
	t      *testing.T
	log    *rekortest.Server
	gate   *gate
	issuer *issuertest.Issuer
	caFile string // the issuer's
	pki    pki
}

func startAccess(t *testing.T) *access {
	log := rekortest.StartServer(t)
	a := &access{t: t, log: log, gate: startGate(t, log), issuer: issuertest.Start(t), pki: newPKI(t)}
	a.caFile = a.issuer.CAFile()
	return a
}

// start starts a gateway that change has configured, and a client that speaks TLS unless that is nil.
func (a *access) start(name string, change func(*config.Config), secure *tls.Config, token string) *accessSide {
	g := startGateway(a.t, name, a.log, a.t.TempDir(), func(c *config.Config) {
		a.gate.stand(c)
		if change != nil {
			change(c)
		}
	})
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if secure != nil {
		options[0] = grpc.WithTransportCredentials(credentials.NewTLS(secure))
	}
	if token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(token)))
	}
	conn := must(grpc.NewClient(g.cfg.GRPC.Listen, options...))
	a.t.Cleanup(func() { _ = conn.Close() })
	return &accessSide{gatewayProcess: g, client: pb.NewGatewayServiceClient(conn)}
}

// accessJob is what a job's tokens claim.
var accessJob = map[string]any{"repository_owner_id": "12345"}

func (a *access) useToken(c *config.Config) {
	sum := sha256.Sum256([]byte(accessToken))
	a.useCaller(c, config.Caller{TokenSHA256: []string{hex.EncodeToString(sum[:])}})
}

func (a *access) useAudit(c *config.Config) {
	a.useToken(c)
	c.Audit.Store = true
}

func (a *access) useJob(c *config.Config) {
	a.useCaller(c, config.Caller{OIDC: config.OIDC{
		Issuer: a.issuer.URL, CAFile: a.caFile, Audience: accessName, Claims: map[string]config.Claim{"repository_owner_id": {AnyOf: []string{"12345"}}},
	}})
}

func (a *access) useTLS(c *config.Config) {
	c.GRPC.TLS = config.TLS{CertFile: a.pki.certFile, KeyFile: a.pki.keyFile, ClientCAFile: a.pki.certFile}
}

func (a *access) useCertificate(c *config.Config) {
	a.useTLS(c)
	a.useCaller(c, config.Caller{ClientCert: config.ClientCert{SAN: []string{"dns:" + pkiName}}})
}

// useCaller has a gateway know one caller. The audit trail's part is measured apart.
func (a *access) useCaller(c *config.Config, caller config.Caller) {
	caller.Name, caller.Tenant, caller.May = "farm", "builds", []string{"submit"}
	c.Callers, c.Audit.Store = []config.Caller{caller}, false
}

// submitEach sends each item by a call of its own, to one client after the other, so many at once, and waits until it is accepted.
func submitEach(clients []pb.GatewayServiceClient, items []item, atOnce int) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return inParallel(len(items), atOnce, func(_, i int) error {
		stream, err := clients[i%len(clients)].Submit(ctx)
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

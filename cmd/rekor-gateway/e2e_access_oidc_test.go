// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/ambient"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// jobsAudience is what the tokens of jobs are for.
const jobsAudience = "https://gateway.example.com"

// What the tokens of jobs claim.
var (
	goldsJob  = map[string]any{"repository_owner_id": "12345", "environment": "release"}
	redsJob   = map[string]any{"repository_owner_id": "67890", "environment": "release"}
	readsGold = map[string]any{"repository_id": "42"}
	nobodys   = map[string]any{"repository_owner_id": "12345", "environment": "review"}
	twoOfThem = map[string]any{"repository_owner_id": "12345", "environment": "release", "repository_id": "42"}
)

// deployJobs adds callers who are known by tokens of an issuer: one with a tenant of his own, one who shares red's, and one who may only read;
// and clients whose tokens are good for nothing.
func (g *deployment) deployJobs(clients map[string]*accessClient) {
	g.t.Helper()
	github, githubEnv := startGitHub(g.t, goldsJob)
	all, caFile := []string{"submit", "read", "audit"}, github.CAFile()
	rule := func(claims map[string]any) config.OIDC {
		return config.OIDC{Issuer: github.URL, CAFile: caFile, Audience: jobsAudience, Claims: claimsOf(claims)}
	}
	g.cfg.Callers = append(g.cfg.Callers,
		config.Caller{Name: "gold-jobs", Tenant: "gold", May: all, OIDC: rule(goldsJob)},
		config.Caller{Name: "red-jobs", Tenant: "red", May: all, OIDC: rule(redsJob)},
		config.Caller{Name: "gold-reader", Tenant: "gold", May: []string{"read"}, OIDC: rule(readsGold)},
	)
	ended := maps.Clone(goldsJob)
	ended["exp"] = time.Now().Add(-5 * time.Minute).Unix()
	const elsewhere = "https://other.example.com"
	asJob, file := []string{"--oidc", "--oidc-audience", jobsAudience}, func(name string) []string { return []string{"--token-file", name} }
	overGRPC := slices.Concat([]string{"--server", strings.Replace(g.cfg.GRPC.Listen, "127.0.0.1", "grpcs://localhost", 1)}, asJob)
	for _, c := range []struct {
		accessClient
		jwt string
	}{
		{accessClient{name: "gold", tenant: "gold", token: "gold.jwt", env: githubEnv, cli: [][]string{asJob, overGRPC, file("gold.jwt")}}, github.Token(jobsAudience, goldsJob)},
		{accessClient{name: "red by a job", tenant: "red", token: "red.jwt", cli: [][]string{asJob}}, github.Token(jobsAudience, redsJob)},
		{accessClient{name: "gold who reads", tenant: "gold", reads: true, token: "reads.jwt", cli: [][]string{overGRPC, file("reads.jwt")}}, github.Token(jobsAudience, readsGold)},

		{accessClient{name: "a job that has ended", token: "ended.jwt", cli: [][]string{asJob, file("ended.jwt")}}, github.Token(jobsAudience, ended)},
		{accessClient{name: "a job for elsewhere", token: "elsewhere.jwt", cli: [][]string{{"--oidc", "--oidc-audience", elsewhere}, file("elsewhere.jwt")}}, github.Token(elsewhere, goldsJob)},
		{accessClient{name: "a job of nobody", token: "nobody.jwt", cli: [][]string{overGRPC}}, github.Token(jobsAudience, nobodys)},
		{accessClient{name: "a job of two", token: "two.jwt", cli: [][]string{asJob}}, github.Token(jobsAudience, twoOfThem)},
		{accessClient{name: "a job of another issuer", token: "issuer.jwt", cli: [][]string{file("issuer.jwt")}}, issuertest.Start(g.t).Token(jobsAudience, goldsJob)},
		{accessClient{name: "a job with a certificate", token: "gold.jwt", curl: blueByCurl, grpc: blueByGRPCurl, cli: [][]string{slices.Concat(asJob, blueByFlags)}}, github.Token(jobsAudience, goldsJob)},
	} {
		c.base, c.grpc = clients["red"].base, append([]string{}, c.grpc...)
		if err := os.WriteFile(g.file(c.token), []byte(c.jwt+"\n"), 0o600); err != nil {
			g.t.Fatal(err)
		}
		if c.env == nil {
			c.env = []string{ambient.SigstoreToken + "=" + c.jwt}
		}
		g.addClient(clients, c.accessClient)
	}
}

// claimsOf are claims, all texts, as a configuration has them.
func claimsOf(job map[string]any) map[string]config.Claim {
	claims := map[string]config.Claim{}
	for name, value := range job {
		claims[name] = config.Claim{AnyOf: []string{value.(string)}}
	}
	return claims
}

// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const ownAudience = "https://gateway.example.com"

type claims = map[string]any

// byOIDC is a caller by tokens of remote with all of these claims.
func byOIDC(remote *issuertest.Issuer, name string, want map[string]string, may ...string) config.Caller {
	c := config.Caller{Name: name, Tenant: name + "-tenant", May: may, OIDC: config.OIDC{Issuer: remote.URL, Audience: ownAudience, CAFile: remote.CAFile(), Claims: map[string]config.Claim{}}}
	for claim, value := range want {
		c.OIDC.Claims[claim] = config.Claim{AnyOf: []string{value}}
	}
	return c
}

// TestOIDC: who has an issuer's token is the caller whose rule holds, over HTTP and gRPC, over TLS; nobody else is. While the issuer is
// down, known keys let in and others are 503.
func TestOIDC(t *testing.T) {
	cfg := newConfig(t)
	cert, pool := newCertificate(t)
	cfg.HTTP.TLS, cfg.GRPC.TLS = cert, cert
	remote, down := issuertest.Start(t), issuertest.Start(t)
	down.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	withCallers(cfg, map[string][]string{"reader": {"read"}})
	cfg.Callers = append(cfg.Callers,
		byOIDC(remote, "farm", map[string]string{"repository_owner_id": "12345", "environment": "release"}, "submit", "read"),
		byOIDC(remote, "sender", map[string]string{"sub": "sender"}, "submit"),
		byOIDC(down, "unlucky", map[string]string{"sub": "a"}, "read"))
	r := run(t, cfg)
	secure := &tls.Config{RootCAs: pool}
	good := claims{"repository_owner_id": "12345", "environment": "release"}
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"farm":              {remote.Token(ownAudience, good), 200},
		"may not read":      {remote.Token(ownAudience, claims{"sub": "sender"}), 403},
		"by its own token":  {"reader-token", 200},
		"another branch":    {remote.Token(ownAudience, claims{"repository_owner_id": "12345", "environment": "main"}), 401},
		"another audience":  {remote.Token("https://other.example.com", good), 401},
		"expired":           {remote.Token(ownAudience, claims{"repository_owner_id": "12345", "environment": "release", "exp": 1}), 401},
		"by another issuer": {down.Token(ownAudience, claims{"iss": remote.URL, "repository_owner_id": "12345", "environment": "release"}), 401},
		"issuer is down":    {down.Token(ownAudience, claims{"sub": "a"}), 503},
	} {
		if got := r.askOverTLS(secure, "Bearer "+c.token); got != c.want {
			t.Errorf("%s, over HTTP: %d, want %d", name, got, c.want)
		}
		want := map[int]codes.Code{200: codes.OK, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 503: codes.Unavailable}[c.want]
		if got := r.callOverTLS(secure, "Bearer "+c.token); got != want {
			t.Errorf("%s, over gRPC: %v, want %v", name, got, want)
		}
	}
	request, err := http.NewRequest(http.MethodGet, r.Addresses().HTTP+"/v1/submissions", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+down.Token(ownAudience, claims{"sub": "a"}))
	resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	text := r.log.String()
	if !strings.Contains(text, "cannot be fetched") || strings.Contains(text, "eyJ") {
		t.Errorf("log:\n%s", text)
	}
}

// TestReloadOIDC: what was begun with a token goes on while its rule is there, and ends with it. The keys that are known survive a reload.
func TestReloadOIDC(t *testing.T) {
	cfg := newConfig(t)
	cert, pool := newCertificate(t)
	cfg.HTTP.TLS, cfg.GRPC.TLS = cert, cert
	remote := issuertest.Start(t)
	stays, goes := byOIDC(remote, "stays", map[string]string{"sub": "stays"}, "submit", "read"), byOIDC(remote, "goes", map[string]string{"sub": "goes"}, "submit", "read")
	goes.OIDC.CAFile = stays.OIDC.CAFile
	cfg.Callers = []config.Caller{stays, goes}
	r := run(t, cfg)
	defer r.stop()
	secure := &tls.Config{RootCAs: pool}
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(secure.Clone()))))
	defer conn.Close()
	ended := map[string]chan error{}
	for _, sub := range []string{"stays", "goes"} {
		stream := openBatch(t, conn, remote.Token(ownAudience, claims{"sub": sub}))
		ended[sub] = make(chan error, 1)
		go func() { _, err := stream.Recv(); ended[sub] <- err }()
	}
	remote.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	next := *cfg
	next.Callers = []config.Caller{stays}
	if err := r.ReloadCallers(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	if err := <-ended["goes"]; status.Code(err) != codes.Unauthenticated {
		t.Errorf("whose rule is gone: %v", err)
	}
	select {
	case err := <-ended["stays"]:
		t.Errorf("whose rule stays: %v", err)
	default:
	}
	for sub, want := range map[string]int{"stays": 200, "goes": 401} {
		if got := r.askOverTLS(secure, "Bearer "+remote.Token(ownAudience, claims{"sub": sub})); got != want {
			t.Errorf("%s: %d, want %d", sub, got, want)
		}
	}
	faulty := next
	faulty.Callers = []config.Caller{stays}
	faulty.Callers[0].OIDC.CAFile += "-missing"
	if err := r.ReloadCallers(t.Context(), &faulty); err == nil || !strings.Contains(err.Error(), "oidc.ca_file") {
		t.Errorf("a missing file of authorities: %v", err)
	}
}

// openBatch returns a batch that the gateway has let in.
func openBatch(t *testing.T, conn *grpc.ClientConn, token string) pb.GatewayService_SubmitBatchClient {
	t.Helper()
	ctx := metadata.AppendToOutgoingContext(context.WithoutCancel(t.Context()), "authorization", "Bearer "+token)
	stream := must(pb.NewGatewayServiceClient(conn).SubmitBatch(ctx))
	if err := stream.Send(new(pb.SubmitBatchRequest)); err != nil {
		t.Fatal(err)
	}
	if first, err := stream.Recv(); err != nil {
		t.Fatal(first, err)
	}
	return stream
}

var yamlBlock = regexp.MustCompile("(?s)\n```yaml\n(.*?)```\n")

// TestOIDCExamples: the examples of docs/access.md are configurations, and let in those whom they are about, and not their neighbours.
func TestOIDCExamples(t *testing.T) {
	cfg := newConfig(t)
	issuers := map[string]*issuertest.Issuer{}
	for _, block := range yamlBlock.FindAllStringSubmatch(string(must(os.ReadFile("../../docs/access.md"))), -1) {
		if !strings.Contains(block[1], "    oidc:") {
			continue
		}
		parsed, err := config.Parse([]byte("trusted_root: x\nlogs: [{id: a, origin: a, url: 'http://a'}]\n" + block[1]))
		if err != nil {
			t.Fatalf("%v:\n%s", err, block[1])
		}
		for _, c := range parsed.Callers {
			remote := issuertest.Start(t)
			issuers[c.Name] = remote
			c.OIDC.Issuer, c.OIDC.CAFile = remote.URL, remote.CAFile()
			if c.OIDC.JWKSURL != "" {
				c.OIDC.JWKSURL = remote.URL + issuertest.KeysPath
			}
			cfg.Callers = append(cfg.Callers, c)
		}
	}
	pod := func(namespace, account string) claims {
		return claims{"sub": "system:serviceaccount:" + namespace + ":" + account, "kubernetes.io": claims{"namespace": namespace, "serviceaccount": claims{"name": account}}}
	}
	examples := map[string]struct{ good, bad []claims }{
		"github-releases": {
			[]claims{{"repository_owner_id": "12345", "repository": "example/app", "ref": "refs/heads/main", "environment": "release"}},
			[]claims{{"repository_owner_id": "12345", "ref": "refs/pull/1/merge", "environment": "release"}, {"repository_owner_id": "12345", "ref": "refs/heads/main"},
				{"repository_owner_id": "666", "repository_owner": "example", "ref": "refs/heads/main", "environment": "release"}},
		},
		"github-jobs": {
			[]claims{{"repository_id": "67890", "environment": "release"}},
			[]claims{{"repository_id": "67890"}, {"repository_id": "67891", "environment": "release"}},
		},
		"gitlab-releases": {
			[]claims{{"project_id": "42", "ref": "main", "ref_type": "branch", "ref_protected": "true"}},
			[]claims{{"project_id": "42", "ref": "main", "ref_type": "branch", "ref_protected": "false"}, {"project_id": "43", "ref": "main", "ref_type": "branch", "ref_protected": "true"}},
		},
		"cluster-builds": {[]claims{pod("builds", "farm")}, []claims{pod("builds", "other"), pod("other", "farm"), {"sub": "x"}}},
		"mesh-farm":      {[]claims{{"sub": "spiffe://example.com/farm"}}, []claims{{"sub": "spiffe://example.com/farm/x"}, {"sub": "spiffe://other.example.com/farm"}}},
	}
	r := run(t, cfg)
	defer r.stop()
	for name, example := range examples {
		remote := issuers[name]
		if remote == nil {
			t.Errorf("docs/access.md has no %s", name)
			continue
		}
		delete(issuers, name)
		for _, good := range example.good {
			if got, text := r.ask("GET /v1/submissions", "Bearer "+remote.Token(ownAudience, good), ""); got != 200 {
				t.Errorf("%s: %v: %d %s", name, good, got, text)
			}
		}
		for _, bad := range example.bad {
			if got, text := r.ask("GET /v1/submissions", "Bearer "+remote.Token(ownAudience, bad), ""); got != 401 {
				t.Errorf("%s: %v: %d %s", name, bad, got, text)
			}
		}
	}
	for name := range issuers {
		t.Errorf("%s is an example that no claims are tried with", name)
	}
}

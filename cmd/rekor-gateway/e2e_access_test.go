// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// accessClient is a way to call a gateway, as one of its tenants or as nobody.
type accessClient struct {
	name   string
	tenant string     // "": nobody's
	base   string     // of its URLs
	reads  bool       // he may read, and no more
	token  string     // the file with his bearer token, with its header for curl beside it; "": none
	curl   []string   // arguments
	grpc   []string   // arguments of grpcurl; nil: it does not speak gRPC
	cli    [][]string // flags of rekor-gateway, each of which are tried; nil: it has none for it
	env    []string   // of rekor-gateway
	inPath bool       // the credential is in the path
}

// may reports whether c has a right.
func (c *accessClient) may(right gateway.Right) bool {
	return right == gateway.NoRight || c.tenant != "" && (!c.reads || right == gateway.MayRead)
}

// whose returns those for whose things c asks. What is the same for all of them is asked once, and by a client of nobody's, too.
func (c *accessClient) whose(own map[string]tenantsOwn, isSame bool) map[string]tenantsOwn {
	switch {
	case c.tenant == "":
		return map[string]tenantsOwn{"red": own["red"]}
	case isSame:
		return map[string]tenantsOwn{c.tenant: own[c.tenant]}
	}
	return own
}

// tells reports whether a text has something of another's than c's.
func (c *accessClient) tells(own map[string]tenantsOwn, text string) bool {
	for owner, has := range own {
		if owner != c.tenant && strings.Contains(text, has.id) {
			return true
		}
	}
	return false
}

// tenantsOwn is what a tenant has stored, by his name.
type tenantsOwn struct{ id, leaf string }

// TestAccessOverTLS: four tenants, one by a token, one by a certificate, one by what clients can do that send no credential, and one by tokens of
// an OpenID Connect issuer, at every route and call of a gateway that speaks TLS, by stock curl, grpcurl and the command line. Each has what is
// his, and sees nothing of the others'.
func TestAccessOverTLS(t *testing.T) {
	t.Parallel() // it mostly waits
	if os.Getenv("GRPCURL") == "" {
		t.Fatal("$GRPCURL does not name grpcurl: run make e2e")
	}
	log := rekortest.StartServer(t)
	t.Run("sqlite", func(t *testing.T) { checkAccess(t, log, config.Store{SQLite: config.SQLite{Path: "store.db"}}) })
	t.Run("postgres", func(t *testing.T) {
		server := postgrestest.NewServer(t)
		checkAccess(t, log, config.Store{Postgres: config.Postgres{DSN: server.NewDatabase(t, ""), MaxConnections: 16}})
	})
}

func checkAccess(t *testing.T, upstream *rekortest.Server, store config.Store) {
	g := deploy(t, must(exec.LookPath("rekor-gateway")), upstream)
	g.cfg.Store, g.cfg.RekorAPI.V2 = store, g.cfg.Logs[0].ID
	clients := g.deployTenants()
	g.deployJobs(clients)
	g.start()
	own := map[string]tenantsOwn{}
	for _, tenant := range []string{"red", "blue", "green", "gold"} {
		own[tenant] = g.submitFirst(clients[tenant])
	}
	for _, asking := range slices.Sorted(maps.Keys(clients)) {
		g.checkRoutes(clients[asking], own)
		g.checkCalls(clients[asking], own)
		g.checkCommands(clients[asking], own)
	}
	g.stop()
	secrets := []string{"green.path-token"}
	for _, c := range clients {
		if c.token != "" {
			secrets = append(secrets, c.token)
		}
	}
	log := readText(t, g.file("log"))
	for _, name := range secrets {
		if strings.Contains(log, strings.TrimSpace(readText(t, g.file(name)))) {
			t.Errorf("the log has the secret in %s", name)
		}
	}
}

// deployTenants makes credentials, and the configuration that knows them.
func (g *deployment) deployTenants() map[string]*accessClient {
	g.t.Helper()
	shell(g.t, g.dir, `
		new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
		{ $new -x509 -keyout ca.key -out clients.pem -days 30 -subj /CN=clients
		$new -x509 -keyout gateway.key -out gateway.crt -days 30 -subj /CN=gateway -addext subjectAltName=DNS:localhost
		$new -keyout blue.key -out blue.csr -subj /CN=blue -addext subjectAltName=DNS:blue.example.com -addext extendedKeyUsage=clientAuth
		openssl x509 -req -in blue.csr -CA clients.pem -CAkey ca.key -days 30 -copy_extensions copyall -out blue.crt; } 2>/dev/null
		openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private; openssl pkey -in private -pubout -out key.pem
		for name in red blue green gold; do echo "of $name" >$name; openssl dgst -sha256 -sign private -out $name.sig $name; done
		rekor-gateway config token red >red.token; rekor-gateway config token green --path >green.path-token; echo nobodys >bad.token`)
	pair := config.TLS{CertFile: "gateway.crt", KeyFile: "gateway.key", ClientCAFile: "clients.pem"}
	may := []string{"submit", "read", "audit"}
	g.cfg.HTTP.TLS, g.cfg.GRPC.TLS = pair, pair
	g.cfg.Callers = []config.Caller{
		{Name: "red", Tenant: "red", May: may, TokenSHA256: []string{g.hashOfFile("red.token")}},
		{Name: "blue", Tenant: "blue", May: may, ClientCert: config.ClientCert{SAN: []string{"dns:blue.example.com"}}},
		{Name: "green", Tenant: "green", May: may, PathTokenSHA256: []string{g.hashOfFile("green.path-token")}},
		{Name: "green-here", Tenant: "green", May: may},
	}
	g.cfg.Listeners = []config.Listener{{Listen: freeAddress(), Caller: "green-here", TLS: config.KeyPair{CertFile: pair.CertFile, KeyFile: pair.KeyFile}}}
	url := func(address string) string { return "https://" + strings.Replace(address, "127.0.0.1", "localhost", 1) }
	base, path := url(g.cfg.HTTP.Listen), strings.TrimSpace(readText(g.t, g.file("green.path-token")))
	clients := map[string]*accessClient{}
	for _, c := range []accessClient{
		{name: "red", tenant: "red", base: base, token: "red.token", grpc: []string{}, cli: [][]string{{"--token-file", "red.token"}}},
		{name: "blue", tenant: "blue", base: base, curl: blueByCurl, grpc: blueByGRPCurl, cli: [][]string{blueByFlags}},
		{name: "green", tenant: "green", base: base + "/r/" + path, inPath: true},
		{name: "green, by address", tenant: "green", base: url(g.cfg.Listeners[0].Listen), cli: [][]string{{}}},
		{name: "nobody", base: base, grpc: []string{}, cli: [][]string{{}}},
		{name: "a bad token", base: base, token: "bad.token", grpc: []string{}},
		{name: "a bad path", base: base + "/r/nobodys", inPath: true},
		{name: "two credentials", base: base, token: "red.token", curl: blueByCurl, grpc: blueByGRPCurl},
		{name: "token and path", base: base + "/r/" + path, token: "red.token", inPath: true},
		{name: "token and address", base: url(g.cfg.Listeners[0].Listen), token: "red.token"},
	} {
		g.addClient(clients, c)
	}
	return clients
}

// How blue shows his certificate.
var (
	blueByCurl    = []string{"--cert", "blue.crt", "--key", "blue.key"}
	blueByGRPCurl = []string{"-cert", "blue.crt", "-key", "blue.key"}
	blueByFlags   = []string{"--client-cert", "blue.crt", "--client-key", "blue.key"}
)

// addClient adds c, who shows his token to curl and grpcurl as well, if he has one. It is in no list of processes.
func (g *deployment) addClient(clients map[string]*accessClient, c accessClient) {
	g.t.Helper()
	if c.token != "" {
		header := "Authorization: Bearer " + readText(g.t, g.file(c.token))
		if err := os.WriteFile(g.file(c.token+".header"), []byte(header), 0o600); err != nil {
			g.t.Fatal(err)
		}
		c.curl = slices.Concat(c.curl, []string{"--header", "@" + c.token + ".header"})
	}
	if c.token != "" && c.grpc != nil {
		c.grpc = slices.Concat(c.grpc, []string{"-expand-headers", "-H", "authorization: Bearer ${TOKEN}"})
	}
	clients[c.name] = &c
}

// curl sends a request by stock curl.
func (g *deployment) curl(c *accessClient, method, path string, arguments ...string) (int, string) {
	g.t.Helper()
	all := slices.Concat([]string{"--silent", "--show-error", "--cacert", "gateway.crt", "--request", method, "--output", "body", "--write-out", "%{http_code}"}, c.curl, arguments, []string{c.base + path})
	cmd := exec.Command("curl", all...)
	cmd.Dir = g.dir
	out, failed := cmd.CombinedOutput()
	status, err := strconv.Atoi(string(out))
	if err != nil {
		g.t.Fatalf("curl by %s: %v\n%s", c.name, failed, out)
	}
	return status, readText(g.t, g.file("body"))
}

// formOf is what curl sends for a tenant's artifact.
func formOf(tenant string) []string {
	return []string{"--form", "signature=@" + tenant + ".sig", "--form", "key=@key.pem", "--form", "representation=ATTESTED", "--form", "artifact=@" + tenant}
}

// linesOf is what curl sends in a batch: lines that are refused, each by itself, whoever sends them.
func linesOf(tenant string) []string {
	return []string{"--header", "Content-Type: application/x-ndjson", "--data-binary", `{"ref":"` + tenant + `"}`}
}

func (g *deployment) submitFirst(c *accessClient) (own tenantsOwn) {
	g.t.Helper()
	status, body := g.curl(c, http.MethodPost, "/v1/submissions", formOf(c.tenant)...)
	var s submitted
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != http.StatusCreated || len(s.Entries) != 1 {
		g.t.Fatalf("%s: %d %s", c.name, status, body)
	}
	return tenantsOwn{s.ID, s.Entries[0].LeafHash}
}

// routesByCurl are arguments of curl for each route, and what an owner and another tenant are answered. A new route needs a line.
var routesByCurl = map[string]struct {
	arguments  func(owner string) []string
	own, other int
}{
	"POST /v1/submissions":             {formOf, 200, 0}, // of another he makes one of his own
	"POST /v1/submissions:batch":       {linesOf, 200, 200},
	"POST /v1/submissions:plan":        {formOf, 200, 200},
	"GET /v1/submissions":              {nil, 200, 200},
	"GET /v1/submissions/{id}":         {nil, 200, 404},
	"GET /v1/submissions/{id}/receipt": {nil, 200, 404},
	"GET /v1/statements/{leaf}":        {nil, 200, 404},
	"GET /v1/audit":                    {nil, 200, 200},
	"GET /v1/formats":                  {nil, 200, 200},
	"GET /healthz":                     {nil, 200, 200},
	"GET /readyz":                      {nil, 200, 200},
	"GET /openapi.json":                {nil, 200, 200},

	"GET /.well-known/rekor-gateway/trusted_root.json":  {nil, 200, 200},
	"GET /.well-known/rekor-gateway/gateway_trust.json": {nil, 200, 200},

	"POST /api/v1/log/entries":            {nil, 404, 404}, // there is no log of Rekor v1
	"GET /api/v1/log/entries":             {nil, 404, 404},
	"GET /api/v1/log/entries/{id}":        {nil, 404, 404},
	"POST /api/v1/log/entries/retrieve":   {nil, 404, 404},
	"POST /api/v1/index/retrieve":         {nil, 404, 404},
	"GET /api/v1/log":                     {nil, 404, 404},
	"GET /api/v1/log/publicKey":           {nil, 404, 404},
	"GET /api/v1/log/proof":               {nil, 404, 404},
	"GET /ping":                           {nil, 404, 404},
	"POST /api/v2/log/entries":            {func(owner string) []string { return []string{"--data", `{"of":"` + owner + `"}`} }, 400, 400}, // refused, whoever sends it
	"GET /api/v2/checkpoint":              {nil, 200, 200},
	"GET /api/v2/tile/{level}/{index...}": {nil, 404, 404},
	"GET /api/v2/tile/entries/{index...}": {nil, 404, 404},

	"GET /own/{tree}/checkpoint":              {nil, 404, 404}, // there is no own log
	"GET /own/{tree}/tile/{level}/{index...}": {nil, 404, 404},
	"GET /own/{tree}/tile/entries/{index...}": {nil, 404, 404},
}

// checkRoutes asks every route for what each has.
func (g *deployment) checkRoutes(c *accessClient, own map[string]tenantsOwn) {
	g.t.Helper()
	for route, right := range api.RouteRights() {
		r, listed := routesByCurl[route]
		if !listed {
			g.t.Errorf("%s has no line in routesByCurl", route)
		}
		for owner, has := range c.whose(own, r.arguments == nil && r.own == r.other) {
			want := r.other
			switch {
			case c.tenant == "" && (c.inPath || right != gateway.NoRight):
				want = http.StatusUnauthorized
			case c.inPath && !api.RoutesInPath()[route] || !c.may(right):
				want = http.StatusForbidden
			case c.tenant == owner:
				want = r.own
			}
			if want == 0 {
				continue
			}
			method, path, _ := strings.Cut(route, " ")
			var arguments []string
			if r.arguments != nil {
				arguments = r.arguments(owner)
			}
			status, body := g.curl(c, method, strings.NewReplacer("{id}", has.id, "{leaf}", has.leaf).Replace(path), arguments...)
			if status != want || c.tells(own, body) {
				g.t.Errorf("%s of %s by %s: %d, want %d: %s", route, owner, c.name, status, want, body)
			}
		}
	}
}

// callsByGRPCurl are messages for each call, in JSON, and what another tenant is answered. A new call needs a line.
var callsByGRPCurl = map[string]struct {
	messages func(g *deployment, owner string, has tenantsOwn) string
	other    codes.Code
}{
	pb.GatewayService_Submit_FullMethodName: {func(g *deployment, owner string, _ tenantsOwn) string {
		return fmt.Sprintf(`{"start":{"header":%s}} {"chunk":"%s"}`, g.headerOf(owner), g.base64Of(owner))
	}, codes.OK},
	pb.GatewayService_SubmitBatch_FullMethodName: {func(g *deployment, owner string, _ tenantsOwn) string {
		return fmt.Sprintf(`{"header":%s,"artifact":"%s"}`, g.headerOf(owner), g.base64Of(owner))
	}, codes.OK},
	pb.GatewayService_Plan_FullMethodName:            {func(g *deployment, owner string, _ tenantsOwn) string { return `{"header":` + g.headerOf(owner) + `}` }, codes.OK},
	pb.GatewayService_GetSubmission_FullMethodName:   {func(_ *deployment, _ string, has tenantsOwn) string { return `{"id":"` + has.id + `"}` }, codes.NotFound},
	pb.GatewayService_GetSubmissions_FullMethodName:  {func(_ *deployment, _ string, has tenantsOwn) string { return `{"ids":["` + has.id + `"]}` }, codes.OK},
	pb.GatewayService_ListSubmissions_FullMethodName: {nil, codes.OK},
	pb.GatewayService_WatchSubmission_FullMethodName: {func(_ *deployment, _ string, has tenantsOwn) string { return `{"id":"` + has.id + `"}` }, codes.NotFound},
	pb.GatewayService_ListAudit_FullMethodName:       {nil, codes.OK},
	pb.GatewayService_ListFormats_FullMethodName:     {nil, codes.OK},
}

func (g *deployment) base64Of(name string) string {
	return base64.StdEncoding.EncodeToString([]byte(readText(g.t, g.file(name))))
}

func (g *deployment) headerOf(owner string) string {
	return fmt.Sprintf(`{"signature":"%s","keys":["%s"],"representation":"ATTESTED"}`, g.base64Of(owner+".sig"), g.base64Of("key.pem"))
}

// grpcurl calls by grpcurl, whose exit code says the status.
func (g *deployment) grpcurl(c *accessClient, messages string, target ...string) (code codes.Code, out string) {
	g.t.Helper()
	_, address, _ := strings.Cut(g.cfg.GRPC.Listen, ":")
	all := slices.Concat([]string{"-cacert", "gateway.crt", "-max-time", "60", "-d", messages}, c.grpc, []string{"localhost:" + address}, target)
	cmd := exec.Command(os.Getenv("GRPCURL"), all...)
	cmd.Dir = g.dir
	cmd.Env = os.Environ()
	if c.token != "" {
		cmd.Env = append(cmd.Env, "TOKEN="+strings.TrimSpace(readText(g.t, g.file(c.token))))
	}
	raw, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return codes.OK, string(raw)
	case errors.As(err, &exit) && exit.ExitCode() > 64:
		return codes.Code(exit.ExitCode() - 64), string(raw)
	}
	g.t.Fatalf("grpcurl by %s: %v\n%s", c.name, err, raw)
	return 0, ""
}

// checkCalls makes every call about what each has.
func (g *deployment) checkCalls(c *accessClient, own map[string]tenantsOwn) {
	g.t.Helper()
	if c.grpc == nil {
		return
	}
	_, listed := g.grpcurl(c, "", "list", pb.GatewayService_ServiceDesc.ServiceName)
	for method := range strings.FieldsSeq(listed) {
		i := strings.LastIndexByte(method, '.')
		name := "/" + method[:i] + "/" + method[i+1:]
		call, ok := callsByGRPCurl[name]
		right, known := api.CallRight(name)
		if !ok || !known {
			g.t.Errorf("%s has no line in callsByGRPCurl, or no right", name)
			continue
		}
		submits := right == gateway.MaySubmit && name != pb.GatewayService_Plan_FullMethodName // what is another's he makes one of his own
		for owner, has := range c.whose(own, call.messages == nil || submits) {
			want := call.other
			switch {
			case c.tenant == "" && right != gateway.NoRight:
				want = codes.Unauthenticated
			case !c.may(right):
				want = codes.PermissionDenied
			case c.tenant == owner:
				want = codes.OK
			}
			messages := ""
			if call.messages != nil {
				messages = call.messages(g, owner, has)
			}
			code, out := g.grpcurl(c, messages, method)
			if code != want || c.tells(own, out) {
				g.t.Errorf("%s of %s by %s: %v, want %v: %s", name, owner, c.name, code, want, out)
			}
		}
	}
}

// commandsOf are commands about what an owner has, and the right that each needs.
func commandsOf(owner string, has tenantsOwn) map[string]commandOf {
	signed := []string{"--signature", owner + ".sig", "--key", "key.pem"}
	return map[string]commandOf{
		"get": {[]string{"get", has.id}, gateway.MayRead}, "list": {[]string{"list"}, gateway.MayRead}, "audit": {[]string{"list", "--audit"}, gateway.MayAudit},
		"plan":   {slices.Concat([]string{"plan"}, signed), gateway.MaySubmit},
		"submit": {slices.Concat([]string{"submit", "--artifact", owner, "--representation", "ATTESTED", "--send-bytes"}, signed), gateway.MaySubmit},
	}
}

type commandOf struct {
	arguments []string
	right     gateway.Right
}

// checkCommands has the command line submit, get, list, plan and show the audit trail.
func (g *deployment) checkCommands(c *accessClient, own map[string]tenantsOwn) {
	g.t.Helper()
	for _, flags := range c.cli {
		for owner, has := range c.whose(own, false) {
			for name, command := range commandsOf(owner, has) {
				if c.tenant != "" && c.tenant != owner && name != "get" {
					continue // it is the same for all, or he makes one of his own
				}
				exit, out := g.runAs(c, slices.Concat(command.arguments, flags))
				says := ""
				switch {
				case c.tenant == "":
					says = "UNAUTHENTICATED"
				case !c.may(command.right):
					says = "FORBIDDEN"
				case c.tenant != owner:
					says = "NOT_FOUND"
				case name != "plan":
					says = has.id
				}
				if passes := c.tenant == owner && c.may(command.right); (exit == 0) != passes || !strings.Contains(out, says) || name != "get" && c.tells(own, out) {
					g.t.Errorf("%s of %s by %s with %q: exit %d, want %q: %s", name, owner, c.name, flags, exit, says, out)
				}
			}
		}
	}
}

// runAs runs rekor-gateway as c.
func (g *deployment) runAs(c *accessClient, arguments []string) (exit int, out string) {
	cmd := exec.Command("rekor-gateway", slices.Concat([]string{arguments[0], "--ca-file", "gateway.crt", "--output", "json"}, arguments[1:])...)
	cmd.Dir = g.dir
	cmd.Env = slices.Concat(os.Environ(), []string{"REKOR_GATEWAY_SERVER=" + c.base}, c.env)
	raw, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(raw)
}

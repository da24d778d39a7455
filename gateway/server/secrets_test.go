// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
	"github.com/rekor-gateway/rekor-gateway/ratelimit/redistest"
)

// What nothing that the gateway writes or answers may have.
const (
	goodBearer   = "rgw_good-bearer-3f9a"
	badBearer    = "rgw_bad-bearer-71c2"
	endedBearer  = "rgw_ended-bearer-0d5e"
	goodPath     = "rgw_good-path-a8b4"
	badPath      = "rgw_bad-path-6e13"
	basicSecret  = "basic-secret-c44d"
	redisSecret  = "redis-secret-9b72"
	dsnSecret    = "dsn-secret-e0f7"
	keyPassword  = "key-password-5a6b"
	envDSN       = "GATEWAY_SECRETS_TEST_DSN"
	envPassword  = "GATEWAY_SECRETS_TEST_PASSWORD"
	labelOfParty = "label-secret-2c8d"
)

// secretsOf returns them all, with lines of the private keys.
func secretsOf(t *testing.T, keys ...string) map[string]string {
	t.Helper()
	secrets := map[string]string{}
	for _, s := range []string{goodBearer, badBearer, endedBearer, goodPath, badPath, basicSecret, redisSecret, dsnSecret, keyPassword, labelOfParty} {
		secrets[s] = s
		secrets[s+", in base64"] = strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "=")
		secrets[s+", in hexadecimal"] = hex.EncodeToString([]byte(s))
	}
	for _, path := range keys {
		lines := strings.Split(strings.TrimSpace(string(must(os.ReadFile(path)))), "\n")
		secrets["a line of "+path] = lines[len(lines)/2]
	}
	return secrets
}

// shown is all that the gateway has shown, by where.
type shown map[string]string

// TestNothingShowsSecrets: requests with good and bad credentials of every kind, while what the gateway depends on fails as well as works,
// leave no secret in logs at any level, in answers, metrics, traces, or the store.
func TestNothingShowsSecrets(t *testing.T) {
	spans, endpoint := startCollector(t)
	database := postgrestest.Shared(t).NewDatabase(t, "")
	dsn := strings.Replace(database, "gateway@", "gateway:"+dsnSecret+"@", 1)
	redis := redistest.NewServer(t)
	cfg := withCallers(newConfig(t), nil)
	pair, _ := newCertificate(t)
	t.Setenv(envDSN, dsn)
	t.Setenv(envPassword, keyPassword)
	cfg.Logging.Level = "debug"
	cfg.Tracing = config.Tracing{Endpoint: endpoint, Sample: 1}
	cfg.Store = config.Store{Postgres: config.Postgres{DSNEnv: envDSN, MaxConnections: 16}}
	cfg.Limits.RequestsPerMinute, cfg.Limits.RequestBurst = 1000, 1000
	cfg.Limits.Redis = config.Redis{URL: strings.Replace(redis.URL(), "redis://", "redis://u:"+redisSecret+"@", 1)} // it asks for none, and refuses one
	cfg.Attestation.PasswordEnv = envPassword
	cfg.Callers = []config.Caller{
		{Name: "bearer", Tenant: "t", May: []string{"submit", "read"}, TokenSHA256: []string{tokenHash(goodBearer), tokenHash(endedBearer) + " until 2020-01-01"}},
		{Name: "path", Tenant: "t", May: []string{"submit", "read"}, PathTokenSHA256: []string{tokenHash(goodPath)}},
		{Name: "bound", Tenant: "t", May: []string{"submit", "read"}},
	}
	cfg.Listeners = []config.Listener{{Listen: "127.0.0.1:0", Caller: "bound", TLS: config.KeyPair{CertFile: pair.CertFile, KeyFile: pair.KeyFile}}}
	all := shown{}
	r := run(t, cfg)
	defer r.stop()
	r.showSecrets(all)
	faulty := *cfg
	faulty.Callers = append(faulty.Callers[:3:3], config.Caller{Name: "x", Tenant: "t", May: []string{"read"}, TokenSHA256: []string{badBearer}})
	all["a reload of a token itself"] = r.ReloadCallers(t.Context(), &faulty).Error()
	for name, dsn := range map[string]string{
		"malformed": "postgres://u:" + dsnSecret + "@[::1/db", "no port": "postgres://u:" + dsnSecret + "@localhost:x/db", "nobody there": "postgres://u:" + dsnSecret + "@127.0.0.1:1/db?connect_timeout=1",
		"keywords": "host=/nowhere user=u password=" + dsnSecret + " port=x", "odd option": dsn + "&sslmode=odd",
	} {
		t.Setenv(envDSN, dsn)
		if err := server.CheckFiles(t.Context(), cfg); err != nil {
			all["config check, "+name] = err.Error()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		var log bytes.Buffer
		if _, err := server.Build(ctx, cfg, server.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}); err != nil {
			all["start, "+name] = err.Error() + log.String()
		} else {
			t.Errorf("%s: it starts", name)
		}
	}
	for _, name := range []string{"bearer", "path", "bound"} {
		all["config explain "+name] = fmt.Sprint(must(cfg.ExplainCaller(name, []string{"x509"})))
	}
	all["store"] = dumpDatabase(t, database) // before it leaves the others: what they agree on is there
	if err := r.stop(); err != nil {
		all["stop"] = err.Error()
	}
	all["log"], all["spans"] = r.log.String(), spans.raw.String()
	for _, want := range []string{"caller=bearer", "caller=path", "caller=bound", "reason=UNAUTHENTICATED", "rate limit"} {
		if !strings.Contains(all["log"], want) {
			t.Errorf("the log lacks %q, so this shows less than it should:\n%s", want, all["log"])
		}
	}
	for where, want := range map[string]string{"metrics": "rekor_gateway_refusals_total", "spans": "GET /v1/submissions", "store": "rekor_gateway.replica ("} {
		if !strings.Contains(all[where], want) {
			t.Errorf("%s lacks %q, so this shows less than it should", where, want)
		}
	}
	secrets := secretsOf(t, pair.KeyFile, cfg.Attestation.Key)
	for where, text := range all {
		for what, secret := range secrets {
			if where == "store" && strings.HasPrefix(what, labelOfParty) { // it is kept there for its owner
				continue
			}
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s has %s: …%s…", where, what, text[max(0, at-200):min(len(text), at+200)])
			}
		}
	}
}

// showSecrets sends credentials of every kind in every way, and adds the answers, but for what their owner has sent himself.
func (r *running) showSecrets(all shown) {
	main, bound := r.Addresses().HTTP, r.Addresses().Listeners[0]
	for name, c := range map[string]struct{ url, authorization string }{
		"good bearer":        {main + "/v1/submissions?artifact=x", "Bearer " + goodBearer},
		"bad bearer":         {main + "/v1/submissions", "Bearer " + badBearer},
		"ended bearer":       {main + "/v1/submissions", "Bearer " + endedBearer},
		"bearer, bare":       {main + "/v1/submissions", goodBearer},
		"basic":              {main + "/v1/submissions", "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+basicSecret))},
		"basic, in the URL":  {strings.Replace(main, "://", "://u:"+basicSecret+"@", 1) + "/v1/submissions", ""},
		"in the query":       {main + "/v1/submissions?access_token=" + goodBearer, ""},
		"in another query":   {main + "/v1/submissions?state=" + goodBearer, "Bearer " + goodBearer},
		"page token":         {main + "/v1/submissions?page_token=" + goodBearer, "Bearer " + goodBearer},
		"good path":          {main + "/r/" + goodPath + "/v1/submissions/x", ""},
		"bad path":           {main + "/r/" + badPath + "/v1/submissions/x", ""},
		"good path, nothing": {main + "/r/" + goodPath + "/nowhere", ""},
		"path, escaped":      {main + "/r/" + goodPath + "%2fv1", ""},
		"path, twice":        {main + "/r/" + goodPath + "/r/" + badPath, ""},
		"path, and bearer":   {main + "/r/" + goodPath + "/v1/submissions/x", "Bearer " + goodBearer},
		"path, as bearer":    {main + "/v1/submissions", "Bearer " + goodPath},
		"bound":              {bound + "/v1/submissions", ""},
		"bound, and bearer":  {bound + "/v1/submissions", "Bearer " + goodBearer},
		"bound, and path":    {bound + "/r/" + goodPath + "/v1/submissions/x", ""},
		"health":             {main + "/readyz", "Bearer " + badBearer},
	} {
		request := must(http.NewRequest(http.MethodGet, c.url, nil))
		if c.authorization != "" {
			request.Header.Set("Authorization", c.authorization)
		}
		request.Header.Set("Cookie", "session="+basicSecret)
		request.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		request.Header.Set("Tracestate", "t="+basicSecret)
		all["GET "+name] = answerOf(insecureClient.Do(request))
		post := must(http.NewRequest(http.MethodPost, c.url, strings.NewReader(`{"labels":{"l":"`+labelOfParty+`"},"signature":"`)))
		post.Header = request.Header.Clone()
		post.Header.Set("Content-Type", "application/json")
		all["POST "+name] = answerOf(insecureClient.Do(post))
	}
	kind, body := form(key, "with secrets")
	all["submission"] = answerOf(http.Post(main+"/r/"+goodPath+"/v1/submissions", kind, body))
	_, address, _ := strings.Cut(r.Addresses().GRPC, "://")
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	defer conn.Close()
	for _, shown := range []string{"Bearer " + goodBearer, "Bearer " + badBearer, "Basic " + basicSecret} {
		r.callBare(conn, pb.GatewayService_SubmitBatch_FullMethodName, shown)
		r.callBare(conn, "/r/"+goodPath+pb.GatewayService_ListSubmissions_FullMethodName, shown)
	}
	all["metrics"] = answerOf(http.Get(r.Addresses().Admin + "/metrics"))
}

// insecureClient takes any certificate: it is sent nothing that counts.
var insecureClient = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} // #nosec G402

// answerOf returns an answer with its header.
func answerOf(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	var text bytes.Buffer
	_ = resp.Header.Write(&text)
	_, _ = io.Copy(&text, resp.Body)
	return text.String()
}

// dumpDatabase returns every row of every table as text.
func dumpDatabase(t *testing.T, dsn string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn := must(pgx.Connect(ctx, dsn))
	defer conn.Close(ctx)
	tables := must(pgx.CollectRows(must(conn.Query(ctx, `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`)), pgx.RowTo[string]))
	var all strings.Builder
	for _, table := range tables {
		for _, row := range must(pgx.CollectRows(must(conn.Query(ctx, `SELECT t::text FROM `+table+` t`)), pgx.RowTo[string])) {
			all.WriteString(table + " " + row + "\n")
		}
	}
	return all.String()
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/toy"
)

const minimal = `
trusted_root: trust/root.json
logs:
  - {id: local, origin: rekor.local, url: "http://127.0.0.1:3000"}
`

func load(t *testing.T, text string) (*Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestDefaultsAndPaths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := minimal + "worker: {drain: 5s}\npolicy: {keys: {pgp: [a.asc, /b.asc]}, roots: [ca.pem]}\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(filepath.Dir(path), name) }
	for got, want := range map[string]string{
		c.TrustedRoot: in("trust/root.json"), c.Store.SQLite.Path: in("rekor-gateway.db"),
		c.Policy.Keys["pgp"][0]: in("a.asc"), c.Policy.Keys["pgp"][1]: "/b.asc", c.Policy.Roots[0]: in("ca.pem"),
		c.HTTP.Listen: "127.0.0.1:8080", c.Logs[0].GRPCURL: "http://127.0.0.1:3000", c.Logs[0].ReadURL: "http://127.0.0.1:3000",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if c.Worker.Drain != 5*time.Second || c.Worker.AddTimeout != time.Minute || c.Limits.MaxArtifactBytes != 8<<30 || c.Logs[0].IntegrationDelay != 5*time.Minute {
		t.Errorf("worker %+v, limits %+v, logs %+v", c.Worker, c.Limits, c.Logs)
	}
}

const twoLogs = minimal + "  - {id: second, origin: b, url: 'http://b'}\n"

// Where nothing is said, all logs are needed.
func TestResolvedLogs(t *testing.T) {
	for text, want := range map[string]LogSet{
		minimal: {List: []string{"local"}, Need: 1, Mode: ModeAll, FailoverAfter: time.Minute},
		twoLogs: {List: []string{"local", "second"}, Need: 2, Mode: ModeAll, FailoverAfter: time.Minute},
		twoLogs + "policy: {logs: {list: [second]}}": {List: []string{"second"}, Need: 1, Mode: ModeAll, FailoverAfter: time.Minute},
		twoLogs + "policy: {logs: {list: [second, local], need: 1, mode: failover, failover_after: 5m}}": {
			List: []string{"second", "local"}, Need: 1, Mode: ModeFailover, FailoverAfter: 5 * time.Minute,
		},
	} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := c.ResolvedLogs(c.Policy.Logs); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

// farm is a caller.
var farm = "{name: farm, tenant: builds, token_sha256: [" + strings.Repeat("ab", 32) + "], may: [submit]}"

// folder finds paths of the tests, which have any letters in them.
var folder = regexp.MustCompile(regexp.QuoteMeta(os.TempDir()) + `\S*`)

const sourced = "trusted_root: x\nsource: {signing_config: y}\n"

// TestSourced: the file's path is resolved, and the logs pass.
func TestSourced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := sourced + "logs: [{id: a, operator: x}, {id: b, operator: y}, {id: c, origin: o, url: 'https://c.example'}]"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(path), "y"); c.Source.SigningConfig != want || !c.Logs[1].IsSourced() || c.Logs[2].IsSourced() {
		t.Errorf("%+v, %+v", c.Source, c.Logs)
	}
}

func TestTUFDefaults(t *testing.T) {
	for text, want := range map[string]Source{
		"{tuf: sigstore}":         {TUF: TUFSigstore, TUFCache: "tuf-cache", TUFTrustedRoot: "trusted_root.json", TUFSigningConfig: "signing_config_rekor_v2.v0.2.json"},
		"{tuf: sigstore-staging}": {TUF: TUFStaging, TUFCache: "tuf-cache", TUFTrustedRoot: "trusted_root.json", TUFSigningConfig: "signing_config_rekor_v2.v0.2.json"},
		"{tuf: 'https://tuf.example', tuf_root: r, tuf_cache: c, tuf_trusted_root: t, tuf_signing_config: s}": {
			TUF: "https://tuf.example", TUFRoot: "r", TUFCache: "c", TUFTrustedRoot: "t", TUFSigningConfig: "s",
		},
	} {
		c, err := Parse([]byte("contact: 'https://example.com/ops'\nsource: " + text + "\nlogs: [{id: a}]"))
		if err != nil || c.Source != want || c.UserAgent() != "rekor-gateway (+https://example.com/ops)" {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
}

// TestProfiles: one line is a whole configuration, and what it stands for can be said otherwise.
func TestProfiles(t *testing.T) {
	for name, want := range map[string]struct {
		tuf, target, kind string
		rate              float64
	}{
		"sigstore-public-v1": {TUFSigstore, "signing_config.v0.2.json", KindRekorV1, 2},
		"sigstore-public-v2": {TUFSigstore, "signing_config_rekor_v2.v0.2.json", KindRekorV2, 5},
		"sigstore-staging":   {TUFStaging, "signing_config_rekor_v2.v0.2.json", KindRekorV2, 5},
	} {
		c, err := Parse([]byte("profile: " + name))
		if err != nil {
			t.Fatal(err)
		}
		l := c.Logs[0]
		if c.Source.TUF != want.tuf || c.Source.TUFSigningConfig != want.target || len(c.Logs) != 1 || !l.IsSourced() || l.Kind != want.kind || l.Rate != want.rate || l.Operator != "sigstore.dev" {
			t.Errorf("%s: %+v", name, c)
		}
		if got, want := c.DescribeSource(&l), "TUF repository "+want.tuf+", operator sigstore.dev"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		sentences, err := c.ExplainCaller("", nil)
		explained := fmt.Sprint(sentences)
		if err != nil || !strings.Contains(explained, c.DescribeSource(&l)) || strings.Contains(explained, l.ID+" (Rekor v1") != (want.kind == KindRekorV1) {
			t.Errorf("%s: %s, %v", name, explained, err)
		}
		raw, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(raw)
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("read back: %+v, %v", again, err)
		}
	}
	if c, err := Parse([]byte("source: {tuf: sigstore}\nlogs: [{id: a, kind: rekor-v1}, {id: b}]")); err != nil { // two logs of one operator
		t.Errorf("%+v, %v", c, err)
	}
	c, err := Parse([]byte("profile: sigstore-public-v2\nlogs: [{id: public, rate: 1}]"))
	if err != nil || len(c.Logs) != 1 || c.Logs[0].ID != "public" || c.Logs[0].Rate != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":         {minimal + "htp: {listen: x}", `line 5: unknown key "htp" (did you mean "http"?)`},
		"unknown inner key":   {minimal + "http:\n  lisen: x", `line 6: unknown key "lisen" (did you mean "listen"?)`},
		"unknown far key":     {minimal + "zzzzzzzz: 1", `line 5: unknown key "zzzzzzzz"`},
		"in a list":           {strings.Replace(minimal, "url:", "ulr:", 1), `unknown key "ulr" (did you mean "url"?)`},
		"twice":               {minimal + "trusted_root: b", `already defined`},
		"number as duration":  {minimal + "worker: {drain: 5}", `line 5: worker.drain: "5" is not a duration`},
		"short duration":      {minimal + "worker: {drain: 5ms}", "worker.drain is not between"},
		"gone key":            {minimal + "worker: {settle_after: 30s}", `line 5: "settle_after" is now "integration_delay of logs"`},
		"short delay":         {strings.Replace(minimal, "url:", "integration_delay: 5ms, url:", 1), "integration_delay is not between 1s and 24h"},
		"long delay":          {strings.Replace(minimal, "url:", "integration_delay: 25h, url:", 1), "integration_delay is not between"},
		"no log for clients":  {minimal + "rekor_api: {v2: other}", `rekor_api.v2: there is no log "other" in logs`},
		"no reads":            {minimal + "rekor_api: {read_rate: 0}", "rekor_api.read_rate is not between 0.01 and 100000"},
		"two documents":       {minimal + "---\na: b", "second YAML document"},
		"failure alone":       {minimal + "limits: {redis: {on_failure: refuse}}", "limits.redis.url is missing"},
		"no Redis":            {minimal + "limits: {redis: {url: 'http://u:p@host'}}", "limits.redis.url is not redis://, rediss:// or unix://"},
		"two Redis":           {minimal + "limits: {redis: {url: 'redis://host', url_env: X}}", "three ways to say one thing"},
		"no Redis at all":     {minimal + "limits: {redis: {on_failure: allow}}", "limits.redis.url is missing"},
		"no such choice":      {minimal + "limits: {redis: {url: 'redis://host', on_failure: deny}}", `"deny" is neither allow nor refuse`},
		"proxy, no network":   {minimal + "trusted_proxies: [10.0.0.1]", `"10.0.0.1" is not a network`},
		"proxy, inside":       {minimal + "trusted_proxies: [10.0.0.1/8]", `"10.0.0.1/8" is not a network`},
		"proxy, everybody":    {minimal + "trusted_proxies: ['::/0']", "is everybody"},
		"proxy, mapped":       {minimal + "trusted_proxies: ['::ffff:10.0.0.0/104']", "as a network of IPv4"},
		"no root":             {strings.Replace(minimal, "trusted_root: trust/root.json", "", 1), "trusted_root is missing"},
		"source, no log":      {minimal + "source: {signing_config: x}", "source: no log comes from it"},
		"no source":           {"trusted_root: x\nlogs: [{id: a}]", "logs[0]: id and origin are needed"},
		"operator, no source": {strings.Replace(minimal, "url:", "operator: a, url:", 1), "operator is for logs of the source"},
		"source and URL":      {sourced + "logs: [{id: a, url: 'https://a.example'}]", "logs[0] (a): the URLs of a log without an origin come from the source"},
		"operator twice":      {sourced + "logs: [{id: a, operator: x}, {id: b, operator: x}]", `the operator "x" is that of a: they are one log`},
		"operator left out":   {sourced + "logs: [{id: a, operator: x}, {id: b}]", "each log of the source needs an operator"},
		"odd profile":         {"profile: sigstore-public", `"sigstore-public" is not one of sigstore-public-v1, sigstore-public-v2, sigstore-staging (did you mean "sigstore-public-v1"?)`},
		"sourced v1, no TUF":  {sourced + "logs: [{id: a, kind: rekor-v1}]", "logs[0] (a): a log of Rekor v1 without an origin comes from source.tuf alone"},
		"sourced v1, its URL": {"source: {tuf: sigstore}\nlogs: [{id: a, kind: rekor-v1, url: 'https://a.example'}]", "the URLs of a log without an origin come from the source"},
		"sourced v1 twice":    {"source: {tuf: sigstore}\nlogs: [{id: a, kind: rekor-v1}, {id: b, kind: rekor-v1}]", `the operator "" is that of a: they are one log`},
		"profile and root":    {"profile: sigstore-public-v2\ntrusted_root: x", "says what trusted_root and source are"},
		"profile and source":  {"profile: sigstore-public-v2\nsource: {tuf: sigstore}", "says what trusted_root and source are"},
		"profile, no log":     {"profile: sigstore-public-v2\nlogs: [{id: a, origin: o, url: 'https://o.example'}]", "source: no log comes from it"},
		"TUF and root":        {"trusted_root: x\nsource: {tuf: sigstore}\nlogs: [{id: a}]", "trusted_root comes from the repository of source.tuf"},
		"TUF and config":      {"source: {tuf: sigstore, signing_config: x}\nlogs: [{id: a}]", "use one of them"},
		"no TUF":              {minimal + "source: {tuf_cache: x}", "source.tuf is missing"},
		"odd TUF":             {"source: {tuf: sigstor}\nlogs: [{id: a}]", `"sigstor" is not one of sigstore, sigstore-staging, a URL (did you mean "sigstore"?)`},
		"odd TUF URL":         {"source: {tuf: 'ftp://x', tuf_root: y}\nlogs: [{id: a}]", "source.tuf: \"ftp://x\" is not an http or https URL"},
		"TUF without root":    {"source: {tuf: 'https://tuf.example'}\nlogs: [{id: a}]", "source.tuf_root is missing"},
		"public TUF's root":   {"source: {tuf: sigstore, tuf_root: x}\nlogs: [{id: a}]", "the root of sigstore comes with the program"},
		"TUF, no log":         {"source: {tuf: sigstore}\nlogs: [{id: a, origin: o, url: 'https://o.example'}]", "source: no log comes from it"},
		"odd contact":         {minimal + "contact: 'me (at) home'", "contact: this is not an address or a URL"},
		"long contact":        {minimal + "contact: " + strings.Repeat("x", 201), "of at most 200 characters"},
		"no log":              {"trusted_root: x", "logs is empty"},
		"empty":               {"", "logs is empty"},
		"beyond loopback":     {minimal + "http: {listen: 0.0.0.0:80}", "lets every caller"},
		"every interface":     {minimal + `grpc: {listen: ":80"}`, "grpc.listen"},
		"tokens in the open":  {minimal + "callers: [" + farm + "]\ngrpc: {listen: ':80'}", "grpc.listen: :80 can be reached from other machines, and tokens sent to it without TLS"},
		"nobody is asked":     {minimal + "callers: [" + farm + "]\ninsecure_no_auth: true", "leave one of them out"},
		"no callers":          {minimal + "callers: []", "line 5: callers is empty, which would let everybody do everything"},
		"callers of comments": {minimal + "callers:\n  # - name: farm", "callers is empty"},
		"odd indentation":     {minimal + "callers:\n  - name: farm\n    tenant: a\n   may: [read]", "see how that line and those before it are indented"},
		"caller twice":        {minimal + "callers: [" + farm + ", {name: farm, tenant: b, anonymous: true, may: [read]}]", `callers[1]: the name "farm" is there twice`},
		"token twice":         {minimal + "callers: [" + farm + ", " + strings.Replace(farm, "name: farm", "name: b", 1) + "]", "callers[1] (b): token_sha256[0]: it is a token of farm already"},
		"two anonymous":       {minimal + "callers: [{name: a, tenant: b, anonymous: true, may: [read]}, {name: b, tenant: b, anonymous: true, may: [read]}]", "a is the anonymous caller already"},
		"caller of no name":   {minimal + "callers: [" + strings.Replace(farm, "name: farm", "name: ''", 1) + "]", "callers[0] (): this is no name"},
		"odd tenant":          {minimal + "callers: [" + strings.Replace(farm, "builds", "'Builds '", 1) + "]", "tenant is missing, or no name"},
		"no right":            {minimal + "callers: [" + strings.Replace(farm, "[submit]", "[]", 1) + "]", "may is empty"},
		"unknown right":       {minimal + "callers: [" + strings.Replace(farm, "[submit]", "[submti]", 1) + "]", `may[0]: "submti" is not one of audit, read, submit (did you mean "submit"?)`},
		"no credential":       {minimal + "callers: [{name: a, tenant: b, may: [read]}]", "nothing shows that somebody is this caller"},
		"both ways":           {minimal + "callers: [" + strings.Replace(farm, "may:", "anonymous: true, may:", 1) + "]", "leave token_sha256, path_token_sha256, client_cert and oidc out"},
		"token both ways":     {minimal + "callers: [" + farm + ", " + strings.NewReplacer("name: farm", "name: b", "token_sha256", "path_token_sha256").Replace(farm) + "]", "path_token_sha256[0]: it is a token of farm already"},
		"path token, clear":   {minimal + "callers: [" + strings.Replace(farm, "token_sha256", "path_token_sha256", 1) + "]\nhttp: {listen: ':80'}", "tokens sent to it without TLS"},
		"nobody's listener":   {minimal + "callers: [" + farm + "]\nlisteners: [{listen: 'localhost:1', caller: fram}]", `listeners[0].caller: there is no caller "fram"`},
		"listener alone":      {minimal + "listeners: [{listen: 'localhost:1', caller: a}]", `there is no caller "a"`},
		"listener for all":    {minimal + "callers: [" + farm + "]\nlisteners: [{listen: ':80', caller: farm}]", "listeners[0].listen: :80 can be reached from other machines, and whoever reaches it is farm"},
		"listener twice":      {minimal + "callers: [" + farm + "]\nlisteners: [{listen: 'localhost:1', caller: farm}, {listen: 'localhost:1', caller: farm}]", "listeners[1]: localhost:1 is there twice"},
		"listener, half":      {minimal + "callers: [" + farm + "]\nlisteners: [{listen: 'localhost:1', caller: farm, tls: {key_file: a}}]", "listeners[0].tls: cert_file and key_file go together"},
		"listener, nowhere":   {minimal + "callers: [" + farm + "]\nlisteners: [{caller: farm}]", "listeners[0].listen: \"\" is not host:port"},
		"many listeners":      {minimal + "callers: [" + farm + "]\nlisteners: [" + strings.Repeat("{listen: 'localhost:1', caller: farm}, ", 17) + "]", "listeners: there are more than 16"},
		"listeners, no list":  {minimal + "listeners: {listen: x}", "begin each element with a dash"},
		"a token itself":      {minimal + "callers: [{name: a, tenant: b, token_sha256: [rgw_secret], may: [read]}]", "token_sha256[0]: this is not the SHA-256 of a token"},
		"odd end":             {minimal + "callers: [" + strings.Replace(farm, "ab]", "ab until tomorrow]", 1) + "]", `what follows "until" is not a date`},
		"negative limit":      {minimal + "callers: [" + strings.Replace(farm, "may:", "limits: {bytes_per_day: -1}, may:", 1) + "]", "callers[0] (farm): limits must not be negative"},
		"burst alone":         {minimal + "callers: [" + strings.Replace(farm, "may:", "limits: {burst: 1}, may:", 1) + "]", "limits.burst goes with limits.requests_per_minute"},
		"too much pending":    {minimal + "callers: [" + strings.Replace(farm, "may:", "limits: {pending: 100001}, may:", 1) + "]", "limits.pending is above 100000"},
		"odd priority":        {minimal + "callers: [" + strings.Replace(farm, "may:", "priority: high, may:", 1) + "]", `priority: "high" is not one of interactive, backfill`},
		"signers below zero":  {minimal + "limits: {signer_submissions_per_day: -1}", "limits.signer_submissions_per_day must not be negative"},
		"unknown caller key":  {minimal + "callers: [" + strings.Replace(farm, "may:", "mya: [x], may:", 1) + "]", `unknown key "mya" (did you mean "may"?)`},
		"authority alone":     {minimal + "http: {tls: {client_ca_file: a}}", "http.tls: client_ca_file goes with cert_file"},
		"wildcard name":       {minimal + "callers: [{name: a, tenant: b, client_cert: {san: ['dns:*.example.com']}, may: [read]}]", "is not dns:NAME in lower case"},
		"name without kind":   {minimal + "callers: [{name: a, tenant: b, client_cert: {san: [example.com]}, may: [read]}]", "is not dns:NAME in lower case"},
		"name of two":         {minimal + "callers: [{name: a, tenant: b, client_cert: {san: ['dns:a.b']}, may: [read]}, {name: c, tenant: b, client_cert: {san: ['dns:a.b']}, may: [read]}]", "it is a name of a already"},
		"no authority":        {minimal + "callers: [{name: a, tenant: b, client_cert: {san: ['dns:a.b']}, may: [read]}]", "callers have certificates, and no listener takes any"},
		"no port":             {minimal + "admin: {listen: localhost}", "admin.listen"},
		"no such port":        {minimal + "admin: {listen: 'localhost:99999'}", `admin.listen: there is no port "99999"`},
		"half a certificate":  {minimal + "http: {tls: {cert_file: a}}", "go together"},
		"both kinds of URL":   {strings.Replace(minimal, "url:", "read_url: http://x, url:", 1), "give it, or the two"},
		"no URL":              {strings.Replace(minimal, "url:", "read_url:", 1), "grpc_url"},
		"log twice":           {minimal + "  - {id: local, origin: b, url: 'http://b'}", "there twice"},
		"origin twice":        {minimal + "  - {id: second, origin: rekor.local, url: 'http://b'}", `logs[1] (second): the origin "rekor.local" is that of local: they are one log`},
		"zero limit":          {minimal + "limits: {max_pending: 0}", "limits.max_pending"},
		"none per address":    {minimal + "limits: {max_connections_per_address: -1}", "limits.max_connections_per_address"},
		"no connections":      {minimal + "limits: {max_connections: 0}", "limits.max_connections"},
		"no rate":             {minimal + "limits: {min_upload_rate: 0}", "limits.min_upload_rate"},
		"too little memory":   {minimal + "limits: {max_request_memory: 1000000}", "limits.max_request_memory"},
		"too little time":     {minimal + "limits: {max_request_time: 1s}", "limits.max_request_time"},
		"signer without hash": {minimal + "policy: {allowed_signers: [abc]}", "allowed_signers[0]"},
		"trust without key":   {minimal + "attestation: {gateway_trust: a}", "attestation.key is missing"},
		"two passwords":       {minimal + "attestation: {key: a, password_env: B, password_file: c}", "use one"},
		"tracing endpoint":    {minimal + "tracing: {endpoint: 'localhost:4318'}", "tracing.endpoint: this is not http(s)://HOST[:PORT][/PATH]"},
		"tracing with a user": {minimal + "tracing: {endpoint: 'http://u:p@localhost'}", "tracing.endpoint"},
		"tracing sample":      {minimal + "tracing: {sample: 2}", "tracing.sample: 2 is not above 0 and at most 1"},
		"two stores":          {minimal + "store: {sqlite: {path: a}, postgres: {dsn: b}}", "store: sqlite and postgres are two stores; give one of them"},
		"store by default":    {minimal + "store: {sqlite: {path: rekor-gateway.db}, postgres: {dsn: b}}", "give one of them"},
		"no store":            {minimal + "store: {sqlite: {path: ''}}", "store.sqlite.path is empty"},
		"two names":           {minimal + "store: {postgres: {dsn: secret, dsn_env: B}}", "three ways to say one thing"},
		"no name":             {minimal + "store: {postgres: {max_connections: 8}}", "name the database with dsn, dsn_file or dsn_env"},
		"few connections":     {minimal + "store: {postgres: {dsn_env: B, max_connections: 1}}", "store.postgres.max_connections is not between 4 and 1000"},
		"level":               {minimal + "logging: {level: inof}", `logging.level: "inof" is not one of debug, info, warn, error (did you mean "info"?)`},
		"text as number":      {minimal + "limits:\n  max_pending: many", `line 6: limits.max_pending: "many" is not a whole number`},
		"number as size":      {minimal + "limits: {max_spool_bytes: 8GiX}", `line 5: limits.max_spool_bytes: "8GiX" is not a size; write it as 8GiB`},
		"list as size":        {minimal + "limits: {max_spool_bytes: [1]}", `limits.max_spool_bytes: a list is not a size`},
		"size too large":      {minimal + "limits: {max_spool_bytes: 99999999999GiB}", "is not a size"},
		"size below zero":     {minimal + "limits: {min_free_disk: -1}", "limits.min_free_disk must not be negative"},
		"text as truth":       {minimal + "insecure_no_auth: yes please", `line 5: insecure_no_auth: "yes please" is not true or false`},
		"list as text":        {strings.Replace(minimal, "trust/root.json", "[a]", 1), `line 2: trusted_root: a list is not text`},
		"text as list":        {minimal + "policy: {roots: ca.pem}", `line 5: policy.roots: "ca.pem" is not a list of texts; write it as [a, b]`},
		"secret as mapping":   {minimal + "limits: {redis: 'redis://u:SECRET@host'}", `line 5: limits.redis: what is there is not a mapping of keys`},
		"DSN as mapping":      {minimal + "store: 'host=db user=x password=SECRET'", `line 5: store: what is there is not a mapping of keys`},
		"token, no list":      {minimal + "callers: [{name: a, tenant: b, token_sha256: SECRET, may: [read]}]", `token_sha256: what is there is not a list of texts`},
		"token for callers":   {minimal + "callers: rgw_SECRET", `callers: what is there is not a list`},
		"mapping as list":     {"trusted_root: x\nlogs:\n  id: a", `logs: a mapping is not a list; begin each element with a dash`},
		"text as mapping":     {minimal + "http: 127.0.0.1:80", `line 5: http: "127.0.0.1:80" is not a mapping of keys`},
		"in a log":            {strings.Replace(minimal, "origin: rekor.local", "origin: {a: b}", 1), "logs[0].origin: a mapping is not text"},
		"all of it":           {"- a", "line 1: a list is not a mapping of keys"},
		"unknown log":         {minimal + "policy: {logs: {list: [locla]}}", `policy.logs.list[0]: "locla" is not one of local (did you mean "local"?)`},
		"listed twice":        {minimal + "policy: {logs: {list: [local, local]}}", `policy.logs.list[1]: "local" is there twice`},
		"too many needed":     {minimal + "policy: {logs: {need: 2}}", "policy.logs.need is not between 1 and the 1 logs of the list"},
		"fewer than none":     {minimal + "policy: {logs: {need: -1}}", "policy.logs.need is not between"},
		"unknown mode":        {minimal + "policy: {logs: {mode: failvoer}}", `policy.logs.mode: "failvoer" is not one of all, failover (did you mean "failover"?)`},
		"none to spare":       {minimal + "policy: {logs: {mode: failover}}", "policy.logs.mode: with failover fewer logs are needed than the 1 of the list"},
		"time without use":    {minimal + "policy: {logs: {failover_after: 1m}}", "policy.logs.failover_after is for mode: failover"},
		"short time":          {twoLogs + "policy: {logs: {need: 1, mode: failover, failover_after: 1ms}}", "policy.logs.failover_after is not between 1s and 24h"},
		"no policies":         {minimal + "callers: [" + strings.Replace(farm, "may:", "policy: old, may:", 1) + "]", `callers[0] (farm): policy: there is no policy "old": policies has none`},
		"unknown policy":      {minimal + "policies: {old: {}}\ncallers: [" + strings.Replace(farm, "may:", "policy: odl, may:", 1) + "]", `callers[0] (farm): policy: "odl" is not one of old (did you mean "old"?)`},
		"odd policy":          {minimal + "policies: {Old Times: {}}", `policies: "Old Times" is no name`},
		"policy of no name":   {minimal + "policies: {'': {}}", `policies: "" is no name`},
		"policy twice":        {minimal + "policies: {a: {}, a: {}}", "already defined"},
		"in a policy":         {minimal + "policies: {old: {fromats: [pgp]}}", `line 5: unknown key "fromats" (did you mean "formats"?)`},
		"exception of one":    {minimal + "policies: {old: {historical: {allow: [SHA2]}}}", `policies.old.historical.allow: there is no exception "SHA2"`},
		"signer of one":       {minimal + "policies: {old: {allowed_signers: [abc]}}", "policies.old.allowed_signers[0]"},
		"recorded by one":     {minimal + "policies: {old: {representations: [ATESTED]}}", `policies.old.representations[0]: "ATESTED" is not one of`},
		"log of one":          {minimal + "policies: {old: {logs: {list: [x]}}}", `policies.old.logs.list[0]: "x" is not one of local`},
		"needed by one":       {minimal + "policies: {old: {logs: {need: 2}}}", "policies.old.logs.need is not between 1 and the 1 logs"},
		"text as policies":    {minimal + "policies: none", `line 5: policies: "none" is not a mapping of keys`},
		"identity, no kind":   {minimal + "policy: {allowed_identities: [{san: a@b.c, oidc_issuer: 'https://i'}]}", `policy.allowed_identities[0].san: "a@b.c" is not dns:NAME`},
		"identity, a glob":    {minimal + "policy: {allowed_identities: [{san: 'uri:https://a/*', oidc_issuer: 'https://i'}]}", "policy.allowed_identities[0].san"},
		"identity, by nobody": {minimal + "policies: {old: {allowed_identities: [{san: 'email:a@b.c'}]}}", "policies.old.allowed_identities[0].oidc_issuer is missing"},
		"identity, no URL":    {minimal + "policy: {allowed_identities: [{san: 'email:a@b.c', oidc_issuer: google}]}", `policy.allowed_identities[0].oidc_issuer: "google" is not an http or https URL`},
		"identity as text":    {minimal + "policy: {allowed_identities: a}", `policy.allowed_identities: "a" is not a list; begin each element with a dash`},
		"former key":          {minimal + "log: {level: info}", `line 5: "log" is now "logging"`},
		"former key, inner":   {minimal + "http:\n  log: x", `line 6: unknown key "log"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, c.text)
			if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			for _, internal := range []string{"config.", "unmarshal", "!!", "int64", "[]"} {
				if err != nil && strings.Contains(folder.ReplaceAllString(err.Error(), ""), internal) {
					t.Errorf("%v speaks of %s", err, internal)
				}
			}
		})
	}
}

func TestBeyondLoopbackOnPurpose(t *testing.T) {
	if _, err := load(t, minimal+"insecure_no_auth: true\nhttp: {listen: 0.0.0.0:80}"); err != nil {
		t.Error(err)
	}
}

// With callers, listeners beyond loopback need TLS where tokens are sent, and nothing else.
func TestBeyondLoopbackWithCallers(t *testing.T) {
	for _, text := range []string{
		"callers: [" + farm + "]\nhttp: {listen: 0.0.0.0:80, tls: {cert_file: a, key_file: b}}",
		"callers: [" + farm + "]\nhttp: {listen: 0.0.0.0:80}\ninsecure_plaintext: true",
		"callers: [{name: all, tenant: public, anonymous: true, may: [read]}]\nhttp: {listen: 0.0.0.0:80}",
	} {
		if _, err := load(t, minimal+text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What is read again is held to how the gateway listens, whatever it says itself.
func TestCheckListening(t *testing.T) {
	public, err := load(t, minimal+"callers: ["+farm+"]\nhttp: {listen: 0.0.0.0:80, tls: {cert_file: a, key_file: b}}")
	if err != nil {
		t.Fatal(err)
	}
	const addTLS = "\nhttp: {tls: {cert_file: a, key_file: b}}"
	for text, ok := range map[string]bool{
		"": false, "callers: [" + farm + "]": true, "insecure_no_auth: true": true, "callers: [" + farm + "]" + addTLS: true,
	} {
		if err := checkListening(t, text, public); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
	plain, err := load(t, minimal+"insecure_no_auth: true\nhttp: {listen: 0.0.0.0:80}")
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{
		"callers: [" + farm + "]": false, "insecure_no_auth: true": true, "callers: [" + farm + "]" + addTLS: false,
		"insecure_plaintext: true\ncallers: [" + farm + "]" + addTLS: true,
	} {
		if err := checkListening(t, text, plain); (err == nil) != ok {
			t.Errorf("in plain text, %q: %v", text, err)
		}
	}
}

func checkListening(t *testing.T, text string, started *Config) error {
	t.Helper()
	now, err := load(t, minimal+text)
	if err != nil {
		t.Fatal(err)
	}
	return now.CheckListening(started)
}

func TestParseToken(t *testing.T) {
	hash := strings.Repeat("Ab", 32)
	for text, want := range map[string]time.Time{
		hash: {}, hash + " until 2027-01-31": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		hash + " until 2027-01-31T08:00:00+02:00": time.Date(2027, 1, 31, 6, 0, 0, 0, time.UTC),
	} {
		got, err := ParseToken(text)
		if err != nil || !got.Until.Equal(want) || got.SHA256[0] != 0xab {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", hash[1:], hash + "00", hash + " until", hash + " until ", hash + " 2027-01-31", "sha256:" + hash, hash + " until 2027-02-30"} {
		if got, err := ParseToken(text); err == nil {
			t.Errorf("%s: %+v", text, got)
		} else if len(text) > 8 && strings.Contains(err.Error(), text[:8]) {
			t.Errorf("%q tells what is there", err)
		}
	}
}

func TestMarshalReadsBack(t *testing.T) {
	c, err := Parse([]byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(raw)
	if err != nil || !reflect.DeepEqual(c, again) {
		t.Errorf("%v\n%s", err, raw)
	}
}

// A database may be named in the configuration, in a file, or in the environment. What is wrong is said without the name.
func TestDSN(t *testing.T) {
	t.Setenv("GATEWAY_TEST_DSN", "host=db password=secret")
	folder := t.TempDir()
	for name, content := range map[string]string{"good": " host=db password=secret\n", "empty": "\n", "large": strings.Repeat("secret", 10_000)} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for named, want := range map[string]string{
		"dsn: host=db password=secret": "", "dsn_env: GATEWAY_TEST_DSN": "", "dsn_file: " + folder + "/good": "",
		"dsn_env: GATEWAY_TEST_NONE": "no variable GATEWAY_TEST_NONE", "dsn_file: " + folder + "/none": "no such file",
		"dsn_file: " + folder + "/empty": "does not hold a data source name", "dsn_file: " + folder + "/large": "does not hold",
	} {
		c, err := load(t, minimal+"store: {postgres: {"+named+"}}")
		if err != nil || !c.Store.IsPostgres() || c.Store.SQLite.Path != "" || c.Store.Postgres.MaxConnections != 16 {
			t.Errorf("%s: %+v, %v", named, c, err)
			continue
		}
		dsn, err := c.Store.Postgres.ReadDSN()
		switch {
		case want == "" && (err != nil || dsn != "host=db password=secret"):
			t.Errorf("%s: %q, %v", named, dsn, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v, want %q", named, err, want)
		}
	}
}

// The URL of a Redis comes from where the configuration says, and no error says what it is.
func TestRedisURL(t *testing.T) {
	folder := t.TempDir()
	const url = "redis://u:secret@host:6379/0"
	for name, text := range map[string]string{"good": url + "\n", "empty": " \n", "odd": "http://u:secret@host"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GATEWAY_TEST_REDIS", url)
	for named, want := range map[string]string{
		"url: '" + url + "'": "", "url_env: GATEWAY_TEST_REDIS": "", "url_file: good": "",
		"url_env: GATEWAY_TEST_NONE": "no variable GATEWAY_TEST_NONE", "url_file: none": "no such file",
		"url_file: empty": "does not hold the URL of a Redis", "url_file: odd": "is not redis://",
	} {
		path := filepath.Join(folder, "config.yaml")
		if err := os.WriteFile(path, []byte(minimal+"limits: {redis: {"+named+"}}"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path)
		if err != nil {
			t.Errorf("%s: %v", named, err)
			continue
		}
		got, err := c.Limits.Redis.ReadURL()
		switch {
		case want == "" && (err != nil || got != url || !c.Limits.Redis.IsSet()):
			t.Errorf("%s: %q, %v", named, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v, want %q", named, err, want)
		}
	}
}

func TestPolicy(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := "sha256:" + strings.Repeat("ab", 32)
	registry := formats.NewRegistry(toy.New())
	p, err := Policy{Keys: map[string][]string{"toy": {key}}, AllowedSigners: []string{id}, TUFRoots: []string{id}}.Load(t.Context(), registry)
	if err != nil {
		t.Fatal(err)
	}
	if string(p.Keys["toy"][0]) != "key" || p.AllowedSigners[0][31] != 0xab || p.TUFRoots[0][0] != 0xab || p.Roots != nil {
		t.Errorf("%+v", p)
	}
	for _, bad := range []Policy{
		{Formats: []string{"to"}}, {Keys: map[string][]string{"to": {key}}}, {Keys: map[string][]string{"toy": {}}},
		{Keys: map[string][]string{"toy": {key + "x"}}}, {Roots: []string{key}},
	} {
		if _, err := bad.Load(t.Context(), registry); err == nil {
			t.Errorf("%+v passed", bad)
		}
	}
}

// A caller's policy stands alone, and its files are where the configuration is.
func TestPolicyFor(t *testing.T) {
	c, err := load(t, twoLogs+"policy: {formats: [pgp], roots: [ca.pem], publish_certificate: false}\n"+
		"policies: {old: {keys: {pgp: [old.asc]}, roots: [old.pem], logs: {list: [second]}}, new: {}}\n"+
		"callers: ["+strings.Replace(farm, "may:", "policy: old, may:", 1)+", {name: b, tenant: c, anonymous: true, may: [read]}]")
	if err != nil {
		t.Fatal(err)
	}
	old, standard := c.PolicyFor(c.Callers[0]), c.PolicyFor(c.Callers[1])
	if len(old.Formats) != 0 || !old.MayPublish() || len(c.ResolvedLogs(old.Logs).List) != 1 {
		t.Errorf("the caller's policy has something of the other: %+v", old)
	}
	if !slices.Equal(standard.Formats, []string{"pgp"}) || standard.MayPublish() || len(c.ResolvedLogs(standard.Logs).List) != 2 {
		t.Errorf("who names no policy has %+v", standard)
	}
	for _, path := range append(old.ListFiles(), standard.ListFiles()...) {
		if !filepath.IsAbs(path) {
			t.Errorf("%s is anywhere", path)
		}
	}
	if len(old.ListFiles()) != 2 {
		t.Errorf("files %v", old.ListFiles())
	}
	if _, err := c.LoadPolicies(t.Context(), all.Formats()); err == nil || !strings.Contains(err.Error(), "policy.roots: ") {
		t.Errorf("a file that is missing: %v", err)
	}
	c.Policy.Roots = nil
	if _, err := c.LoadPolicies(t.Context(), all.Formats()); err == nil || !strings.Contains(err.Error(), "policies.old.keys.pgp: ") {
		t.Errorf("a file that is missing in a named one: %v", err)
	}
}

// Every key is described.
func TestReference(t *testing.T) {
	raw, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	walkKeys(reflect.TypeFor[Config](), "", func(owner reflect.Type, path string) {
		if !strings.Contains(string(raw), "`"+path) {
			t.Errorf("docs/configuration.md says nothing of %s (%v)", path, owner)
		}
	})
}

// listPaths returns the keys of a file by their paths, as walkKeys has them.
func listPaths(t *testing.T, text string) map[string]bool {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatal(err)
	}
	paths := map[string]bool{}
	var walk func(n *yaml.Node, path string)
	walk = func(n *yaml.Node, path string) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i < len(n.Content); i += 2 {
				at := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
				paths[at] = true
				walk(n.Content[i+1], at)
			}
		case yaml.SequenceNode:
			for _, c := range n.Content {
				walk(c, path+"[]")
			}
		default:
			for _, c := range n.Content {
				walk(c, path)
			}
		}
	}
	walk(&root, "")
	return paths
}

// alternativeKey is what stands in place of another key.
var alternativeKey = regexp.MustCompile(`(?m)^( *)# ([a-z0-9_]+:( [^ ]+)?)$`)

var commentedKey = regexp.MustCompile(`(?m)^( *)#([^ #])`)

// What config example prints is a configuration, has every key, and says the defaults.
func TestExample(t *testing.T) {
	if _, err := Parse([]byte(Example())); err != nil {
		t.Errorf("as it is: %v", err)
	}
	all := commentedKey.ReplaceAllString(Example(), "$1$2")
	c, err := Parse([]byte(all))
	if err != nil {
		t.Fatalf("with all keys: %v", err)
	}
	there := listPaths(t, alternativeKey.ReplaceAllString(all, "$1$2"))
	walkKeys(reflect.TypeFor[Config](), "", func(_ reflect.Type, path string) {
		if !there[path] {
			t.Errorf("the example lacks %s", path)
		}
	})
	want := Default()
	want.Limits.SpoolDir, want.Limits.Redis.URL = c.Limits.SpoolDir, c.Limits.Redis.URL // examples
	want.Limits.Redis.OnFailure = OnFailureAllow                                        // which it is when it is not given
	if !reflect.DeepEqual(c.Limits, want.Limits) || !reflect.DeepEqual(c.Worker, want.Worker) || c.Logging != want.Logging || c.Store != want.Store ||
		c.HTTP.Listen != want.HTTP.Listen || c.GRPC.Listen != want.GRPC.Listen || c.Admin.Listen != want.Admin.Listen {
		t.Errorf("not the defaults: %+v", c)
	}
	if reflect.DeepEqual(c.Policy, Policy{}) || c.Attestation.Key == "" || c.HTTP.TLS.CertFile == "" {
		t.Errorf("the examples are not there: %+v", c)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{
		"8GiB": 8 << 30, "8 GiB": 8 << 30, "8gib": 8 << 30, "8GB": 8e9, "1.5KiB": 1536, "8589934592": 8 << 30, "0x10": -1, "1": 1, "16KiB": 16 << 10, `"7"`: 7, "8GiX": -1, "": -1, "8589934592B": 8 << 30,
	} {
		c, err := Parse([]byte(minimal + "limits: {max_artifact_bytes: " + text + "}"))
		if want < 0 && err == nil && text != "" || want >= 0 && (err != nil || c.Limits.MaxArtifactBytes != want) {
			t.Errorf("%s: %+v, %v", text, c, err)
		}
	}
	for size, want := range map[Size]string{8 << 30: "8GiB", 1: "1", 0: "0", 1536: "1536", 16 << 10: "16KiB", 1 << 40: "1TiB", 1<<40 + 1: "1099511627777", 100_000: "100000"} {
		if size.String() != want {
			t.Errorf("%d is written as %s", int64(size), size)
		}
	}
}

// A faulty file of the policy's is named, with the line.
func TestPolicyFilesAreChecked(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca, err := os.ReadFile("../../formats/x509/testdata/root-cert.pem")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := (Policy{Roots: []string{write("good.pem", "a root\n"+string(ca))}}).Load(t.Context(), all.Formats()); err != nil || p.Roots == nil {
		t.Errorf("%v", err)
	}
	lines := strings.Count(string(ca), "\n")
	broken := "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
	for name, c := range map[string]struct {
		policy Policy
		want   string
	}{
		"root":          {Policy{Roots: []string{write("ca.pem", string(ca)+"x\n"+broken+string(ca))}}, fmt.Sprintf("ca.pem: line %d: ", lines+2)},
		"root, cut off": {Policy{Roots: []string{write("cut.pem", string(ca)+broken[:30]+"\n"+string(ca))}}, fmt.Sprintf("cut.pem: line %d: ", lines+1)},
		"root, a key":   {Policy{Roots: []string{"../../formats/x509/testdata/p256.pem"}}, "p256.pem: line 1: "},
		"root, nothing": {Policy{Roots: []string{write("empty.pem", "")}}, "empty.pem: line 1: "},
		"SSH, unknown":  {Policy{Keys: map[string][]string{"ssh": {"../../formats/ssh/testdata/allowed_signers.mldsa"}}}, "keys.ssh: ../../formats/ssh/testdata/allowed_signers.mldsa: line 2: "},
		"PGP":           {Policy{Keys: map[string][]string{"pgp": {write("release.asc", "no key")}}}, "release.asc: line 1: "},
	} {
		if _, err := c.policy.Load(t.Context(), all.Formats()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := Parse(raw); (c == nil) == (err == nil) {
			t.Errorf("%v beside %v", c, err)
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
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
	if c.Worker.Drain != 5*time.Second || c.Worker.AddTimeout != time.Minute || c.Limits.MaxArtifactBytes != 8<<30 {
		t.Errorf("worker %+v, limits %+v", c.Worker, c.Limits)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":         {minimal + "htp: {listen: x}", `line 5: unknown key "htp" (did you mean "http"?)`},
		"unknown inner key":   {minimal + "http:\n  lisen: x", `line 6: unknown key "lisen" (did you mean "listen"?)`},
		"unknown far key":     {minimal + "zzzzzzzz: 1", `line 5: unknown key "zzzzzzzz"`},
		"in a list":           {strings.Replace(minimal, "url:", "ulr:", 1), `unknown key "ulr" (did you mean "url"?)`},
		"twice":               {minimal + "trusted_root: b", `already defined`},
		"number as duration":  {minimal + "worker: {drain: 5}", "line 5: 5 is not a duration"},
		"short duration":      {minimal + "worker: {drain: 5ms}", "worker.drain is not between"},
		"two documents":       {minimal + "---\na: b", "second YAML document"},
		"no root":             {strings.Replace(minimal, "trusted_root: trust/root.json", "", 1), "trusted_root is missing"},
		"no log":              {"trusted_root: x", "logs is empty"},
		"empty":               {"", "logs is empty"},
		"beyond loopback":     {minimal + "http: {listen: 0.0.0.0:80}", "lets every caller"},
		"every interface":     {minimal + `grpc: {listen: ":80"}`, "grpc.listen"},
		"no port":             {minimal + "admin: {listen: localhost}", "admin.listen"},
		"half a certificate":  {minimal + "http: {tls: {cert_file: a}}", "go together"},
		"both kinds of URL":   {strings.Replace(minimal, "url:", "read_url: http://x, url:", 1), "give it, or the two"},
		"no URL":              {strings.Replace(minimal, "url:", "read_url:", 1), "grpc_url"},
		"log twice":           {minimal + "  - {id: local, origin: b, url: 'http://b'}", "there twice"},
		"zero limit":          {minimal + "limits: {max_pending: 0}", "limits.max_pending"},
		"no connections":      {minimal + "limits: {max_connections: 0}", "limits.max_connections"},
		"no rate":             {minimal + "limits: {min_upload_rate: 0}", "limits.min_upload_rate"},
		"too little memory":   {minimal + "limits: {max_request_memory: 1000000}", "limits.max_request_memory"},
		"too little time":     {minimal + "limits: {max_request_time: 1s}", "limits.max_request_time"},
		"signer without hash": {minimal + "policy: {allowed_signers: [abc]}", "allowed_signers[0]"},
		"trust without key":   {minimal + "attestation: {gateway_trust: a}", "attestation.key is missing"},
		"two passwords":       {minimal + "attestation: {key: a, password_env: B, password_file: c}", "use one"},
		"level":               {minimal + "logging: {level: inof}", `logging.level: "inof" is not one of debug, info, warn, error (did you mean "info"?)`},
		"former key":          {minimal + "log: {level: info}", `line 5: "log" is now "logging"`},
		"former key, inner":   {minimal + "http:\n  log: x", `line 6: unknown key "log"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load(t, c.text)
			if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestBeyondLoopbackOnPurpose(t *testing.T) {
	if _, err := load(t, minimal+"insecure_no_auth: true\nhttp: {listen: 0.0.0.0:80}"); err != nil {
		t.Error(err)
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

func TestPolicy(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := "sha256:" + strings.Repeat("ab", 32)
	p, err := Policy{Keys: map[string][]string{"pgp": {key}}, AllowedSigners: []string{id}, TUFRoots: []string{id}}.Load([]string{"pgp"})
	if err != nil {
		t.Fatal(err)
	}
	if string(p.Keys["pgp"][0]) != "key" || p.AllowedSigners[0][31] != 0xab || p.TUFRoots[0][0] != 0xab || p.Roots != nil {
		t.Errorf("%+v", p)
	}
	for _, bad := range []Policy{
		{Keys: map[string][]string{"pg": {key}}}, {Keys: map[string][]string{"pgp": {}}},
		{Keys: map[string][]string{"pgp": {key + "x"}}}, {Roots: []string{key}},
	} {
		if _, err := bad.Load([]string{"pgp"}); err == nil {
			t.Errorf("%+v passed", bad)
		}
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

func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := Parse(raw); (c == nil) == (err == nil) {
			t.Errorf("%v beside %v", c, err)
		}
	})
}

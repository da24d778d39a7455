// SPDX-License-Identifier: Apache-2.0

package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// github is a caller by tokens of an issuer.
const github = `{name: a, tenant: b, may: [read], oidc: {issuer: "https://issuer.example", audience: "https://gateway.example", claims: {repository_owner_id: 12345}}}`

func TestOIDC(t *testing.T) {
	in := func(old, replacement string) string { return strings.Replace(github, old, replacement, 1) }
	claims := func(text string) string { return in("{repository_owner_id: 12345}", text) }
	second := strings.Replace(github, "name: a", "name: c", 1)
	for name, c := range map[string]struct{ callers, want string }{
		"good":                   {github, ""},
		"subject":                {claims(`{sub: ["spiffe://example.com/farm", "spiffe://example.com/mill"]}`), ""},
		"namespace":              {claims(`{kubernetes.io: {namespace: builds}}`), ""},
		"two callers of one":     {github + ", " + strings.Replace(second, "12345", "2", 1), ""},
		"with a token":           {in("may:", "token_sha256: ["+strings.Repeat("ab", 32)+"], may:"), ""},
		"no issuer":              {in(`issuer: "https://issuer.example", `, ""), `callers[0] (a): oidc.issuer: "" is not https://`},
		"issuer in the clear":    {in("https://issuer", "http://issuer"), "is not https://HOST"},
		"issuer on loopback":     {in("https://issuer.example", "http://127.0.0.1:80"), "is not https://HOST"},
		"issuer in a file":       {in("https://issuer.example", "file:///etc/passwd"), "is not https://HOST"},
		"issuer with a password": {in("https://issuer", "https://u:p@issuer"), "oidc.issuer: what is there is not https://HOST"},
		"issuer with a query":    {in("issuer.example", "issuer.example/?a=b"), "oidc.issuer: what is there is not https://HOST"},
		"keys in the clear":      {in("audience:", `jwks_url: "http://issuer.example/keys", audience:`), "jwks_url"},
		"no audience":            {in(`audience: "https://gateway.example", `, ""), "audience is missing"},
		"any audience":           {in("https://gateway.example", "*"), "audience is missing, or has a *"},
		"no claims":              {claims("{}"), "claims say nothing of whose the tokens are"},
		"a branch alone":         {claims("{ref: refs/heads/main, environment: release}"), "claims say nothing of whose the tokens are"},
		"an owner too deep":      {claims("{x: {repository_owner_id: '1'}}"), "claims say nothing of whose the tokens are"},
		"a name with dots":       {claims("{kubernetes.io.namespace: builds}"), "claims say nothing of whose the tokens are"},
		"wildcard":               {claims("{sub: 'repo:example/*'}"), `claims.sub: "repo:example/*" is no value: each is compared as it is`},
		"wildcard in a list":     {claims("{sub: [a, '*']}"), "is compared as it is"},
		"empty value":            {claims("{sub: ''}"), `claims.sub: "" is no value`},
		"null":                   {claims("{sub: null}"), "claims.sub: there is no value"},
		"empty list":             {claims("{sub: []}"), "claims.sub: there is no value"},
		"empty object":           {claims("{sub: a, environment: {}}"), "claims.environment: there is no value"},
		"list in a list":         {claims("{sub: [[a]]}"), "a list is not text"},
		"the audience again":     {claims("{sub: a, aud: b}"), "claims.aud: name it as audience"},
		"the issuer again":       {claims("{sub: a, iss: b}"), "claims.iss: name it as issuer"},
		"the end":                {claims("{sub: a, exp: b}"), "claims.exp: it is always checked"},
		"a claim twice":          {claims("{sub: a, sub: b}"), "already defined"},
		"unknown key":            {in("audience:", "audiense: x, audience:"), `unknown key "audiense" (did you mean "audience"?)`},
		"anonymous":              {in("may:", "anonymous: true, may:"), "leave token_sha256, path_token_sha256, client_cert and oidc out"},
		"one rule, two callers":  {github + ", " + second, "callers[1] (c): oidc: its tokens are those of a already"},
		"two authorities":        {github + ", " + strings.Replace(strings.Replace(second, "12345", "2", 1), "audience:", "ca_file: x, audience:", 1), "not as a has them for the same issuer"},
	} {
		_, err := load(t, minimal+"callers: ["+c.callers+"]")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := load(t, minimal+"callers: ["+github+"]\nhttp: {listen: ':80'}"); err == nil || !strings.Contains(err.Error(), "tokens sent to it without TLS") {
		t.Errorf("tokens in the open: %v", err)
	}
}

// TestListClaims: what is inside has a path, and numbers are the text that is there.
func TestListClaims(t *testing.T) {
	c, err := load(t, minimal+"callers: ["+strings.Replace(github, "repository_owner_id: 12345", "sub: [a, 0x10], kubernetes.io: {namespace: 007, serviceaccount: {name: c, uid: d}}", 1)+"]")
	if err != nil {
		t.Fatal(err)
	}
	want := []ClaimRule{
		{[]string{"kubernetes.io", "namespace"}, []string{"007"}}, {[]string{"kubernetes.io", "serviceaccount", "name"}, []string{"c"}},
		{[]string{"kubernetes.io", "serviceaccount", "uid"}, []string{"d"}}, {[]string{"sub"}, []string{"a", "0x10"}},
	}
	if got := c.Callers[0].OIDC.ListClaims(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	raw, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(raw)
	if err != nil || !reflect.DeepEqual(again.Callers, c.Callers) {
		t.Errorf("%v: %s", err, raw)
	}
}

func TestIssuerAuthoritiesPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	c := Config{Callers: []Caller{{OIDC: OIDC{CAFile: "ca.pem"}}, {}}}
	c.resolvePaths(filepath.Dir(path))
	if c.Callers[0].OIDC.CAFile != filepath.Join(filepath.Dir(path), "ca.pem") || c.Callers[1].OIDC.CAFile != "" {
		t.Errorf("%+v", c.Callers)
	}
	if got := c.ListCallersFiles(); !reflect.DeepEqual(got, []string{c.Callers[0].OIDC.CAFile}) {
		t.Errorf("read again: %q", got)
	}
}

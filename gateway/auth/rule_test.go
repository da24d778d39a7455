// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
)

const here = "https://gateway.example"

func issuerOf(remote *issuertest.Issuer) issuer.Config {
	return issuer.Config{URL: remote.URL, CA: remote.CA()}
}

func claim(value string, path ...string) Claim { return Claim{Path: path, AnyOf: []string{value}} }

func byRule(c gateway.Caller, remote *issuertest.Issuer, claims ...Claim) Member {
	return Member{Caller: c, Rule: &Rule{Issuer: issuerOf(remote), Audience: here, Claims: claims}}
}

func newByTokens(t testing.TB, members ...Member) *Authenticator {
	t.Helper()
	table, err := NewTable(members)
	if err != nil {
		t.Fatal(err)
	}
	a := New(time.Now)
	a.Use(table)
	t.Cleanup(a.Close)
	return a
}

func show(token string) Credentials { return Credentials{Authorization: []string{"Bearer " + token}} }

// TestRules: a token is the caller's for whom all claims hold, as they are.
func TestRules(t *testing.T) {
	remote, stranger := issuertest.Start(t), issuertest.Start(t)
	a := newByTokens(t,
		Member{Caller: farm, Tokens: []Token{token("a.b.c", time.Time{})}, Rule: &Rule{Issuer: issuerOf(remote), Audience: here, Claims: []Claim{
			claim("12345", "repository_owner_id"), {Path: []string{"environment"}, AnyOf: []string{"release", "staging"}},
		}}},
		byRule(people, remote, claim("builds", "kubernetes.io", "namespace")),
		Member{Caller: anybody, Anonymous: true})
	type claims = map[string]any
	for name, c := range map[string]struct {
		token string
		want  gateway.Caller // the zero one is refused
	}{
		"all claims":            {remote.Token(here, claims{"repository_owner_id": "12345", "environment": "staging"}), farm},
		"one of a list":         {remote.Token(here, claims{"repository_owner_id": "12345", "environment": "release", "sub": "x"}), farm},
		"inside":                {remote.Token(here, claims{"kubernetes.io": claims{"namespace": "builds", "pod": claims{"name": "x"}}}), people},
		"a token like a JWT":    {"a.b.c", farm},
		"one is missing":        {remote.Token(here, claims{"repository_owner_id": "12345"}), gateway.Caller{}},
		"one is another":        {remote.Token(here, claims{"repository_owner_id": "12345", "environment": "production"}), gateway.Caller{}},
		"other case":            {remote.Token(here, claims{"repository_owner_id": "12345", "environment": "Release"}), gateway.Caller{}},
		"a prefix":              {remote.Token(here, claims{"repository_owner_id": "123456", "environment": "release"}), gateway.Caller{}},
		"a number":              {remote.Token(here, claims{"repository_owner_id": 12345, "environment": "release"}), gateway.Caller{}},
		"a list":                {remote.Token(here, claims{"repository_owner_id": []string{"12345"}, "environment": "release"}), gateway.Caller{}},
		"an object":             {remote.Token(here, claims{"repository_owner_id": claims{"12345": "12345"}, "environment": "release"}), gateway.Caller{}},
		"null":                  {remote.Token(here, claims{"repository_owner_id": nil, "environment": "release"}), gateway.Caller{}},
		"a dot for inside":      {remote.Token(here, claims{"kubernetes.io.namespace": "builds"}), gateway.Caller{}},
		"text for an object":    {remote.Token(here, claims{"kubernetes.io": "builds"}), gateway.Caller{}},
		"too deep":              {remote.Token(here, claims{"kubernetes.io": claims{"namespace": claims{"namespace": "builds"}}}), gateway.Caller{}},
		"rules of two callers":  {remote.Token(here, claims{"repository_owner_id": "12345", "environment": "release", "kubernetes.io": claims{"namespace": "builds"}}), gateway.Caller{}},
		"for another gateway":   {remote.Token("https://other.example", claims{"repository_owner_id": "12345", "environment": "release"}), gateway.Caller{}},
		"of a stranger":         {stranger.Token(here, claims{"repository_owner_id": "12345", "environment": "release"}), gateway.Caller{}},
		"stranger says he's it": {stranger.Token(here, claims{"iss": remote.URL, "repository_owner_id": "12345", "environment": "release"}), gateway.Caller{}},
		"oversized":             {remote.Token(here, claims{"repository_owner_id": "12345", "environment": "release", "x": string(make([]byte, 2000))}), gateway.Caller{}},
	} {
		for range 2 { // the second time it is remembered
			got, err := a.Identify(show(c.token))
			if got != c.want || (err == nil) != (c.want != gateway.Caller{}) || err != nil && !errors.Is(err, errBad) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
	if stranger.Asked() != 0 {
		t.Error("an issuer that is not configured was asked")
	}
}

// TestRememberedTokens: a verdict ends with the token, with its key, and with the table.
func TestRememberedTokens(t *testing.T) {
	remote := issuertest.Start(t)
	now := time.Now()
	a := newByTokens(t)
	a.now = func() time.Time { return now }
	member := byRule(farm, remote, claim("a", "sub"))
	use(t, a, member)
	good := remote.Token(here, map[string]any{"sub": "a"})
	identify := func() error { _, err := a.Identify(show(good)); return err }
	if err := identify(); err != nil {
		t.Fatal(err)
	}
	if n := a.table.Load().verdicts.Load().count.Load(); n != 1 {
		t.Errorf("%d verdicts are kept", n)
	}
	remote.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	use(t, a, member) // the keys are known still, and the verdict is not
	if n := a.table.Load().verdicts.Load().count.Load(); n != 0 {
		t.Errorf("%d verdicts are kept by another table", n)
	}
	if err := identify(); err != nil {
		t.Errorf("the same issuer is asked again after a reload: %v", err)
	}
	now = now.Add(10*time.Minute + issuer.Skew)
	if err := identify(); reasonOf(err) != problem.ReasonUnauthenticated {
		t.Errorf("a token that has ended: %v", err)
	}
}

// TestVerdictsAreBounded: so many are kept, and no more.
func TestVerdictsAreBounded(t *testing.T) {
	table, err := NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 * maxVerdicts {
		table.remember(HashToken(fmt.Sprint(n)), verdict{})
		kept := 0
		if n%1000 == 0 {
			table.verdicts.Load().known.Range(func(any, any) bool { kept++; return true })
		}
		if kept > maxVerdicts {
			t.Fatalf("%d are kept", kept)
		}
	}
}

// TestIssuerUnavailable: an unknown key is not judged while the issuer cannot be asked. That is a reason of its own, and lets nobody in.
func TestIssuerUnavailable(t *testing.T) {
	remote := issuertest.Start(t)
	remote.Answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	a := newByTokens(t, byRule(farm, remote, claim("a", "sub")), Member{Caller: people, Tokens: []Token{token("theirs", time.Time{})}}, Member{Caller: anybody, Anonymous: true})
	for what, want := range map[string]formats.Reason{
		remote.Token(here, map[string]any{"sub": "a"}):              problem.ReasonIssuerUnavailable,
		remote.Token("https://other.example", nil):                  problem.ReasonUnauthenticated,
		remote.Token(here, map[string]any{"exp": 1}):                problem.ReasonUnauthenticated,
		remote.Token(here, map[string]any{"iss": "https://x.test"}): problem.ReasonUnauthenticated,
		"theirs": "",
	} {
		if _, err := a.Identify(show(what)); reasonOf(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestLifetimesOfRules: what was begun with a token ends when the rule that let it in is gone, or is another caller's, and with nothing else.
func TestLifetimesOfRules(t *testing.T) {
	remote := issuertest.Start(t)
	stays, goes, changes := byRule(farm, remote, claim("stays", "sub")), byRule(farm, remote, claim("goes", "sub")), byRule(farm, remote, claim("changes", "sub"))
	a := newByTokens(t, stays, goes, changes)
	lifetimes := map[string]context.Context{}
	for _, sub := range []string{"stays", "goes", "changes"} {
		_, lifetime, err := a.IdentifyFor(show(remote.Token(here, map[string]any{"sub": sub})))
		if err != nil {
			t.Fatal(err)
		}
		lifetimes[sub] = lifetime
	}
	changes.Caller = people
	use(t, a, changes, stays)
	for sub, ended := range map[string]bool{"stays": false, "goes": true, "changes": true} {
		if got := lifetimes[sub].Err() != nil; got != ended {
			t.Errorf("%s: ended %v", sub, got)
		}
	}
	if n := remote.Asked(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

func TestTableRefusesRules(t *testing.T) {
	remote := issuertest.Start(t)
	good := byRule(farm, remote, claim("a", "sub"))
	noCA, twoWays, same := byRule(people, remote, claim("b", "sub")), byRule(people, remote, claim("b", "sub")), good
	noCA.Rule.Issuer.CA = "none"
	twoWays.Rule.Issuer.KeysURL = remote.URL
	same.Caller = people
	for name, members := range map[string][]Member{"no authority": {noCA}, "an issuer in two ways": {good, twoWays}, "one rule of two callers": {good, same}} {
		if _, err := NewTable(members); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// FuzzClaims: a claim holds for a text that is there, under that very path, and for nothing else.
func FuzzClaims(f *testing.F) {
	f.Add(`{"sub":"a"}`, "sub", "", "a")
	f.Add(`{"kubernetes.io":{"namespace":"a"}}`, "kubernetes.io", "namespace", "a")
	f.Add(`{"sub":["a"]}`, "sub", "", "a")
	f.Fuzz(func(t *testing.T, payload, outer, inner, value string) {
		var claims map[string]any
		if json.Unmarshal([]byte(payload), &claims) != nil {
			return
		}
		want, path := claims[outer], []string{outer}
		if inner != "" {
			inside, _ := claims[outer].(map[string]any)
			want, path = inside[inner], []string{outer, inner}
		}
		if got := claim(value, path...).holds(claims); got != (want == any(value)) {
			t.Errorf("%q of %s: %v", path, payload, got)
		}
	})
}

// BenchmarkIdentifyJWT: a token that is known takes what a bearer token does; one that comes for the first time, an ECDSA signature.
func BenchmarkIdentifyJWT(b *testing.B) {
	remote := issuertest.Start(b)
	members := []Member{byRule(farm, remote, claim("a", "sub"))}
	for i := range 100 {
		members = append(members, byRule(gateway.Caller{Name: fmt.Sprint("other", i)}, remote, claim(fmt.Sprint(i), "sub")))
	}
	a := newByTokens(b, members...)
	shown := show(remote.Token(here, map[string]any{"sub": "a"}))
	if _, err := a.Identify(shown); err != nil {
		b.Fatal(err)
	}
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := a.Identify(shown); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a.table.Load().verdicts.Store(new(verdicts))
			if _, err := a.Identify(shown); err != nil {
				b.Error(err)
			}
		}
	})
}

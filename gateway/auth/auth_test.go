// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

var (
	noon    = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	farm    = gateway.Caller{Name: "farm", Tenant: "builds", May: gateway.MaySubmit}
	people  = gateway.Caller{Name: "people", Tenant: "releases", May: gateway.MaySubmit | gateway.MayRead}
	anybody = gateway.Caller{Name: "anybody", Tenant: "public", May: gateway.MayRead}
)

func token(text string, until time.Time) Token { return Token{Hash: HashToken(text), Until: until} }

func use(t *testing.T, a *Authenticator, members ...Member) {
	t.Helper()
	table, err := NewTable(members)
	if err != nil {
		t.Fatal(err)
	}
	a.Use(table)
}

func newAuthenticator(t *testing.T, members ...Member) *Authenticator {
	t.Helper()
	a := New(func() time.Time { return noon })
	use(t, a, members...)
	return a
}

func reasonOf(err error) formats.Reason {
	var refusal *formats.Error
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ""
}

func TestIdentify(t *testing.T) {
	members := []Member{
		{Caller: farm, Tokens: []Token{token("old", noon), token("new", noon.Add(time.Second)), token("lasting", time.Time{})}},
		{Caller: people, Tokens: []Token{token("theirs", time.Time{})}},
	}
	for name, c := range map[string]struct {
		authorization []string
		want          gateway.Caller // the zero one is refused
	}{
		"token":               {[]string{"Bearer lasting"}, farm},
		"before its end":      {[]string{"Bearer new"}, farm},
		"another's":           {[]string{"Bearer theirs"}, people},
		"scheme in any case":  {[]string{"bEARER theirs"}, people},
		"at its end":          {[]string{"Bearer old"}, gateway.Caller{}},
		"none":                {nil, gateway.Caller{}},
		"empty":               {[]string{""}, gateway.Caller{}},
		"scheme alone":        {[]string{"Bearer "}, gateway.Caller{}},
		"other scheme":        {[]string{"Basic lasting"}, gateway.Caller{}},
		"without scheme":      {[]string{"lasting"}, gateway.Caller{}},
		"unknown":             {[]string{"Bearer lastinG"}, gateway.Caller{}},
		"the hash itself":     {[]string{"Bearer " + fmt.Sprintf("%x", HashToken("lasting"))}, gateway.Caller{}},
		"with a blank":        {[]string{"Bearer  lasting"}, gateway.Caller{}},
		"with a line end":     {[]string{"Bearer lasting\n"}, gateway.Caller{}},
		"two values":          {[]string{"Bearer lasting", "Bearer lasting"}, gateway.Caller{}},
		"two in one":          {[]string{"Bearer lasting, Bearer theirs"}, gateway.Caller{}},
		"good before bad":     {[]string{"Bearer lasting", "Bearer nobody's"}, gateway.Caller{}},
		"larger than allowed": {[]string{"Bearer " + strings.Repeat("a", maxToken+1)}, gateway.Caller{}},
	} {
		for _, anonymous := range []bool{false, true} {
			all := members
			if anonymous {
				all = append(all[:len(all):len(all)], Member{Caller: anybody, Anonymous: true})
			}
			want := c.want
			if anonymous && c.authorization == nil {
				want = anybody
			}
			got, err := newAuthenticator(t, all...).Identify(Credentials{Authorization: c.authorization})
			if got != want || (err == nil) != (want != gateway.Caller{}) {
				t.Errorf("%s, anonymous %v: %+v, %v", name, anonymous, got, err)
			}
			if err != nil && reasonOf(err) != problem.ReasonUnauthenticated {
				t.Errorf("%s: %v", name, err)
			}
			if err != nil && strings.Contains(err.Error(), "lasting") {
				t.Errorf("%s: the refusal has the token: %v", name, err)
			}
		}
	}
}

// What is expired, unknown or malformed is refused in the same words.
func TestRefusalsTellNothing(t *testing.T) {
	a := newAuthenticator(t, Member{Caller: farm, Tokens: []Token{token("old", noon)}})
	_, want := a.Identify(Credentials{Authorization: []string{"Bearer never was"}})
	for _, shown := range []string{"Bearer old", "Bearer unknown", "Basic x", "x"} {
		if _, err := a.Identify(Credentials{Authorization: []string{shown}}); err == nil || err.Error() != want.Error() {
			t.Errorf("%s: %v, want %v", shown, err, want)
		}
	}
}

// Before a table is in use nobody may call; with an empty one everybody may.
func TestOpenOnlyWhenTold(t *testing.T) {
	a := New(time.Now)
	if _, err := a.Identify(Credentials{}); err == nil || a.IsOpen() {
		t.Error("open without a table")
	}
	use(t, a)
	c, err := a.Identify(Credentials{Authorization: []string{"x", "y"}})
	if err != nil || c != (gateway.Caller{Tenant: gateway.DefaultTenant, May: gateway.AllRights}) || !a.IsOpen() {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTableRefuses(t *testing.T) {
	for name, members := range map[string][]Member{
		"one token of two callers": {{Caller: farm, Tokens: []Token{token("a", noon)}}, {Caller: people, Tokens: []Token{token("a", time.Time{})}}},
		"one token twice":          {{Caller: farm, Tokens: []Token{token("a", noon), token("a", noon)}}},
		"two anonymous callers":    {{Caller: farm, Anonymous: true}, {Caller: people, Anonymous: true}},
	} {
		if _, err := NewTable(members); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// What lasts ends with its credential, and only with it.
func TestLifetimes(t *testing.T) {
	lasting := []Token{token("stays", time.Time{}), token("goes", time.Time{}), token("is-given-away", time.Time{}), token("ends-sooner", noon.Add(time.Hour))}
	a := newAuthenticator(t, Member{Caller: farm, Tokens: lasting}, Member{Caller: anybody, Anonymous: true})
	lifetimes := map[string]context.Context{}
	for _, shown := range []string{"stays", "goes", "is-given-away", "ends-sooner"} {
		_, lifetime, err := a.IdentifyFor(Credentials{Authorization: []string{"Bearer " + shown}})
		if err != nil {
			t.Fatal(err)
		}
		lifetimes[shown] = lifetime
	}
	_, lifetimes[""], _ = a.IdentifyFor(Credentials{})
	use(t, a,
		Member{Caller: farm, Tokens: []Token{lasting[0], token("ends-sooner", noon.Add(time.Minute))}},
		Member{Caller: people, Tokens: []Token{lasting[2]}}, Member{Caller: anybody, Anonymous: true})
	for shown, ended := range map[string]bool{"stays": false, "goes": true, "is-given-away": true, "ends-sooner": true, "": false} {
		if got := lifetimes[shown].Err() != nil; got != ended {
			t.Errorf("%q: ended %v", shown, got)
		}
	}
	if c, err := a.Identify(Credentials{Authorization: []string{"Bearer is-given-away"}}); err != nil || c != people {
		t.Errorf("%+v, %v", c, err)
	}
	use(t, a) // everybody may call: those of before had other rights
	for shown, lifetime := range lifetimes {
		if lifetime.Err() == nil {
			t.Errorf("%q goes on", shown)
		}
	}
}

func TestCheckRight(t *testing.T) {
	for name, c := range map[string]struct {
		caller gateway.Caller
		right  gateway.Right
		want   formats.Reason
	}{
		"allowed":           {farm, gateway.MaySubmit, ""},
		"not allowed":       {farm, gateway.MayRead, problem.ReasonForbidden},
		"one of two":        {farm, gateway.MaySubmit | gateway.MayRead, problem.ReasonForbidden},
		"needs none":        {gateway.Caller{}, gateway.NoRight, ""},
		"nobody":            {gateway.Caller{}, gateway.MayRead, problem.ReasonUnauthenticated},
		"nobody was put in": {gateway.CallerFrom(t.Context()), gateway.MaySubmit, problem.ReasonUnauthenticated},
	} {
		if err := CheckRight(gateway.WithCaller(t.Context(), c.caller), c.right); reasonOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckQuery(t *testing.T) {
	for query, refused := range map[string]bool{
		"": false, "page_token=x&wait=30": false, "access_token=x": true, "a=b&Token=x": true, "%74oken=x": true, "token": true, "%zz&token=x": true,
	} {
		if err := CheckQuery(query); (err != nil) != refused || err != nil && reasonOf(err) != problem.ReasonMalformedRequest {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// BenchmarkIdentify: its cost does not depend on how many tokens there are.
func BenchmarkIdentify(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := Member{Caller: farm}
			for i := range n {
				m.Tokens = append(m.Tokens, token(fmt.Sprint("token ", i), time.Time{}))
			}
			m.Tokens = append(m.Tokens, token("rgw_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG", time.Time{}))
			table, err := NewTable([]Member{m})
			if err != nil {
				b.Fatal(err)
			}
			a := New(time.Now)
			a.Use(table)
			shown := Credentials{Authorization: []string{"Bearer rgw_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"}}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := a.Identify(shown); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/x509"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// secret is a token that nothing may show.
const secret = "rgw_Se-cret.1~"

func TestTakePathToken(t *testing.T) {
	const none, malformed = "none", "malformed"
	for target, want := range map[string]string{ // the path without the token
		"/r/" + secret + "/v1/submissions":     "/v1/submissions",
		"/r/" + secret + "/v1/submissions?q=1": "/v1/submissions",
		"/r/" + secret + "/":                   "/",
		"/r/" + secret:                         "/",
		"/r/" + secret + "/v1/../x":            malformed,
		"/r/" + secret + "//v1":                "//v1",

		"/": none, "/r": none, "/v1/submissions": none, "/readyz": none, "/v1/submissions/r": none, "/v1/other/" + "abc": none, "/%2fx": none,

		"/" + secret + "/v1":        malformed,
		"/r" + secret + "/v1":       malformed,
		"/r;/" + secret + "/v1":     malformed,
		"/v1/submissions/" + secret: malformed,
		`/r\x/v1`:                   malformed,
		"/r%5cx/v1":                 malformed,
		"/r%255Cx/v1":               malformed,

		"/r/":                                           malformed,
		"/r//x":                                         malformed,
		"/r//" + secret + "/x":                          malformed,
		"//r/" + secret + "/x":                          malformed,
		"/./r/" + secret + "/x":                         malformed,
		"/x/../r/" + secret + "/x":                      malformed,
		"/gateway/r/" + secret + "/x":                   malformed,
		"/r/x/../" + secret + "/x":                      malformed,
		"/r/./" + secret + "/x":                         malformed,
		"/r/../" + secret + "/x":                        malformed,
		"/R/" + secret + "/x":                           malformed,
		"/r/" + secret + "%2fv1":                        malformed,
		"/r%2f" + secret + "/v1":                        malformed,
		"/%72/" + secret + "/v1":                        malformed,
		"/r%252f" + secret + "/v1":                      malformed,
		"/%2572/" + secret + "/v1":                      malformed,
		"/r%25252f" + secret + "/v1":                    malformed,
		"/%25zz/r%252F" + secret + "/v1":                malformed,
		"/%2525252525252572/x":                          malformed, // whatever it is
		"/r/" + secret + "%20/v1":                       malformed,
		"/r/" + secret + "%00/v1":                       malformed,
		"/r/" + secret + ";x/v1":                        malformed,
		"/r/" + secret + "/r/" + secret + "x":           malformed,
		"/r/" + secret + "/v1/r/" + secret:              malformed,
		"/r/" + strings.Repeat("a", maxToken+1) + "/v1": malformed,
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		token, rest := TakePathToken(u.Path, u.RawPath)
		got := rest
		switch {
		case token == nil && rest == u.Path:
			got = none
		case token != nil && token.Malformed:
			got = malformed
		case token == nil || token.Hash != HashToken(secret):
			t.Errorf("%s: %+v", target, token)
		}
		if got != want || got == malformed && rest != "/" {
			t.Errorf("%s: %s and %s, want %s", target, got, rest, want)
		}
	}
}

// FuzzTakePathToken: whatever is before and after a token, it is in nothing that comes out, and what is taken for one is all of what stood
// in its place.
func FuzzTakePathToken(f *testing.F) {
	for _, seed := range [][2]string{{"/r/", "/v1"}, {"/r%2f", ""}, {"//r/", "/r/x"}, {"/%72/", "%2f"}, {"/r/../r/", "/.."}, {"/R/", ""}, {"/v1/", ""}, {"/r%252f", "/x"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		u, err := url.ParseRequestURI(before + secret + after)
		if err != nil || !strings.HasPrefix(u.Path, "/") {
			return
		}
		token, rest := TakePathToken(u.Path, u.RawPath)
		if token == nil {
			if rest != u.Path {
				t.Fatalf("no token, and %q became %q", u.Path, rest)
			}
			if at := strings.Index(strings.ToLower(rest), pathPrefix); at >= 0 {
				t.Fatalf("%q is shown", rest)
			}
			return
		}
		if token.Malformed {
			if rest != "/" || token.Hash != (PathToken{}).Hash {
				t.Fatalf("%+v, %q", token, rest)
			}
			return
		}
		shown, found := strings.CutSuffix(u.EscapedPath(), rest)
		shown, begins := strings.CutPrefix(shown, pathPrefix)
		if rest == "/" && !found {
			shown, begins = strings.CutPrefix(u.EscapedPath(), pathPrefix) // without a slash behind it
		}
		if !begins || token.Hash != HashToken(shown) || strings.Contains(shown, "/") {
			t.Fatalf("%q became %q and %q", u.Path, shown, rest)
		}
	})
}

func TestIdentifyByPath(t *testing.T) {
	a := newAuthenticator(t,
		Member{Caller: farm, Tokens: []Token{token("bearer", time.Time{})}, PathTokens: []Token{token("path", time.Time{}), token("old", noon)}},
		Member{Caller: people, Listeners: []string{"localhost:1"}}, Member{Caller: anybody, Anonymous: true})
	path := func(text string) *PathToken { return &PathToken{Hash: HashToken(text)} }
	for name, c := range map[string]struct {
		shown Credentials
		want  gateway.Caller
	}{
		"token":                   {Credentials{Path: path("path")}, farm.WithinPath()},
		"expired":                 {Credentials{Path: path("old")}, gateway.Caller{}},
		"unknown":                 {Credentials{Path: path("nobody's")}, gateway.Caller{}},
		"malformed":               {Credentials{Path: &PathToken{Malformed: true}}, gateway.Caller{}},
		"malformed, of no hash":   {Credentials{Path: &PathToken{}}, gateway.Caller{}},
		"a bearer token":          {Credentials{Path: path("bearer")}, gateway.Caller{}},
		"as a bearer token":       {Credentials{Authorization: []string{"Bearer path"}}, gateway.Caller{}},
		"with a bearer token":     {Credentials{Authorization: []string{"Bearer bearer"}, Path: path("path")}, gateway.Caller{}},
		"bad, with a good one":    {Credentials{Authorization: []string{"Bearer bearer"}, Path: path("nobody's")}, gateway.Caller{}},
		"listener":                {Credentials{Listener: "localhost:1"}, people},
		"listener and token":      {Credentials{Listener: "localhost:1", Authorization: []string{"Bearer bearer"}}, gateway.Caller{}},
		"listener and bad token":  {Credentials{Listener: "localhost:1", Authorization: []string{""}}, gateway.Caller{}},
		"listener and path token": {Credentials{Listener: "localhost:1", Path: path("path")}, gateway.Caller{}},
		"nobody's listener":       {Credentials{Listener: "localhost:2"}, gateway.Caller{}},
		"nobody's, with a token":  {Credentials{Listener: "localhost:2", Authorization: []string{"Bearer bearer"}}, gateway.Caller{}},
	} {
		got, err := a.Identify(c.shown)
		if got != c.want || (err == nil) != (c.want != gateway.Caller{}) || err != nil && reasonOf(err) != problem.ReasonUnauthenticated {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// With access control taken away, a listener that had a caller is closed, and so is a token.
func TestOpenForNobodysListener(t *testing.T) {
	a := newAuthenticator(t)
	for _, shown := range []Credentials{{Listener: "localhost:1"}, {Path: &PathToken{Hash: HashToken("x")}}} {
		if c, err := a.Identify(shown); err == nil {
			t.Errorf("%+v is %+v", shown, c)
		}
	}
}

// What lasts ends when the token in a path, or the listener, is another's.
func TestLifetimesByPath(t *testing.T) {
	member := Member{Caller: farm, PathTokens: []Token{token("stays", time.Time{}), token("goes", time.Time{})}, Listeners: []string{"stays", "goes", "given"}, Names: []string{"dns:stays", "dns:goes"}}
	a := newAuthenticator(t, member)
	begin := map[string]Credentials{}
	for _, name := range []string{"stays", "goes"} {
		begin["path "+name], begin["listener "+name] = Credentials{Path: &PathToken{Hash: HashToken(name)}}, Credentials{Listener: name}
		begin["certificate "+name] = Credentials{Certificate: certificateFor(name)}
	}
	begin["listener given"] = Credentials{Listener: "given"}
	ended := map[string]func() bool{}
	for name, shown := range begin {
		_, lifetime, err := a.IdentifyFor(shown)
		if err != nil {
			t.Fatal(name, err)
		}
		ended[name] = func() bool { return lifetime.Err() != nil }
	}
	use(t, a, Member{Caller: farm, PathTokens: []Token{token("stays", time.Time{})}, Listeners: []string{"stays"}, Names: []string{"dns:stays"}}, Member{Caller: people, Listeners: []string{"given"}})
	for name, is := range ended {
		if is() == strings.HasSuffix(name, "stays") {
			t.Errorf("%s: ended %v", name, is())
		}
	}
	if _, lifetime, err := a.IdentifyFor(begin["path stays"]); err != nil || lifetime.Err() != nil {
		t.Error(err)
	}
}

func TestTableRefusesPathTokens(t *testing.T) {
	same := token("a", time.Time{})
	for name, members := range map[string][]Member{
		"path token of two":       {{Caller: farm, PathTokens: []Token{same}}, {Caller: people, PathTokens: []Token{same}}},
		"path and bearer token":   {{Caller: farm, PathTokens: []Token{same}, Tokens: []Token{same}}},
		"another's bearer token":  {{Caller: farm, Tokens: []Token{same}}, {Caller: people, PathTokens: []Token{same}}},
		"listener of two callers": {{Caller: farm, Listeners: []string{"a"}}, {Caller: people, Listeners: []string{"a"}}},
	} {
		if _, err := NewTable(members); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func certificateFor(name string) *x509.Certificate {
	return &x509.Certificate{DNSNames: []string{name}, NotAfter: noon.Add(time.Hour)}
}

// SPDX-License-Identifier: Apache-2.0

package ambient

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
)

const us = "https://gateway.example"

// runner is what a GitHub runner answers jobs.
type runner struct {
	issuer *issuertest.Issuer
	lasts  time.Duration
	asked  atomic.Int64
	answer http.HandlerFunc // in its place, for the first requests
	first  int64
}

func startRunner(t *testing.T, r *runner) *http.Client {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if n := r.asked.Add(1); n <= r.first {
			r.answer(w, q)
			return
		}
		if q.Header.Get("Authorization") != "Bearer job-secret" || q.URL.Query().Get("api-version") != "2.0" {
			t.Errorf("%v %q", q.URL, q.Header)
		}
		token := r.issuer.Token(q.URL.Query().Get("audience"), map[string]any{"exp": time.Now().Add(r.lasts).Unix(), "n": r.asked.Load()})
		_ = json.NewEncoder(w).Encode(map[string]any{"value": token, "count": len(token)})
	}))
	t.Cleanup(s.Close)
	t.Setenv(GitHubURL, s.URL+"/token?api-version=2.0")
	t.Setenv(GitHubToken, "job-secret")
	return s.Client()
}

// What a token claims is described in a line, without what else is in it and without the token.
func TestDescribe(t *testing.T) {
	token := issuertest.Start(t).Token(us, map[string]any{
		"sub": "repo:a/b", "ref": "refs/heads/\x1b[2J", "repository_id": 5, "actor": "somebody", "exp": time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC).Unix(),
	})
	got := Describe(token)
	for _, want := range []string{`"` + us + `"`, `sub: "repo:a/b"`, `ref: "refs/heads/\u001b[2J"`, "repository_id: 5", "ends 2030-01-02T03:04:05Z"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s: no %s", got, want)
		}
	}
	if strings.Contains(got, "somebody") || strings.Contains(got, token[:20]) {
		t.Error(got)
	}
	if got := Describe("a.b.c"); got != "" {
		t.Error(got)
	}
}

// TestGitHub: one token serves until shortly before it ends.
func TestGitHub(t *testing.T) {
	r := &runner{issuer: issuertest.Start(t), lasts: 5 * time.Minute}
	source, err := Find(Options{Audience: us, Client: startRunner(t, r)})
	if err != nil {
		t.Fatal(err)
	}
	first, err := source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := source(t.Context()); err != nil || again != first || r.asked.Load() != 1 {
		t.Errorf("%v, asked %d times", err, r.asked.Load())
	}
	r.lasts = renewAhead / 2
	if source, err = Find(Options{Audience: us, Client: startRunner(t, r)}); err != nil {
		t.Fatal(err)
	}
	first, err = source(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if next, err := source(t.Context()); err != nil || next == first {
		t.Errorf("one that ends soon is sent again: %v", err)
	}
}

// TestGitHubFails: what may pass is tried again, what will not is told, and nothing secret is in it.
func TestGitHubFails(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "body-secret", code) }
	}
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		first  int64
		asked  int64
		good   bool
	}{
		"busy once":      {status(503), 1, 2, true},
		"limited once":   {status(429), 1, 2, true},
		"not allowed":    {status(403), 9, 1, false},
		"redirect":       {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/body-secret", http.StatusFound) }, 9, 1, false},
		"no JSON":        {text("<html>body-secret"), 9, 1, false},
		"no token":       {text(`{"value":""}`), 9, 1, false},
		"not a token":    {text(`{"value":"body-secret"}`), 9, 1, false},
		"endless answer": {text(`{"value":"body-secret` + strings.Repeat("x", 4*maxToken)), 9, 1, false},
	} {
		r := &runner{issuer: issuertest.Start(t), lasts: time.Hour, answer: c.answer, first: c.first}
		source, err := Find(Options{Audience: us, Client: startRunner(t, r)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = source(t.Context())
		if (err == nil) != c.good || r.asked.Load() != c.asked {
			t.Errorf("%s: %v, asked %d times", name, err, r.asked.Load())
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "api-version")) {
			t.Errorf("%s: it tells too much: %v", name, err)
		}
	}
}

// TestNamedTokens: they come from where they are named, as they are now, and only for the audience that is wanted.
func TestNamedTokens(t *testing.T) {
	for _, name := range []string{GitHubURL, GitHubToken, SigstoreToken} {
		t.Setenv(name, "")
	}
	issuer := issuertest.Start(t)
	good, other := issuer.Token(us, nil), issuer.Token("sigstore", nil)
	file := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good + "\n")
	source, err := Find(Options{Audience: us, File: file})
	if err != nil {
		t.Fatal(err)
	}
	if token, err := source(t.Context()); err != nil || token != good {
		t.Errorf("%q, %v", token, err)
	}
	second := issuer.Token(us, map[string]any{"n": 2})
	write(second)
	if token, err := source(t.Context()); err != nil || token != second {
		t.Errorf("a file that was replaced: %q, %v", token, err)
	}
	for name, text := range map[string]string{
		"another audience": other, "empty": "", "no token": "secret", "two audiences": issuer.Token(us, map[string]any{"aud": []string{us, "sigstore"}}),
		"endless": good + strings.Repeat("x", maxToken), "without an end": issuer.Sign(`{"aud":"` + us + `"}`),
	} {
		write(text)
		if token, err := source(t.Context()); err == nil || token != "" || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Setenv("MY_TOKEN", good)
	if source, err = Find(Options{Audience: us, Variable: "MY_TOKEN"}); err != nil {
		t.Fatal(err)
	}
	if token, err := source(t.Context()); err != nil || token != good {
		t.Errorf("variable: %q, %v", token, err)
	}
	if _, err := Find(Options{Audience: us}); !errors.Is(err, ErrNone) {
		t.Errorf("nothing: %v", err)
	}
	t.Setenv(SigstoreToken, other)
	if source, err = Find(Options{Audience: us}); err != nil {
		t.Fatal(err)
	}
	if token, err := source(t.Context()); err == nil {
		t.Errorf("a token that is meant for somebody else is sent: %q", token)
	}
	for _, o := range []Options{{}, {Audience: us, Variable: "a", File: "b"}} {
		if _, err := Find(o); err == nil {
			t.Errorf("%+v passes", o)
		}
	}
	t.Setenv(GitHubURL, "http://127.0.0.1")
	t.Setenv(GitHubToken, "secret")
	if _, err := Find(Options{Audience: us}); err == nil {
		t.Error("the job's secret would go in the clear")
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/ambient"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// githubRecipe returns what docs/access.md has of GitHub Actions: the caller, and the command of the job.
func githubRecipe(t *testing.T) (config.Caller, string) {
	t.Helper()
	text := readText(t, "../../docs/access.md")
	block := regexp.MustCompile("(?s)\n```yaml\n(callers:\n  - name: github-releases\n.*?)```").FindStringSubmatch(text)
	job := regexp.MustCompile("(?s)\n```yml\n(.*?)```").FindStringSubmatch(text)
	if block == nil || job == nil {
		t.Fatal("docs/access.md has no recipe for GitHub Actions")
	}
	cfg := must(config.Parse([]byte("trusted_root: x\nlogs: [{id: a, origin: a, url: 'http://a'}]\n" + block[1])))
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(job[1]), &workflow); err != nil {
		t.Fatal(err)
	}
	return cfg.Callers[0], workflow.Jobs["release"].Steps[0].Run
}

// startGitHub returns GitHub's issuer, and the environment of a job whose tokens have these claims.
func startGitHub(t *testing.T, job map[string]any) (github *issuertest.Issuer, env []string) {
	t.Helper()
	github = issuertest.Start(t)
	runner := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"value": github.Token(r.URL.Query().Get("audience"), job)})
	}))
	t.Cleanup(runner.Close)
	return github, []string{"SSL_CERT_FILE=" + github.CAFile(), ambient.GitHubURL + "=" + runner.URL + "/token?api-version=2.0", ambient.GitHubToken + "=runner-secret"}
}

func init() {
	recipeHelp["GitHub Actions without secrets"] = func(t *testing.T, _ string, cfg *config.Config) []string {
		github, env := startGitHub(t, map[string]any{"repository_id": "67890", "environment": "release"})
		cfg.Callers[0].OIDC.Issuer, cfg.Callers[0].OIDC.CAFile = github.URL, github.CAFile()
		return env
	}
}

// TestGitHubRecipe: what docs/access.md has of GitHub Actions, over HTTP and gRPC. A job of somebody else gets nowhere, and no
// output has a token.
func TestGitHubRecipe(t *testing.T) {
	job := map[string]any{"repository_owner_id": "12345", "ref": "refs/heads/main", "environment": "release"}
	github, env := startGitHub(t, job)
	caller, command := githubRecipe(t)
	caller.OIDC.Issuer, caller.OIDC.CAFile = github.URL, github.CAFile()
	g := deploy(t, must(exec.LookPath("rekor-gateway")), rekortest.StartServer(t))
	g.cfg.Callers = []config.Caller{caller}
	g.start()
	defer g.stop()

	dir := t.TempDir()
	for name, from := range map[string]string{"app.tar.gz": "artifact", "app.tar.gz.sig": "x509.sig", "release.pub": "x509.pub"} {
		if err := os.WriteFile(filepath.Join(dir, name), must(os.ReadFile(offline(from))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(server, command string) (string, error) {
		c := exec.Command("sh", "-ec", strings.Replace(command, "--server https://gateway.example.com", "--server "+server, 1))
		c.Dir = dir
		c.Env = append(os.Environ(), env...)
		out, err := c.CombinedOutput()
		if strings.Contains(string(out), "eyJ") || strings.Contains(string(out), "runner-secret") {
			t.Errorf("a secret is printed:\n%s", out)
		}
		return string(out), err
	}
	if out, err := run(g.url, command); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	list := "rekor-gateway list --server https://gateway.example.com --oidc --oidc-audience https://gateway.example.com"
	for _, server := range []string{g.url, "grpc://" + g.cfg.GRPC.Listen} {
		if out, err := run(server, list); err != nil || !strings.Contains(out, "LOGGED") {
			t.Errorf("%v:\n%s", err, out)
		}
	}
	job["environment"] = "review"
	if out, err := run(g.url, command); err == nil || !strings.Contains(out, "UNAUTHENTICATED") || !strings.Contains(out, `environment: "review"`) {
		t.Errorf("a job of another environment: %v:\n%s", err, out)
	}
}

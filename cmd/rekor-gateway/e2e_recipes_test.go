// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

const accessPage = "docs/access.md"

// recipe is a section below "Recipes": commands, a part of a configuration, and commands again.
type recipe struct {
	name          string
	before, after string
	config        string
}

// recipeHelp prepares what a recipe needs and no command of it makes, such as an issuer of tokens; by the recipe's name. It may change the
// configuration, and returns the environment of commands and gateway.
var recipeHelp = map[string]func(t *testing.T, dir string, cfg *config.Config) (env []string){}

// TestRecipes runs each recipe of docs/access.md as a reader would: what is above the configuration, a gateway with it, and what is below.
func TestRecipes(t *testing.T) {
	log := rekortest.StartServer(t)
	recipes := listRecipes(t)
	if len(recipes) < 5 {
		t.Errorf("there are %d recipes", len(recipes))
	}
	for _, r := range recipes {
		t.Run(r.name, func(t *testing.T) { r.run(t, log) })
	}
}

func listRecipes(t *testing.T) (recipes []recipe) {
	t.Helper()
	_, section, found := strings.Cut(readText(t, "../../"+accessPage), "\n## Recipes\n")
	if !found {
		t.Fatalf("%s has no recipes", accessPage)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	for i, text := range strings.Split(section, "\n### ") {
		if i == 0 {
			continue
		}
		name, text, _ := strings.Cut(text, "\n")
		r := recipe{name: name}
		for _, b := range parseDoc(text) {
			switch {
			case b.language == "yaml":
				r.config += b.text
			case b.language == "bash" && r.config == "":
				r.before += b.text
			case b.language == "bash":
				r.after += b.text
			}
		}
		if r.config == "" || r.after == "" {
			t.Errorf("the recipe %q has no configuration, or nothing that it is for", name)
		}
		recipes = append(recipes, r)
	}
	return recipes
}

// run runs the recipe in the folder of its gateway.
func (r recipe) run(t *testing.T, log *rekortest.Server) {
	g := deploy(t, must(exec.LookPath("rekor-gateway")), log)
	shell(t, g.dir, `openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private; openssl pkey -in private -pubout -out key.pem
		echo "an artifact" >artifact; openssl dgst -sha256 -sign private -out artifact.sig artifact`)
	bash(t, g.dir, nil, r.before)
	addresses := g.useRecipe(r.config)
	var env []string
	if help := recipeHelp[r.name]; help != nil {
		env = help(t, g.dir, &g.cfg)
	}
	g.start(env...)
	bash(t, g.dir, env, addresses.Replace(r.after))
	g.stop()
}

// useRecipe has the gateway use a recipe's configuration, with addresses that are free and the tokens that were made. What it returns puts
// those addresses in the place of the documented ones.
func (g *deployment) useRecipe(text string) *strings.Replacer {
	g.t.Helper()
	http, grpc := g.cfg.HTTP.Listen, g.cfg.GRPC.Listen
	if err := yaml.Unmarshal([]byte(text), &g.cfg); err != nil {
		g.t.Fatal(err)
	}
	moved := []string{}
	move := func(documented, to string) string {
		_, port, _ := net.SplitHostPort(documented)
		_, free, _ := net.SplitHostPort(to)
		moved = append(moved, "127.0.0.1:"+port, to, "gateway.builds.svc:"+port, "localhost:"+free)
		return to
	}
	standard := config.Default()
	g.cfg.HTTP.Listen, g.cfg.GRPC.Listen = move(standard.HTTP.Listen, http), move(standard.GRPC.Listen, grpc)
	for i, l := range g.cfg.Listeners {
		g.cfg.Listeners[i].Listen = move(l.Listen, freeAddress())
	}
	for i := range g.cfg.Callers {
		c := &g.cfg.Callers[i]
		if len(c.TokenSHA256) > 0 {
			c.TokenSHA256 = []string{g.hashOfFile(c.Name + ".token")}
		}
		if len(c.PathTokenSHA256) > 0 {
			c.PathTokenSHA256 = []string{g.hashOfFile(c.Name + ".path-token")}
		}
	}
	return strings.NewReplacer(moved...)
}

// hashOfFile returns what the configuration has of the token in a file.
func (g *deployment) hashOfFile(name string) string {
	g.t.Helper()
	sum := sha256.Sum256([]byte(strings.TrimSpace(readText(g.t, g.file(name)))))
	return hex.EncodeToString(sum[:])
}

// negated is a line that says that a command fails; bash alone would not look.
var negated = regexp.MustCompile(`(?m)^! (.*)$`)

// bash runs a recipe's commands.
func bash(t *testing.T, dir string, env []string, script string) {
	t.Helper()
	script = negated.ReplaceAllString(script, "if $1; then echo 'it passes: line '$$LINENO; exit 1; fi")
	if err := os.WriteFile(filepath.Join(dir, "commands"), []byte("set -euo pipefail\n"+script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-x", "commands")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

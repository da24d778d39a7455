// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/rekor-gateway/rekor-gateway/"

// importRule says what the packages it matches may depend on. Patterns are import paths
// without the module's own prefix; a trailing "/..." takes in what is below.
type importRule struct {
	packages []string
	ours     []string // packages of this module they may reach, themselves aside
	direct   []string // packages they may not import themselves
	deps     []string // packages they may not reach by any way
}

var (
	pure = []string{
		"formats/...", "gateway/hashedrekord", "gateway/rekord", "gateway/receipt/...", "gateway/rekorjson", "gateway/statement/...", "gateway/tiletree", "gateway/trustroot/...", "gateway/tufrecord",
		"proto/rekorgateway/receipt/...",
	}
	shell   = []string{"net/http", "google.golang.org/grpc/...", "database/sql"}
	drivers = []string{"modernc.org/sqlite", "github.com/jackc/pgx/...", "github.com/pressly/goose/...", "github.com/redis/go-redis/..."}

	domain   = slices.Concat(pure, []string{"gateway", "gateway/internal/..."})
	anything = []string{"..."}
)

// importRules: the first one that matches a package holds for it; a package that none matches is
// a failure. To add a package, add its rule here and to .golangci.yml.
//
// What a rule bans in deps, libraries may not drag along either: net/http is not even linked into what
// verifies receipts.
var importRules = []importRule{
	{packages: []string{"formats/all", "formats/formatstest/..."}, ours: []string{"formats/..."}, deps: shell},
	{packages: []string{"formats/..."}, ours: []string{"formats", "formats/ed25519stream", "formats/foreign", "formats/keyfile", "formats/textlayer"}, deps: shell},
	{packages: []string{"ratelimit/..."}, ours: []string{"ratelimit/..."}, deps: shell},
	{packages: []string{"proto/rekorgateway/receipt/..."}, deps: shell},
	{packages: []string{"proto/rekorgateway/v1"}, ours: []string{"proto/..."}},
	{packages: pure, ours: pure, deps: shell}, // gateway/hashedrekord, rekord, receipt, rekorjson, statement, tiletree, trustroot, tufrecord
	// The words and seams, and the rooms of the domain, which see them and not each other.
	{packages: []string{"gateway"}, ours: pure, deps: slices.Concat(shell, drivers)},
	{packages: []string{"gateway/internal/..."}, deps: slices.Concat(shell, drivers)},
	{
		packages: []string{"gateway/planning", "gateway/recording", "gateway/intake", "gateway/delivery", "gateway/lookup", "gateway/ownlog"},
		ours:     slices.Concat(domain, []string{"gateway/planning", "gateway/recording"}),
		deps:     slices.Concat(shell, drivers),
	},
	{packages: []string{"gateway/facade"}, ours: slices.Concat(domain, []string{"gateway/ownlog"}), deps: slices.Concat(shell, drivers)},
	// Driven adapters see the words; drivers and transports are their own business.
	{packages: []string{"gateway/witness/witnesstest"}}, // what tests start, and its database
	{packages: []string{"gateway/witness/..."}, ours: slices.Concat(domain, []string{"gateway/witness"}), deps: []string{"google.golang.org/grpc/...", "database/sql"}},
	{packages: []string{"gateway/attest"}, ours: domain, deps: []string{"google.golang.org/grpc/...", "database/sql"}},
	{
		packages: []string{"gateway/rekor/tiles"}, ours: domain, // and not what an entry is
		direct: []string{module + "gateway/hashedrekord", "google.golang.org/grpc/..."}, deps: []string{"database/sql"},
	},
	{ // what tests start: a server over a real database
		packages: []string{"gateway/rekor/rekorv1test"}, ours: []string{"gateway/internal/freeport", "gateway/store/postgres/postgrestest", "ratelimit/redistest"},
	},
	{packages: []string{"gateway/rekor/..."}, ours: slices.Concat(domain, []string{"gateway/recording", "gateway/rekor/..."}), deps: []string{"database/sql"}},
	{packages: []string{"gateway/store/..."}, ours: slices.Concat(domain, []string{"gateway/store/..."}), deps: []string{"google.golang.org/grpc/..."}},
	// Driving adapters reach stores and logs through interfaces of the words alone.
	// What the surface is built on: problem sees the words alone, upload sees problem.
	{packages: []string{"gateway/api/problem"}, ours: domain, deps: slices.Concat(drivers, []string{"database/sql"})},
	{packages: []string{"gateway/api/upload"}, ours: slices.Concat(domain, []string{"gateway/api/problem", "proto/..."}), deps: slices.Concat(drivers, []string{"database/sql"})},
	{packages: []string{"gateway/api/..."}, ours: slices.Concat(domain, []string{"gateway/api/...", "proto/..."}), deps: slices.Concat(drivers, []string{"database/sql"})},
	// What callers import: neither what the gateway is made of, nor formats; its tests do.
	{packages: []string{"gateway/client"}, ours: []string{"proto/..."}, direct: []string{"net/http"}, deps: slices.Concat(drivers, []string{"database/sql"})},
	{packages: []string{"gateway/audit"}, ours: domain, deps: shell},
	{packages: []string{"gateway/auth/..."}, ours: slices.Concat(domain, []string{"gateway/api/problem", "gateway/auth/..."}), deps: slices.Concat(drivers, []string{"database/sql"})},
	{packages: []string{"gateway/middleware"}, ours: slices.Concat(domain, []string{"gateway/api/problem", "ratelimit/..."}), deps: slices.Concat(drivers, []string{"database/sql"})},
	{packages: []string{"gateway/config"}, ours: domain, deps: slices.Concat(shell, drivers)},
	{packages: []string{"gateway/gatewaytest"}, ours: slices.Concat(domain, []string{"gateway/planning", "gateway/intake", "gateway/delivery", "gateway/lookup"})},
	{packages: []string{"docs/examples/..."}, ours: []string{"gateway/client", "proto/..."}}, // as callers do
	// What finds signatures reads files and nothing else; what submits them speaks to a gateway, and sees none of its rooms.
	{packages: []string{"cmd/rekor-gateway/backfill"}, ours: []string{"formats/..."}, deps: slices.Concat(shell, drivers)},
	{
		packages: []string{"cmd/rekor-gateway/backfill/run"}, ours: anything, // what fault names the errors of
		direct: slices.Concat([]string{module + "gateway/server", module + "gateway/store/...", module + "gateway/intake", module + "gateway/rekor/...", "net/http"}, drivers),
	},
	{packages: []string{"gateway/server", "cmd/..."}, ours: anything},
}

// goPackage is what `go list` says of one package.
type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// TestImportsPointOneWay checks the layout over the whole dependency graph, as the linter
// does at each import.
func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	if len(packages) == 0 {
		t.Fatal("go list found no packages")
	}
	for _, pkg := range packages {
		for _, problem := range importProblems(pkg) {
			t.Error(problem)
		}
	}
}

func TestImportProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pkg  goPackage
		want int
	}{
		"plugin by the rules":          {goPackage{module + "formats/pgp", nil, []string{"io", module + "formats"}}, 0},
		"plugin sees another":          {goPackage{module + "formats/pgp", nil, []string{module + "formats/ssh"}}, 1},
		"plugin reaches net/http":      {goPackage{module + "formats/pgp", nil, []string{"net/http", "net/url"}}, 1},
		"list sees every plugin":       {goPackage{module + "formats/all", nil, []string{module + "formats/ssh"}}, 0},
		"receipt type reaches grpc":    {goPackage{module + "proto/rekorgateway/receipt/v1", nil, []string{"google.golang.org/grpc/codes"}}, 1},
		"receipt reaches net/http":     {goPackage{module + "gateway/receipt", nil, []string{"net/http"}}, 1},
		"receipt sees the domain":      {goPackage{module + "gateway/receipt", nil, []string{module + "gateway"}}, 1},
		"domain sees an adapter":       {goPackage{module + "gateway", nil, []string{module + "gateway/store/sqlite"}}, 1},
		"domain reaches grpc":          {goPackage{module + "gateway", nil, []string{"google.golang.org/grpc"}}, 1},
		"tiles speak HTTP":             {goPackage{module + "gateway/rekor/tiles", []string{"net/http"}, []string{"net/http", module + "gateway"}}, 0},
		"tiles see a store":            {goPackage{module + "gateway/rekor/tiles", nil, []string{module + "gateway/store"}}, 1},
		"tiles see what entries are":   {goPackage{module + "gateway/rekor/tiles", []string{module + "gateway/hashedrekord"}, nil}, 1},
		"adapter sees the root":        {goPackage{module + "gateway/api", nil, []string{module + "gateway/server"}}, 1},
		"root sees every adapter":      {goPackage{module + "gateway/server", nil, []string{module + "gateway/api"}}, 0},
		"command sees the root":        {goPackage{module + "cmd/rekor-gateway", nil, []string{module + "gateway/server"}}, 0},
		"scan sees a client":           {goPackage{module + "cmd/rekor-gateway/backfill", nil, []string{module + "cmd/rekor-gateway/client"}}, 1},
		"backfill sees the server":     {goPackage{module + "cmd/rekor-gateway/backfill/run", []string{module + "gateway/server"}, nil}, 1},
		"nobody sees a command":        {goPackage{module + "gateway/server", nil, []string{module + "cmd/rekor-gateway"}}, 1},
		"room without a rule":          {goPackage{module + "gateway/cellar", nil, nil}, 1},
		"room sees another room":       {goPackage{module + "gateway/intake", nil, []string{module + "gateway/delivery"}}, 1},
		"room sees an adapter":         {goPackage{module + "gateway/intake", nil, []string{module + "gateway/api"}}, 1},
		"room reaches net/http":        {goPackage{module + "gateway/intake", nil, []string{"net/http"}}, 1},
		"problem sees upload":          {goPackage{module + "gateway/api/problem", nil, []string{module + "gateway/api/upload"}}, 1},
		"upload sees the surface":      {goPackage{module + "gateway/api/upload", nil, []string{module + "gateway/api"}}, 1},
		"surface sees a store":         {goPackage{module + "gateway/api", nil, []string{module + "gateway/store/sqlite"}}, 1},
		"auth sees the surface":        {goPackage{module + "gateway/auth", nil, []string{module + "gateway/api"}}, 1},
		"client sees a format":         {goPackage{module + "gateway/client", nil, []string{module + "formats/pgp"}}, 1},
		"client sees the surface":      {goPackage{module + "gateway/client", nil, []string{module + "gateway/api"}}, 1},
		"client reaches a database":    {goPackage{module + "gateway/client", nil, []string{"modernc.org/sqlite"}}, 1},
		"client sees the messages":     {goPackage{module + "gateway/client", nil, []string{module + "proto/rekorgateway/v1", "google.golang.org/grpc"}}, 0},
		"limiter imports a database":   {goPackage{module + "ratelimit", nil, []string{"database/sql"}}, 1},
		"limiter sees the domain, too": {goPackage{module + "ratelimit", nil, []string{module + "gateway", "database/sql"}}, 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := importProblems(test.pkg); len(got) != test.want {
				t.Errorf("%d problems, want %d: %q", len(got), test.want, got)
			}
		})
	}
}

// importProblems names every dependency of pkg that the layout forbids.
func importProblems(pkg goPackage) []string {
	var problems []string
	path := strings.TrimPrefix(pkg.ImportPath, module)
	refuse := func(dep string) { problems = append(problems, fmt.Sprintf("%s may not depend on %s", path, dep)) }

	rule := ruleFor(path)
	if rule == nil {
		return []string{path + " has no import rule"}
	}
	for _, dep := range pkg.Deps {
		our, ok := strings.CutPrefix(dep, module)
		switch {
		case ok && (!mayReach(path, our) || our != path && !matches(rule.ours, our)):
			refuse(our)
		case !ok && matches(rule.deps, dep):
			refuse(dep)
		}
	}
	for _, dep := range pkg.Imports {
		if matches(rule.direct, dep) && !matches(rule.deps, dep) {
			refuse(dep)
		}
	}
	return problems
}

// mayReach holds for every package: only commands see the composition root, and nothing
// sees a command but its own parts.
func mayReach(path, our string) bool {
	command := matches([]string{"cmd/..."}, path)
	if matches([]string{"cmd/..."}, our) {
		return command
	}
	return our != "gateway/server" || command || strings.HasPrefix(path, "gateway/server/")
}

func ruleFor(path string) *importRule {
	for i := range importRules {
		if matches(importRules[i].packages, path) {
			return &importRules[i]
		}
	}
	return nil
}

func matches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		tree, below := strings.CutSuffix(pattern, "/...")
		return path == tree || pattern == "..." || below && strings.HasPrefix(path, tree+"/")
	})
}

// listPackages asks the go command for the module's packages with everything they reach,
// test files aside.
func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg goPackage
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("reading go list's answer: %v", err)
		}
		packages = append(packages, pkg)
	}
}

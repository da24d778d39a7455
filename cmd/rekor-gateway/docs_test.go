// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// TestDocs runs the ```sh blocks of the documentation against a gateway of its own: those of
// README.md's "Try it", of each section of formats.md and of each other page in one shell, in
// an empty folder. In formats.md and the pages below it, a ```text block right after is what a
// block prints, and the curl line is defined.
func TestDocs(t *testing.T) {
	remote := startDev(t)
	database := postgrestest.NewServer(t)
	for name, value := range map[string]string{"PGHOST": "127.0.0.1", "PGPORT": strconv.Itoa(database.Port()), "PGUSER": "gateway"} {
		t.Setenv(name, value)
	}
	for _, u := range docUnits(t) {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			u.run(t, remote)
		})
	}
}

// TestDocsConfiguration loads the ```yaml blocks as serve would; those without logs are parts.
func TestDocsConfiguration(t *testing.T) {
	rest := map[string]string{
		"logs:":         "logs: [{id: main, origin: log.example, url: 'https://log.example'}]\n",
		"trusted_root:": "trusted_root: r.json\n",
	}
	found := 0
	for _, page := range docPages(t) {
		for _, b := range page.blocks {
			if b.language != "yaml" {
				continue
			}
			found++
			text := b.text
			has := func(key string) bool { return strings.Contains("\n"+text, "\n"+key) } // and not further in
			for key, line := range rest {
				known := has("profile:") || key == "trusted_root:" && has("  tuf:")
				if !has(key) && !known {
					text = line + text
				}
			}
			if _, err := config.Parse([]byte(text)); err != nil {
				t.Errorf("%s:%d: %v", page.path, b.line, err)
			}
		}
	}
	if found == 0 {
		t.Error("there is no YAML in the documentation")
	}
}

// TestDocsNameEveryFormat: formats.md links every format's page. That errors.md has every reason, TestErrorReference shows.
func TestDocsNameEveryFormat(t *testing.T) {
	text := readText(t, "../../docs/formats.md")
	for _, n := range all.Formats().Names() {
		if !strings.Contains(text, "](formats/"+n+".md)") || !strings.Contains(text, "`"+n+"`") {
			t.Errorf("the format %s is not in docs/formats.md", n)
		}
	}
}

// docPage is a Markdown file taken apart.
type docPage struct {
	path   string // from the repository's root
	blocks []docBlock
}

// docBlock is a fenced block of code.
type docBlock struct {
	section  string // the heading of level two above it
	language string
	text     string
	line     int    // where it starts
	prints   string // the text block that follows with nothing but blank lines between
	checked  bool   // there is one
}

func docPages(t *testing.T) []docPage {
	t.Helper()
	paths := []string{"../../README.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/formats/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("there is no documentation in %s: %v", pattern, err)
		}
		paths = append(paths, found...)
	}
	var pages []docPage
	for _, p := range paths {
		pages = append(pages, docPage{strings.TrimPrefix(p, "../../"), parseDoc(readText(t, p))})
	}
	return pages
}

func readText(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

const fence = "```"

// parseDoc finds the blocks whose fences are not indented.
func parseDoc(text string) []docBlock {
	var blocks []docBlock
	var current *docBlock
	section, adjacent := "", false // adjacent: nothing but blank lines since the last block
	for i, line := range strings.Split(text, "\n") {
		switch {
		case current != nil && line == fence:
			blocks = addBlock(blocks, *current, adjacent)
			current, adjacent = nil, true
		case current != nil:
			current.text += line + "\n"
		case strings.HasPrefix(line, fence):
			current = &docBlock{section: section, language: strings.TrimPrefix(line, fence), line: i + 1}
		default:
			if heading, ok := strings.CutPrefix(line, "## "); ok {
				section = heading
			}
			adjacent = adjacent && line == ""
		}
	}
	return blocks
}

// addBlock appends b, and notes output with the block that prints it.
func addBlock(blocks []docBlock, b docBlock, adjacent bool) []docBlock {
	if last := len(blocks) - 1; adjacent && b.language == "text" && blocks[last].language == "sh" {
		blocks[last].prints, blocks[last].checked = b.text, true
	}
	return append(blocks, b)
}

// formatsPage has sections that run apart, and the curl line.
const (
	formatsPage = "docs/formats.md"
	curlSection = "The curl line"
)

// isAboutFormats reports whether the page uses the curl line.
func isAboutFormats(page string) bool {
	return page == formatsPage || filepath.Dir(page) == "docs/formats"
}

// readCurlLine returns the block that defines it.
func readCurlLine(t *testing.T) string {
	t.Helper()
	for _, b := range parseDoc(readText(t, "../../"+formatsPage)) {
		if b.section == curlSection && b.language == "sh" {
			return b.text
		}
	}
	t.Fatalf("%s has no section %q with the curl line", formatsPage, curlSection)
	return ""
}

// docUnit is what runs in one shell.
type docUnit struct {
	name   string
	page   string
	before string // what is defined on another page
	blocks []docBlock
}

func docUnits(t *testing.T) []docUnit {
	t.Helper()
	var units []docUnit
	curl := readCurlLine(t)
	for _, page := range docPages(t) {
		for _, b := range page.blocks {
			name := page.path
			switch {
			case b.language != "sh", page.path == "README.md" && b.section != "Try it":
				continue
			case page.path == formatsPage:
				name += " " + b.section
			}
			if last := len(units) - 1; last < 0 || units[last].name != name {
				units = append(units, docUnit{name: name, page: page.path})
				if isAboutFormats(page.path) {
					units[len(units)-1].before = curl
				}
			}
			units[len(units)-1].blocks = append(units[len(units)-1].blocks, b)
		}
	}
	return units
}

// run runs the unit in a folder where the gateway's is what dev makes by default. Names of
// folders are short, as gpg's socket has to be within.
func (u docUnit) run(t *testing.T, remote readiness) {
	dir, err := os.MkdirTemp("", "docs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeHome(t, dir) })
	if err := os.Symlink(remote.DataDir, filepath.Join(dir, ".rekor-gateway")); err != nil {
		t.Fatal(err)
	}
	addresses := replaceAddresses(t, remote)
	if files := filepath.Join("testdata", "docs", strings.TrimSuffix(filepath.Base(u.page), ".md")); exists(files) {
		copyFiles(t, dir, files, addresses)
	}
	out := t.TempDir()
	shell := exec.CommandContext(t.Context(), "bash", "-c", addresses.Replace(u.script(out)))
	shell.Dir = dir
	var messages bytes.Buffer
	shell.Stderr = &messages
	if err := shell.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &messages)
	}
	u.compare(t, out)
}

// copyFiles copies what a unit finds in its folder; its configurations have the addresses of this run.
func copyFiles(t *testing.T, dir, files string, addresses *strings.Replacer) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS(files)); err != nil {
		t.Fatal(err)
	}
	configurations, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range configurations {
		if err := os.WriteFile(path, []byte(addresses.Replace(readText(t, path))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// replaceAddresses puts the addresses of this run in the place of those on the pages: the gateway's, and those that begin with 18 and 28, which
// two more have.
func replaceAddresses(t *testing.T, remote readiness) *strings.Replacer {
	t.Helper()
	one := findPorts(t, 10, 20)
	other := findPorts(t, 21, 31)
	return strings.NewReplacer(
		"http://127.0.0.1:8080", remote.HTTP, "grpc://127.0.0.1:8081", remote.GRPC, ".build/bin/rekor-gateway", "rekor-gateway",
		"127.0.0.1:18", "127.0.0.1:"+one, "127.0.0.1:28", "127.0.0.1:"+other,
	)
}

// findPorts returns two digits with which free ports begin, so that nothing else on the machine is in the way.
func findPorts(t *testing.T, from, to int) string {
	t.Helper()
	for _, i := range rand.Perm(to - from + 1) {
		digits := strconv.Itoa(from + i)
		free := func(end string) bool {
			l, err := net.Listen("tcp", "127.0.0.1:"+digits+end)
			return err == nil && l.Close() == nil
		}
		if free("080") && free("081") && free("112") {
			return digits
		}
	}
	t.Fatalf("there are no free ports from %d000 to %d999", from, to)
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// removeHome ends the gpg-agent that a unit has started, and removes its folder.
func removeHome(t *testing.T, dir string) {
	if home := filepath.Join(dir, "gnupg"); exists(home) {
		kill := exec.Command("gpgconf", "--kill", "all")
		kill.Env = append(os.Environ(), "GNUPGHOME="+home)
		if err := kill.Run(); err != nil {
			t.Errorf("ending gpg's agent: %v", err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Errorf("removing the folder: %v", err)
	}
}

// script joins the blocks, each with its output in a file of its own. The gateway that make
// would run is there already.
func (u docUnit) script(out string) string {
	var s strings.Builder
	s.WriteString("set -euo pipefail\nmake() { [ \"$*\" = run ]; }\ncosign() { \"$COSIGN\" \"$@\"; }\n" + u.before)
	for i, b := range u.blocks {
		fmt.Fprintf(&s, "echo '# %s:%d' >&2\nexec >'%s'\n%s", u.page, b.line, outputFile(out, i), b.text)
	}
	return s.String()
}

func outputFile(out string, block int) string { return filepath.Join(out, fmt.Sprint(block)) }

func (u docUnit) compare(t *testing.T, out string) {
	for i, b := range u.blocks {
		if !b.checked || !isAboutFormats(u.page) {
			continue
		}
		if got := readText(t, outputFile(out, i)); got != b.prints {
			t.Errorf("%s:%d prints\n%swant\n%s", u.page, b.line, got, b.prints)
		}
	}
}

// startDev starts a gateway with a log of its own, and ends it with the test.
func startDev(t *testing.T) readiness {
	t.Helper()
	t.Setenv("REKOR_SERVER", rekortest.Binary(t))
	dev := exec.Command("rekor-gateway", "dev", "--data-dir", t.TempDir(), "--output", "json",
		"--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	out, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	dev.Stderr = &log
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dev.Process.Signal(os.Interrupt)
		if err := dev.Wait(); err != nil {
			t.Errorf("rekor-gateway dev: %v\n%s", err, &log)
		}
	})
	var remote readiness
	if err := json.NewDecoder(out).Decode(&remote); err != nil {
		t.Fatalf("rekor-gateway dev does not say where it serves: %v", err)
	}
	return remote
}

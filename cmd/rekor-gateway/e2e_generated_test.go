// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestGeneratedClient: clients that orval generates from openapi.json submit, as a form and as JSON, and read the answers.
// The artifact is too large for a form that has it anywhere but at the end.
func TestGeneratedClient(t *testing.T) {
	orval := os.Getenv("ORVAL")
	if orval == "" {
		t.Fatal("ORVAL is not set: make e2e installs orval and sets it")
	}
	g := deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t))
	g.start()
	dir := t.TempDir()
	shell(t, dir, `head -c 9000000 /dev/urandom >artifact
openssl ecparam -name prime256v1 -genkey -noout -out private
openssl ec -in private -pubout -out key 2>/dev/null
openssl dgst -sha256 -sign private -out signature artifact`)
	if err := os.WriteFile(filepath.Join(dir, "use.mjs"), must(os.ReadFile("testdata/generated/use.mjs")), 0o600); err != nil {
		t.Fatal(err)
	}
	generate := exec.Command("bash", "-euo", "pipefail", "-c", `cd "$ORVAL"
npx --no-install orval --config ./orval.config.cjs
npx --no-install esbuild "$OUT"/form.ts "$OUT"/json.ts --format=esm --out-extension:.js=.mjs --outdir="$OUT"`)
	generate.Env = append(os.Environ(), "OUT="+dir, "BASE_URL="+g.url, "OPENAPI="+must(filepath.Abs("../../gateway/api/openapi.json")))
	if out, err := generate.CombinedOutput(); err != nil {
		t.Fatalf("generating: %v\n%s", err, out)
	}
	const want = `{"submitted":201,"state":"LOGGED","label":"1","receipt":true,"refused":400,"reason":"MALFORMED_SIGNATURE","again":200,"same":true,"listed":1,"chosen":"NATIVE"}`
	if got := strings.TrimSpace(shell(t, dir, "node use.mjs")); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestStockCosignSignsThroughGateway: stock cosign signs with a signing config that names the gateway, by a token in its path, as its Rekor v2, and verifies
// by the log's key alone; what is tampered with does not verify, who has no token is refused, and with the log down cosign shows why.
func TestStockCosignSignsThroughGateway(t *testing.T) {
	if os.Getenv("COSIGN") == "" {
		t.Fatal("$COSIGN does not name cosign: run make e2e")
	}
	log := rekortest.StartServer(t)
	g := deploy(t, buildProgram(t, "../rekor-gateway"), log)
	g.cfg.RekorAPI.V2 = g.cfg.Logs[0].ID
	shell(t, g.dir, "rekor-gateway config token build --path >path-token")
	g.cfg.Callers = []config.Caller{{Name: "build", Tenant: "build", May: []string{"submit", "read"}, PathTokenSHA256: []string{g.hashOfFile("path-token")}}}
	g.start()
	cosign := func(script string) (string, error) {
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = g.dir, append(os.Environ(), "COSIGN_PASSWORD=", "URL="+g.url)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	run := func(script string) {
		t.Helper()
		if out, err := cosign(script); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	run(`config() { $COSIGN signing-config create --rekor url=$1,api-version=2,start-time=2026-01-01T00:00:00Z,operator=example.com --rekor-config ANY --out $2; }
		config $URL/r/$(cat path-token) signing_config.json; config $URL/r/nobodys stranger.json
		$COSIGN generate-key-pair; echo artifact >artifact; echo another >another
		echo '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"artifact","digest":{"sha256":"'$(sha256sum artifact | cut -d' ' -f1)'"}}],"predicateType":"https://example.com/p","predicate":{}}' >statement.json`)
	sign := "$COSIGN sign-blob --yes --key cosign.key --trusted-root trusted_root.json --signing-config "
	verify := "$COSIGN verify-blob --key cosign.pub --bundle bundle.json --trusted-root trusted_root.json "
	run(sign + "signing_config.json --bundle bundle.json artifact")
	run(verify + "artifact")
	run(`$COSIGN attest-blob --yes --key cosign.key --trusted-root trusted_root.json --signing-config signing_config.json --statement statement.json --bundle attestation.json artifact
		$COSIGN verify-blob-attestation --key cosign.pub --type https://example.com/p --bundle attestation.json --trusted-root trusted_root.json artifact`)
	for what, script := range map[string]string{
		"another artifact": verify + "another",
		"a stranger":       sign + "stranger.json --bundle strangers.json artifact",
	} {
		if out, err := cosign(script); err == nil {
			t.Errorf("%s: accepted\n%s", what, out)
		} else if what == "a stranger" && !strings.Contains(out, "UNAUTHENTICATED") {
			t.Errorf("cosign does not say why:\n%s", out)
		}
	}
	log.Kill()
	if out, err := cosign(sign + "signing_config.json --bundle late.json another"); err == nil || !strings.Contains(out, "NOT_LOGGED_IN_TIME") {
		t.Errorf("with the log down: %v\n%s", err, out)
	}
	g.stop()
}

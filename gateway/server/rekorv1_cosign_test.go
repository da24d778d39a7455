// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package server_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
)

// TestStockCosignOnRekorV1: stock cosign verifies what was recorded in a Rekor v1, and refuses it for another artifact.
func TestStockCosignOnRekorV1(t *testing.T) {
	if os.Getenv("COSIGN") == "" {
		t.Fatal("$COSIGN does not name cosign: run make e2e")
	}
	cfg := bothConfig(t)
	r := run(t, cfg)
	defer r.stop()
	for representation, commands := range map[string]int{"NATIVE": 2, "ATTESTED": 1} { // it finds no statement in a hashedrekord of Rekor v1
		text := "as " + representation
		kind, body := formOf(key, text, text, "", representation)
		a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions?wait=60s", kind, body))
		if a.status != http.StatusCreated {
			t.Fatalf("%d %v", a.status, a.body)
		}
		runCosign(t, cfg, r.verifyReceipt(cfg, a.body["id"].(string), text), text, commands)
	}
}

// runCosign has stock cosign verify by so many commands, and refuse another artifact.
func runCosign(t *testing.T, cfg *config.Config, report *receipt.Report, text string, commands int) {
	t.Helper()
	artifact := filepath.Join(t.TempDir(), "artifact")
	for content, want := range map[string]bool{text: true, text + "!": false} {
		if err := os.WriteFile(artifact, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		exported := must(report.ExportCosign(t.Context(), receipt.Export{Dir: t.TempDir(), Artifact: artifact, TrustedRoot: cfg.TrustedRoot}))
		if len(exported) != commands {
			t.Errorf("%d commands, want %d", len(exported), commands)
		}
		for _, command := range exported {
			out, err := exec.CommandContext(t.Context(), os.Getenv("COSIGN"), command[1:]...).CombinedOutput()
			if (err == nil) != want {
				t.Errorf("%s: %v\n%s", command, err, out)
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestPlanByKind: offline plans are for the kind of log that is named, or for those of a configuration, with what these say of artifacts.
func TestPlanByKind(t *testing.T) {
	const v1 = "{id: v1, kind: rekor-v1, origin: 'v1.example - 7', url: 'https://v1.example'"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "trusted_root.json"), []byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	var sig signatureFlags
	sig.which = "all"
	sig.signature, sig.keys = "../../formats/minisign/testdata/prehashed.minisig", []string{"../../formats/minisign/testdata/signer.pub"}
	for name, test := range map[string]struct {
		held   heldTo
		logs   string // of a configuration
		chosen string
		why    string // that NATIVE is not possible
	}{
		"by default":     {heldTo{}, "", "ATTESTED", "no entry kind of its own"},
		"Rekor v2":       {heldTo{kind: "rekor-v2"}, "", "ATTESTED", "no entry kind of its own"},
		"Rekor v1":       {heldTo{kind: "rekor-v1"}, "", "NATIVE", ""},
		"configured":     {heldTo{}, v1 + "}", "NATIVE", ""},
		"nothing inline": {heldTo{}, v1 + ", inline_max: 0}", "", "artifacts are not sent to this log"},
		"beside v2":      {heldTo{}, v1 + "}, {id: v2, origin: v2.example, url: 'https://v2.example'}", "", "no entry kind of its own"},
	} {
		if test.logs != "" {
			test.held.config = filepath.Join(dir, "config.yaml")
			if err := os.WriteFile(test.held.config, []byte("trusted_root: trusted_root.json\nlogs: ["+test.logs+"]\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		plan, err := sig.makePlan(t.Context(), connection{}, test.held)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var native *pb.PlanOption
		for _, o := range plan.GetOptions() {
			if o.GetRepresentation().String() == "NATIVE" {
				native = o
			}
		}
		chosen := strings.TrimSuffix(plan.GetChosen().String(), "REPRESENTATION_UNSPECIFIED")
		if chosen != test.chosen || native.GetPossible() != (test.why == "") || !strings.Contains(native.GetProblem().GetMessage(), test.why) {
			t.Errorf("%s: chosen %q, NATIVE %v", name, chosen, native)
		}
	}
	for _, bad := range []heldTo{{kind: "rekor-v3"}, {kind: "rekor-v1", config: "x"}} {
		if _, err := sig.makePlan(t.Context(), connection{}, bad); err == nil || !strings.Contains(err.Error(), "--log-kind") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

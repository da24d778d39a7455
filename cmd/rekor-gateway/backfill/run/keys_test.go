// SPDX-License-Identifier: Apache-2.0

package run

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

func TestLoadKeys(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if out, err := exec.Command("openssl", "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", secret).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for path, want := range map[string]formats.Reason{
		offline("pgp-rsa3072.pub"): "", offline("x509.pub"): "", offline("artifact"): formats.ReasonMalformedKey, secret: formats.ReasonSecretKey, filepath.Join(dir, "none"): fault.ReasonFile,
	} {
		_, err := loadKeys(t.Context(), []string{path})
		if err == nil && want != "" || err != nil && fault.Describe(err).Reason != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

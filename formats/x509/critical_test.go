// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	plugin "github.com/rekor-gateway/rekor-gateway/formats/x509"
)

// A critical extension that is not understood refuses only where the certificate counts for more than its key.
func TestCriticalExtension(t *testing.T) {
	keys, p := [][]byte{file(t, "p256-critical-cert.pem")}, strict(t)
	s, err := plugin.New().Parse(t.Context(), file(t, "p256.sig"), keys, p)
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(s.Describe().Notes, "\n"); !strings.Contains(notes, "critical extension") {
		t.Errorf("notes are %q", notes)
	}
	p.Roots = x509.NewCertPool()
	_, err = plugin.New().Parse(t.Context(), file(t, "p256.sig"), keys, p)
	if formats.ReasonOf(err) != formats.ReasonUnsupportedFeature || !strings.Contains(err.Error(), "1.2.3.4.5") {
		t.Errorf("%v does not name the extension", err)
	}
}

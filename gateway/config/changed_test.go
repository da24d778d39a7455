// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

func TestListChanged(t *testing.T) {
	before, now := config.Default(), config.Default()
	if got := config.ListChanged(&before, &now); len(got) != 0 {
		t.Errorf("of the same: %q", got)
	}
	now.HTTP.TLS.CertFile, now.Limits.MaxPending, now.Logs, now.Contact = "other.crt", 7, []config.Log{{ID: "log"}}, "ops@example.com"
	now.Policies = map[string]config.Policy{"strict": {}}
	want := []string{"http.tls.cert_file", "contact", "logs", "limits.max_pending", "policies"}
	if got := config.ListChanged(&before, &now); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

func TestWaits(t *testing.T) {
	for query, want := range map[string]time.Duration{
		"": DefaultWait, "?wait=": DefaultWait, "?wait=0": 0, "?wait=0s": 0, "?wait=30": 30 * time.Second, "?wait=30s": 30 * time.Second, "?wait=1m": time.Minute, "?wait=60": time.Minute,
		"?wait=250ms": 250 * time.Millisecond,
		"?wait=61":    -1, "?wait=-1": -1, "?wait=2h": -1, "?wait=soon": -1, "?wait=1.5": -1, "?wait=99999999999999999999": -1,
	} {
		got, err := parseWait(httptest.NewRequest(http.MethodPost, "/v1/submissions"+query, nil), DefaultWait)
		if want >= 0 && (err != nil || got != want) || want < 0 && err == nil {
			t.Errorf("%s: %s, %v", query, got, err)
		}
	}
}

// Whoever misspells a parameter is told which one.
func TestUnknownParametersAreNamed(t *testing.T) {
	_, err := parseWait(httptest.NewRequest(http.MethodPost, "/v1/submissions?wiat=0&wait=1", nil), DefaultWait)
	if p := problem.FromError(err); !strings.Contains(p.Message, `"wiat"`) || !strings.Contains(p.Hint, "wait") {
		t.Errorf("%+v", p)
	}
}

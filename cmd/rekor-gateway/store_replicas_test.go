// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestShowReplicas: those that are alive have to agree, and their versions may differ.
func TestShowReplicas(t *testing.T) {
	a := gateway.Replica{ID: "aaaaaaaa-1", Name: "host-a:8080", Version: "1.0.0", Parts: map[string]string{"logs": "1", "policy": "2"}}
	b := gateway.Replica{ID: "bbbbbbbb-2", Name: "host-b:8080", Version: "1.1.0", Parts: map[string]string{"logs": "1", "policy": "2", "new_part": "3"}}
	other := gateway.Replica{ID: "cccccccc-3", Name: "host-c:8080", Version: "1.1.0", Parts: map[string]string{"logs": "9", "policy": "2"}}
	dead := other
	dead.SeenAgo = time.Minute
	for name, test := range map[string]struct {
		replicas []gateway.Replica
		drift    string
		lines    []string
	}{
		"none":    {nil, "", []string{"no gateway is at work"}},
		"agree":   {[]gateway.Replica{a, b}, "", []string{"aaaaaaaa  host-a:8080  1.0.0", "bbbbbbbb  host-b:8080  1.1.0"}},
		"dead":    {[]gateway.Replica{a, dead}, "", []string{"seen 1m0s ago, not seen for a while"}},
		"differs": {[]gateway.Replica{a, other}, "the gateways on this store differ in logs", []string{"  1  logs of aaaaaaaa", "  9  logs of cccccccc"}},
	} {
		var text, raw bytes.Buffer
		err := showReplicas(&globals{}, &text, test.replicas)
		if (err == nil) != (test.drift == "") || err != nil && (err.Error() != test.drift || describeFailure(err).ExitCode != exitNo) {
			t.Errorf("%s: %v", name, err)
		}
		for _, line := range test.lines {
			if !strings.Contains(text.String(), line) {
				t.Errorf("%s: no %q in\n%s", name, line, text.String())
			}
		}
		jsonErr := showReplicas(&globals{output: "json"}, &raw, test.replicas)
		if jsonErr != nil {
			printFailure(&raw, jsonErr)
		}
		var got struct {
			Replicas []replicaResult
			Drift    []driftResult
			Error    *fault.Failure
		}
		if err := json.Unmarshal(raw.Bytes(), &got); err != nil || len(got.Replicas) != len(test.replicas) || (len(got.Drift) > 0) != (test.drift != "") || (got.Error != nil) != (test.drift != "") {
			t.Errorf("%s: %v, %s", name, err, raw.Bytes())
		}
	}
}

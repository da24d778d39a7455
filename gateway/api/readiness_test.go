// SPDX-License-Identifier: Apache-2.0

package api

import (
	"errors"
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

func TestEncodeReadiness(t *testing.T) {
	down := map[string]string{"b": gateway.ProblemForbidden, "a": gateway.ProblemUnavailable}
	for name, test := range map[string]struct {
		err      error
		degraded map[string]string
		drift    []Drift
		status   int
		want     string
	}{
		"ready": {nil, nil, nil, 200, `{"status":"ready","logs":[],"drift":[]}`},
		"degraded": {nil, down, nil, 200, `{"status":"degraded","logs":[{"id":"a","problem":"LOG_UNAVAILABLE","message":"the log cannot be reached"},` +
			`{"id":"b","problem":"LOG_FORBIDDEN","message":"the log does not let the gateway in"}],"drift":[]}`},
		"drift":     {nil, nil, []Drift{{"0123abcd", "logs"}}, 200, `{"status":"degraded","logs":[],"drift":[{"replica":"0123abcd","part":"logs"}]}`},
		"not ready": {errors.New("path /secret"), nil, nil, 503, `{"status":"not ready","logs":[],"drift":[]}`},
		"store": {fmt.Errorf("reading: %w: dial 10.1.2.3", gateway.ErrStoreUnavailable), nil, nil, 503,
			`{"status":"not ready","reason":"STORE_UNAVAILABLE","message":"the gateway's store cannot be read or written now","logs":[],"drift":[]}`},
		"neither": {gateway.ErrFork, map[string]string{"a": gateway.ProblemFork}, nil, 503,
			`{"status":"not ready","reason":"LOG_FORKED","message":"the transparency log contradicts itself; nothing is submitted to it","logs":[{"id":"a","problem":"LOG_FORKED","message":"the log contradicts itself; nothing is submitted to it"}],"drift":[]}`},
	} {
		if status, body := EncodeReadiness(test.err, test.degraded, test.drift); status != test.status || string(body) != test.want {
			t.Errorf("%s: %d %s, want %d %s", name, status, body, test.status, test.want)
		}
	}
}

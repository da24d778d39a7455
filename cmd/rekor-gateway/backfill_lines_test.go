// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Over HTTP many signatures go as one request. What it leaves without an answer is sent again, and a refusal is its line's alone.
func TestBackfillLines(t *testing.T) {
	const n = 60
	const all = -1
	for name, c := range map[string]struct {
		lines  func(request int64, lines int) (answered int, refusal string)
		code   int
		want   summary
		alone  int64
		reason string // of each refused line
	}{
		"together": {func(int64, int) (int, string) { return all, "" }, 0, summary{Handled: n, Logged: n}, 0, ""},
		"broken connections": {func(request int64, lines int) (int, string) {
			if request < 8 {
				return lines / 2, ""
			}
			return all, ""
		}, 0, summary{Handled: n, Logged: n}, 0, ""},
		"refused": {func(int64, int) (int, string) {
			return all, `"status":422,"problem":{"reason":"WEAK_ALGORITHM","detail":"what","hint":"why"}`
		}, exitSome, summary{Handled: n, Refused: n}, 0, "WEAK_ALGORITHM"},
		"busy": {func(request int64, _ int) (int, string) {
			if request < 4 {
				return all, `"status":503,"retryAfter":1,"problem":{"reason":"QUEUE_FULL","detail":"what","hint":"why"}`
			}
			return all, ""
		}, 0, summary{Handled: n, Logged: n}, 0, ""},
		"the gateway stops": {func(request int64, _ int) (int, string) {
			if request < 4 {
				return 1, `"endedAfter":0,"status":503,"retryAfter":1,"problem":{"reason":"SHUTTING_DOWN","detail":"what","hint":"why"}`
			}
			return all, ""
		}, 0, summary{Handled: n, Logged: n}, 0, ""},
		"an older gateway": {nil, 0, summary{Handled: n, Logged: n}, n, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tree := makeTree(t, n)
			var requests, lines atomic.Int64
			g := &standIn{t: t, receipt: offline("x509.receipt.json"), old: c.lines == nil}
			if c.lines != nil {
				g.lines = func(n int) (int, string) {
					lines.Add(int64(n))
					return c.lines(requests.Add(1), n)
				}
			}
			started := time.Now()
			code, out, errs := runBackfill(t.Context(), g.start(), tree)
			got := readSummary(t, out)
			got.Error.Reason, got.Error.Message = "", ""
			if code != c.code || got != c.want || strings.Count(out, `"reason":"`+c.reason+`"`) < c.want.Refused {
				t.Errorf("exit %d, %+v\n%s", code, got, errs)
			}
			if g.alone.Load() != c.alone || c.alone == 0 && requests.Load() >= n || lines.Load() > 20*n {
				t.Errorf("%d lines in %d requests, and %d submissions alone", lines.Load(), requests.Load(), g.alone.Load())
			}
			if took := time.Since(started); took > 30*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
}

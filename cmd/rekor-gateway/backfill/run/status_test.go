// SPDX-License-Identifier: Apache-2.0

package run

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestStatusOfWaiting: what is accepted and has no receipt yet is told, as long as it is waited for: else a run says nothing between two anchors.
func TestStatusOfWaiting(t *testing.T) {
	b := newTestRun(t, offline("trusted_root.json"))
	var out strings.Builder
	b.status = (&Options{JSON: true}).newStatus(&out, output.NewNotes(&out), nil, &b.counts)
	w := &waiters{run: b, room: make(chan struct{}, maxWaiting), ready: make(chan *waiting, maxWaiting)}
	wait := func(want int64) {
		t.Helper()
		out.Reset()
		b.status.show()
		var line statusLine
		if err := json.Unmarshal([]byte(out.String()), &line); err != nil || line.Waiting != want {
			t.Errorf("%d wait, want %d: %v", line.Waiting, want, err)
		}
	}
	later := &pb.Submission{Eta: timestamppb.New(time.Now().Add(time.Hour))}
	one := &waiting{}
	w.add(t.Context(), one, later)
	w.add(t.Context(), &waiting{}, later)
	wait(2)
	w.noteAnswer(one, outcome{}, later)
	wait(2)
	w.noteAnswer(one, outcome{}.in(statePending), nil)
	wait(1)
	if got := describeBar(1); got != "signatures (1 wait for the log)" || describeBar(0) != "signatures" {
		t.Error(got)
	}
}

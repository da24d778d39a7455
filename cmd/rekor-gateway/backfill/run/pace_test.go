// SPDX-License-Identifier: Apache-2.0

package run

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPace(time.Minute)
	p.now = func() time.Time { return now }
	started := now
	now = now.Add(50 * time.Second)
	if !p.mayTryAgain(started, 0) || p.mayTryAgain(started, 20*time.Second) {
		t.Error("within the timeout")
	}
	p.noteAccepted()
	now = now.Add(50 * time.Second)
	if !p.mayTryAgain(started, 0) || !p.mayWait() {
		t.Error("something was accepted since")
	}
	now = now.Add(20 * time.Second)
	if p.mayTryAgain(started, 0) || p.mayWait() {
		t.Error("nothing was for too long")
	}
	p.noteEnded(false)
	p.noteAccepted()
	if p.mayWait() {
		t.Error("the log is waited for by each")
	}
	p.noteEnded(true)
	now = now.Add(time.Hour)
	p.noteAccepted()
	if !p.mayWait() {
		t.Error("there was nothing to wait for in that hour")
	}
}

// TestPaceSaysWhyItEnds: a run that ends early, since the gateway asks for a longer wait, says so, and not that the timeout is over.
func TestPaceSaysWhyItEnds(t *testing.T) {
	now := time.Unix(1000, 0)
	p := newPace(30 * time.Second)
	p.now = func() time.Time { return now }
	started := now
	now = now.Add(8 * time.Second)
	for delay, want := range map[time.Duration]string{
		83 * time.Minute: "giving up: the gateway asks to wait for 1h23m0s, and --timeout is 30s: busy",
		25 * time.Second: "nothing was accepted for 8s, the gateway asks to wait for 25s more, and --timeout is 30s: busy",
	} {
		if err := p.explainEnd(started, delay, errors.New("busy")); p.mayTryAgain(started, delay) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("after %v: %v", delay, err)
		}
	}
	now = now.Add(22 * time.Second)
	if err := p.explainEnd(started, 0, errors.New("busy")); err.Error() != "giving up after 30s in which nothing was accepted: busy" {
		t.Error(err)
	}
}

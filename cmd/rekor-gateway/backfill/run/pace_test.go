// SPDX-License-Identifier: Apache-2.0

package run

import (
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

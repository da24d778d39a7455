// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"testing"
	"time"
)

// send returns how long a client lasts that sends n bytes every so often, up to total bytes.
func (p Pace) send(n int, every time.Duration, total int64) (lasted time.Duration, whole bool) {
	m := newMeter(p)
	for sent := int64(0); sent < total; sent += int64(n) {
		if every > m.patience() {
			return lasted + m.patience(), false
		}
		m.noteRead(n, every)
		lasted += every
	}
	return lasted, true
}

func TestPace(t *testing.T) {
	p := Pace{Idle: time.Minute, MinRate: 16 << 10}
	for name, c := range map[string]struct {
		n     int
		every time.Duration
		total int64
		whole bool
	}{
		"1 GiB at 1 MB/s":        {1 << 20, time.Second, 1 << 30, true},
		"1 GiB in large steps":   {50 << 20, 50 * time.Second, 1 << 30, true},
		"at the least rate":      {16 << 10, time.Second, 64 << 20, true},
		"a small form, slowly":   {1 << 10, 5 * time.Second, 8 << 10, true},
		"a byte every 50 s":      {1, 50 * time.Second, 1000, false},
		"half of the least rate": {8 << 10, time.Second, 64 << 20, false},
		"silence":                {1 << 20, 2 * time.Minute, 2 << 20, false},
	} {
		lasted, whole := p.send(c.n, c.every, c.total)
		if whole != c.whole || !whole && lasted > 3*time.Minute {
			t.Errorf("%s: whole %v after %s", name, whole, lasted)
		}
	}
}

// A fast start earns no right to be slow for hours.
func TestPaceForgetsTheStart(t *testing.T) {
	m := newMeter(Pace{Idle: time.Minute, MinRate: 1 << 10})
	m.noteRead(1<<30, time.Second)
	if m.patience() != time.Minute {
		t.Errorf("after 1 GiB: %s", m.patience())
	}
	if m.noteRead(1, 50*time.Second); m.patience() > 11*time.Second {
		t.Errorf("after 50 s more: %s", m.patience())
	}
	if idle := newMeter(Pace{}); idle.patience() != IdleTimeout {
		t.Errorf("by default %s", idle.patience())
	}
}

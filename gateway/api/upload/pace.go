// SPDX-License-Identifier: Apache-2.0

package upload

import "time"

// Pace is how fast a client has to send. Only the time that the gateway waits for it counts.
type Pace struct {
	// Idle bounds the time between two reads; 0 is IdleTimeout.
	Idle time.Duration
	// MinRate is how many bytes have to come a second, over any time longer than Idle; 0: any number.
	MinRate int64
}

// idle returns Idle, or its default.
func (p Pace) idle() time.Duration {
	if p.Idle == 0 {
		return IdleTimeout
	}
	return p.Idle
}

// timeFor returns how long a client may take for an answer of so many bytes.
func (p Pace) timeFor(size int64) time.Duration {
	if p.MinRate == 0 {
		return p.idle()
	}
	return p.idle() + time.Duration(float64(size)/float64(p.MinRate)*float64(time.Second))
}

// meter follows one client.
type meter struct {
	pace   Pace
	credit time.Duration // how long it may still be waited for; what comes adds to it
}

func newMeter(p Pace) meter { return meter{pace: p, credit: p.idle()} }

// patience returns how long the next read may take.
func (m *meter) patience() time.Duration {
	if m.pace.MinRate == 0 {
		return m.pace.idle()
	}
	return m.credit
}

// noteRead takes note of a read that took d and brought n bytes. Nobody gathers more credit than Idle:
// who was fast for an hour may not be slow for the next.
func (m *meter) noteRead(n int, d time.Duration) {
	if m.pace.MinRate == 0 {
		return
	}
	earned := time.Duration(float64(n) / float64(m.pace.MinRate) * float64(time.Second))
	m.credit = min(m.pace.idle(), max(0, m.credit-d)+earned)
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import "sync"

// hub wakes those in this process who wait for a submission to change. It is only a
// shortcut: waiters also look at the store now and then, since another process may have
// made the change.
type hub struct {
	mu      sync.Mutex
	waiters map[string]map[chan struct{}]struct{}
}

func newHub() *hub { return &hub{waiters: map[string]map[chan struct{}]struct{}{}} }

// subscribe returns a channel that gets a value after each notify(id), and what ends that.
func (h *hub) subscribe(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiters[id] == nil {
		h.waiters[id] = map[chan struct{}]struct{}{}
	}
	h.waiters[id][ch] = struct{}{}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiters[id], ch)
		if len(h.waiters[id]) == 0 {
			delete(h.waiters, id)
		}
	}
}

func (h *hub) notify(ids []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		for ch := range h.waiters[id] {
			select {
			case ch <- struct{}{}:
			default: // a wake-up is waiting already
			}
		}
	}
}

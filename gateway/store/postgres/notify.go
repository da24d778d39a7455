// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// channel is the one of LISTEN and NOTIFY, which a whole database has in common.
const channel = "rekor_gateway"

const (
	// tellPause is the least time between two notifications, so that each says much: a notification takes a lock that
	// the whole server has in common.
	tellPause = 20 * time.Millisecond
	// tellTimeout bounds one. What it would have said the others find out by themselves.
	tellTimeout = 5 * time.Second
	// maxTold bounds what waits for the next one; more is told as Missed.
	maxTold = 16_384
	// maxPayload is PostgreSQL's bound on the bytes of one.
	maxPayload = 7999
	// idsPerPayload leaves room for the head and the names of some logs.
	idsPerPayload = 340
)

// notifyAll notifies in one transaction, which nobody waits for to be durable.
const notifyAll = `
WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
SELECT pg_notify($1, payload) FROM quick, unnest($2::text[]) AS payload`

// teller tells the other processes on a store what this one has changed.
type teller struct {
	store *Store
	self  string // names this process in what it tells

	mu      sync.Mutex // guards what follows
	logs    map[string]struct{}
	changed map[string]struct{}
	missed  bool
	telling bool // a notification is due or under way
	toldAt  time.Time
	idle    *sync.Cond // signals that telling is false; of mu
}

func newTeller(s *Store) *teller {
	t := &teller{store: s, self: uuid.NewString()[:8], logs: map[string]struct{}{}, changed: map[string]struct{}{}}
	t.idle = sync.NewCond(&t.mu)
	return t
}

// Tell implements gateway.Signals.
func (s *Store) Tell(signal gateway.Signal) {
	t := s.teller
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range signal.Logs {
		t.logs[id] = struct{}{}
	}
	for _, id := range signal.Changed {
		t.changed[id] = struct{}{}
	}
	t.missed = t.missed || signal.Missed
	if len(t.changed) > maxTold || len(t.logs) > maxTold {
		clear(t.changed)
		clear(t.logs)
		t.missed = true
	}
	if !t.telling && t.hasNewsLocked() {
		t.telling = true
		time.AfterFunc(max(0, tellPause-time.Since(t.toldAt)), t.tellOthers)
	}
}

func (t *teller) hasNewsLocked() bool { return t.missed || len(t.changed)+len(t.logs) > 0 }

// tellOthers notifies of all that waits, and again later of what came meanwhile.
func (t *teller) tellOthers() {
	t.mu.Lock()
	payloads := encodeSignal(t.self, slices.Collect(maps.Keys(t.logs)), slices.Collect(maps.Keys(t.changed)), t.missed)
	clear(t.logs)
	clear(t.changed)
	t.missed = false
	t.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), tellTimeout)
	_, err := t.store.pool.Exec(ctx, notifyAll, channel, payloads)
	cancel()
	if err != nil {
		t.store.opts.Logger.Debug("notifying the other gateways", "error", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.toldAt = time.Now()
	if t.telling = t.hasNewsLocked(); t.telling {
		time.AfterFunc(tellPause, t.tellOthers)
	}
	t.missed = t.missed || err != nil // is told with what is news next
	if !t.telling {
		t.idle.Broadcast()
	}
}

// waitUntilTold returns once there is nothing to tell any more.
func (t *teller) waitUntilTold() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.telling {
		t.idle.Wait()
	}
}

// payloadVersion is the first word of a payload. What is said after another one, by a later release, is Missed.
const payloadVersion = "1"

// encodeSignal returns payloads of five words: the version, who says so, whether something is missed, the IDs of submissions,
// 22 letters each, and a JSON array of the IDs of logs.
func encodeSignal(self string, logs, changed []string, missed bool) []string {
	names, err := json.Marshal(logs)
	if err != nil || len(names) > maxPayload-idsPerPayload*22-32 || len(logs) == 0 {
		missed = missed || len(logs) > 0
		names = []byte("[]")
	}
	var ids []string
	for _, id := range changed {
		u, err := uuid.Parse(id)
		if err != nil {
			missed = true
			continue
		}
		ids = append(ids, base64.RawURLEncoding.EncodeToString(u[:]))
	}
	flag := "-"
	if missed {
		flag = "missed"
	}
	var payloads []string
	for first := true; first || len(ids) > 0; first = false {
		n := min(len(ids), idsPerPayload)
		payloads = append(payloads, fmt.Sprintf("%s %s %s %s %s", payloadVersion, self, flag, "."+strings.Join(ids[:n], ""), names))
		ids, names, flag = ids[n:], []byte("[]"), "-"
	}
	return payloads
}

// decodeSignal reads a payload. It is not ok where this process has said it.
func decodeSignal(self, payload string) (s gateway.Signal, ok bool) {
	missed := gateway.Signal{Missed: true}
	words := strings.SplitN(payload, " ", 5)
	if len(words) != 5 || words[0] != payloadVersion {
		return missed, true
	}
	if words[1] == self {
		return s, false
	}
	s.Missed = words[2] != "-"
	for ids := strings.TrimPrefix(words[3], "."); ids != ""; ids = ids[22:] {
		var u uuid.UUID
		if len(ids) < 22 {
			return missed, true
		}
		if n, err := base64.RawURLEncoding.Decode(u[:], []byte(ids[:22])); err != nil || n != len(u) {
			return missed, true
		}
		s.Changed = append(s.Changed, u.String())
	}
	if err := json.Unmarshal([]byte(words[4]), &s.Logs); err != nil {
		return missed, true
	}
	return s, true
}

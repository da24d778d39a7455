// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"encoding/json"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// rowIDs caches the ids of committed rows of a table whose rows keep their names and are never
// removed: tenant, log or shard. It holds one id for each of them.
type rowIDs[K comparable] struct {
	insert, find string // both by args
	args         func(K) []any

	mu   sync.Mutex // guards what follows
	ids  map[K]int64
	life string // of the database in which they are ids: another copy of it may give the same to another name
}

func newRowIDs[K comparable](insert, find string, args func(K) []any) *rowIDs[K] {
	return &rowIDs[K]{insert: insert, find: find, args: args}
}

func newTenantIDs() *rowIDs[string] {
	return newRowIDs(`INSERT INTO tenant (name) VALUES ($1) ON CONFLICT DO NOTHING`,
		`SELECT id FROM tenant WHERE name = $1`, func(name string) []any { return []any{name} })
}

func newLogIDs() *rowIDs[string] {
	return newRowIDs(insertLog, `SELECT id FROM log WHERE name = $1`, func(name string) []any { return []any{name} })
}

func newShardIDs() *rowIDs[gateway.Shard] {
	return newRowIDs(`INSERT INTO shard (origin, key_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		`SELECT id FROM shard WHERE origin = $1 AND key_id = $2`,
		func(s gateway.Shard) []any { return []any{s.Origin, s.KeyID[:]} })
}

func newTakeoverIDs() *rowIDs[string] {
	return newRowIDs(`INSERT INTO takeover (logs) VALUES ($1) ON CONFLICT DO NOTHING`,
		`SELECT id FROM takeover WHERE logs = $1`, func(logs string) []any { return []any{logs} })
}

// resolveTakeover returns the row of a list of logs, nil of none.
func (s *Store) resolveTakeover(t *tx, logs []string) (*int64, error) {
	if len(logs) == 0 {
		return nil, nil
	}
	encoded, err := json.Marshal(logs)
	if err != nil {
		return nil, err
	}
	id, err := s.takeovers.idOf(t, string(encoded))
	return &id, err
}

// idOf returns the id of k's row, which it makes when there is none. A row that this transaction
// made, or found, is remembered once the transaction is committed. Several that are new are asked for in the order
// of their names, or two transactions may wait for each other's.
func (r *rowIDs[K]) idOf(t *tx, k K) (int64, error) {
	if id, ok := r.lookUp(t.life, k); ok {
		return id, nil
	}
	var id int64
	if _, err := t.exec(r.insert, r.args(k)...); err != nil {
		return 0, err
	}
	if err := t.scanRow(r.find, r.args(k), &id); err != nil {
		return 0, err
	}
	t.committed = append(t.committed, func() { r.note(t.life, k, id) })
	return id, nil
}

func (r *rowIDs[K]) lookUp(life string, k K) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life != life {
		return 0, false
	}
	id, ok := r.ids[k]
	return id, ok
}

// note remembers an id, and forgets those of another life.
func (r *rowIDs[K]) note(life string, k K, id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.life != life || r.ids == nil {
		r.life, r.ids = life, make(map[K]int64)
	}
	r.ids[k] = id
}

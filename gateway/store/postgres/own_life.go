// SPDX-License-Identifier: Apache-2.0

package postgres

import "sync"

// mistrusted are own logs that may be older than what is anchored, since this process has just begun to use them, or since Sequence has said
// so, and in which life of the database. They are looked at before DoubtPending is called: should the database be another one again by
// then, what was looked at was not it.
type mistrusted struct {
	mu    sync.Mutex // guards lives
	lives map[string]string
}

func (m *mistrusted) note(log, life string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lives == nil {
		m.lives = make(map[string]string)
	}
	m.lives[log] = life
}

func (m *mistrusted) is(log, life string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lives[log] == life
}

// trustOwn has indexes of an own log, by its row, given in this life of the database, if it is the one in which they were last mistrusted.
func (t *tx) trustOwn(name string, log int64) error {
	if !t.store.mistrusted.is(name, t.life) {
		return nil
	}
	_, err := t.exec(markLog, log)
	return err
}

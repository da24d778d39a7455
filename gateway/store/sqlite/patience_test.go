// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestPatience: writes that wait for another process's transaction fail together, when their patience
// ends, and not one after the other; the store's failure is not mistaken for the caller's.
func TestPatience(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := open(t, path, Options{}), open(t, path, Options{Patience: time.Second})
	held, err := a.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	var waiting sync.WaitGroup
	for i := range 5 {
		waiting.Go(func() {
			if _, err := b.Enqueue(t.Context(), batches(1)[0][i:i+1]); !errors.Is(err, errLocked) {
				t.Errorf("enqueuing while locked: %v", err)
			}
		})
	}
	waiting.Wait()
	if took := time.Since(started); took > 4*time.Second {
		t.Errorf("five writes waited %v, each for at most 1s", took)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enqueue(t.Context(), batches(1)[0]); err != nil {
		t.Errorf("once the lock is free: %v", err)
	}
}

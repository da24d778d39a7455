// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// open opens a store at path, or at a fresh one, and closes it when the test ends.
func open(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "store.db")
	}
	s, err := Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, maxPending int) (gateway.Store, func() gateway.Store) {
		path := filepath.Join(t.TempDir(), "store.db")
		s := open(t, path, Options{MaxPending: maxPending})
		return s, func() gateway.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, path, Options{MaxPending: maxPending})
			return s
		}
	})
}

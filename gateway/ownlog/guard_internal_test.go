// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"errors"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// lifeStore goes on in another way where it is told to, and counts how often it was told how far logs were looked through.
type lifeStore struct {
	Store
	another bool
	kept    int
}

func (s *lifeStore) Sequence(context.Context, string, int, gateway.GrowTree) (gateway.OwnLog, int, error) {
	if s.another {
		return gateway.OwnLog{}, 0, gateway.ErrDoubtFirst
	}
	return gateway.OwnLog{}, 0, nil
}

func (s *lifeStore) KeepLooks(context.Context, string, []gateway.OwnLook) error {
	s.kept++
	return nil
}

// TestLookOfAnotherLife: what was looked through while the store was another one is not noted.
func TestLookOfAnotherLife(t *testing.T) {
	t.Parallel()
	store := &lifeStore{}
	g := &guard{id: "own", store: store}
	life := g.readLife()
	if _, _, err := g.askStore(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := g.keepLooks(t.Context(), life, nil); err != nil || store.kept != 1 {
		t.Errorf("%v, noted %d times", err, store.kept)
	}
	store.another = true
	_, _, _ = g.askStore(t.Context(), 1)
	if err := g.keepLooks(t.Context(), life, nil); !errors.Is(err, gateway.ErrDoubtFirst) || store.kept != 1 {
		t.Errorf("%v, noted %d times", err, store.kept)
	}
	if err := g.keepLooks(t.Context(), g.readLife(), nil); err != nil || store.kept != 2 {
		t.Errorf("%v, noted %d times", err, store.kept)
	}
}

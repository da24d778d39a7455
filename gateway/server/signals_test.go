// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"reflect"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// anchoredStore logs one submission of an own log, which waits for another log still.
type anchoredStore struct {
	Store
	told []gateway.Signal
}

func (*anchoredStore) LogAnchored(context.Context, string, int) ([]gateway.Progress, error) {
	return []gateway.Progress{{ID: "one", Entries: []gateway.EntryProgress{{Log: "own", State: gateway.Logged}, {Log: "other", State: gateway.Pending}}}}, nil
}

func (s *anchoredStore) Tell(signal gateway.Signal) { s.told = append(s.told, signal) }

func (*anchoredStore) Hear(context.Context, func(gateway.Signal)) {}

// TestLoggedByAnchorIsTold: what an anchor has logged the other processes are told of.
func TestLoggedByAnchorIsTold(t *testing.T) {
	s := new(anchoredStore)
	if changed, err := withSignals(s).LogAnchored(t.Context(), "own", 9); err != nil || len(changed) != 1 {
		t.Errorf("changed %+v, %v", changed, err)
	}
	if want := []gateway.Signal{{Changed: []string{"one"}, Logs: []string{"other"}}}; !reflect.DeepEqual(s.told, want) {
		t.Errorf("told %+v, want %+v", s.told, want)
	}
}

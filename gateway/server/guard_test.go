// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// fatalLog answers what nobody thought of.
type fatalLog struct{ gateway.Log }

func (fatalLog) TreeOf(context.Context, gateway.Shard) (gateway.Shard, error) { panic("tree") }
func (fatalLog) Size(context.Context, gateway.Shard) (uint64, error)          { panic("size") }
func (fatalLog) Add(context.Context, gateway.Shard, gateway.Prepared) (*gateway.Inclusion, error) {
	panic("add")
}
func (fatalLog) Find(context.Context, gateway.Shard, []gateway.LeafHash, uint64, uint64) (gateway.Found, error) {
	panic("find")
}

func TestPanicOverALogsAnswer(t *testing.T) {
	counted := 0
	reporter := panics.NewReporter(slog.New(slog.DiscardHandler), func(string) { counted++ })
	l := guardedLog{fatalLog{gatewaytest.NewLog()}, reporter}
	_, tree := l.TreeOf(t.Context(), gateway.Shard{})
	_, size := l.Size(t.Context(), gateway.Shard{})
	inclusion, add := l.Add(t.Context(), gateway.Shard{}, gateway.Prepared{})
	_, find := l.Find(t.Context(), gateway.Shard{}, nil, 0, 1)
	for _, err := range []error{tree, size, add, find} {
		if !errors.Is(err, panics.Err) {
			t.Error(err)
		}
	}
	if inclusion != nil || counted != 4 {
		t.Errorf("inclusion %v, %d counted", inclusion, counted)
	}
}

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

func (fatalLog) Size(context.Context) (uint64, error) { panic("size") }
func (fatalLog) Add(context.Context, gateway.Prepared) (*gateway.Inclusion, error) {
	panic("add")
}
func (fatalLog) Find(context.Context, []gateway.LeafHash, uint64, uint64) (gateway.Found, error) {
	panic("find")
}

func TestPanicOverALogsAnswer(t *testing.T) {
	counted := 0
	reporter := panics.NewReporter(slog.New(slog.DiscardHandler), func(string) { counted++ })
	l := guardedLog{fatalLog{gatewaytest.NewLog()}, reporter}
	_, size := l.Size(t.Context())
	inclusion, add := l.Add(t.Context(), gateway.Prepared{})
	_, find := l.Find(t.Context(), nil, 0, 1)
	for _, err := range []error{size, add, find} {
		if !errors.Is(err, panics.Err) {
			t.Error(err)
		}
	}
	if inclusion != nil || counted != 3 {
		t.Errorf("inclusion %v, %d counted", inclusion, counted)
	}
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// ownReaders show all own logs that the store has: former ones, and those of other gateways on the store, as well as the one that is
// configured. It is safe for concurrent use.
type ownReaders struct {
	store gateway.Store

	mu      sync.Mutex                // guards readers
	readers map[string]*ownlog.Reader // by ID; no more than the store has logs
}

// newOwnReaders returns the readers of a store. The configured log, unless it is nil, is read by itself: it knows its witnesses.
func newOwnReaders(store gateway.Store, own *ownLog) *ownReaders {
	o := &ownReaders{store: store, readers: map[string]*ownlog.Reader{}}
	if own != nil {
		o.readers[own.id] = own.Reader
	}
	return o
}

// find returns the reader of an own log. The error is gateway.ErrNotFound where the store has none.
func (o *ownReaders) find(ctx context.Context, id string) (*ownlog.Reader, error) {
	o.mu.Lock()
	r := o.readers[id]
	o.mu.Unlock()
	if r != nil {
		return r, nil
	}
	if _, err := o.store.OwnLog(ctx, id); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r = o.readers[id]; r == nil {
		r = ownlog.NewReader(o.store, id)
		o.readers[id] = r
	}
	return r, nil
}

// ProveRecord implements lookup.OwnProver.
func (o *ownReaders) ProveRecord(ctx context.Context, log string, index uint64) (*receiptpb.OwnRecord, error) {
	r, err := o.find(ctx, log)
	if err != nil {
		return nil, err
	}
	return r.ProveRecord(ctx, index)
}

// serve returns an own log as the API has it.
func (o *ownReaders) serve(ctx context.Context, tree string) (api.OwnLog, error) {
	r, err := o.find(ctx, tree)
	if err != nil {
		return nil, err // and no interface that holds a nil
	}
	return r, nil
}

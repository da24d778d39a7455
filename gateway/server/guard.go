// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
)

// guardedLog keeps what a log answers from ending the process: a panic over it is an error like any other,
// so that an entry under way is in doubt.
type guardedLog struct {
	gateway.Log
	panics *panics.Reporter
}

const inLog = "log"

// recoverCall is deferred by every call. It asks for the log's name only where that is told.
func (l guardedLog) recoverCall(err *error) {
	if p := recover(); p != nil {
		l.panics.Report(p, inLog, "log", l.Describe().ID)
		*err = panics.Err
	}
}

// TreeOf implements gateway.Log.
func (l guardedLog) TreeOf(ctx context.Context, shard gateway.Shard) (_ gateway.Shard, err error) {
	defer l.recoverCall(&err)
	return l.Log.TreeOf(ctx, shard)
}

// Size implements gateway.Log.
func (l guardedLog) Size(ctx context.Context, shard gateway.Shard) (size uint64, err error) {
	defer l.recoverCall(&err)
	return l.Log.Size(ctx, shard)
}

// Add implements gateway.Log.
func (l guardedLog) Add(ctx context.Context, shard gateway.Shard, p gateway.Prepared) (_ *gateway.Inclusion, err error) {
	defer l.recoverCall(&err)
	return l.Log.Add(ctx, shard, p)
}

// Find implements gateway.Log.
func (l guardedLog) Find(ctx context.Context, shard gateway.Shard, leaves []gateway.LeafHash, from, to uint64) (_ gateway.Found, err error) {
	defer l.recoverCall(&err)
	return l.Log.Find(ctx, shard, leaves, from, to)
}

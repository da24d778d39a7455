// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Accepts implements gateway.Log.
func (l *Log) Accepts(o gateway.Offer) error { return recording.Accepts(hashedrekord.RekorV2, o) }

// Acceptor says what Rekor v2 takes, without a log: for planning offline.
type Acceptor struct{}

// Accepts reports whether a Rekor v2 log takes o; see gateway.Log.
func (Acceptor) Accepts(o gateway.Offer) error { return recording.Accepts(hashedrekord.RekorV2, o) }

// Prepare implements gateway.Log. A body within hashedrekord.MaxBody makes a request far below the server's limit of 4 MiB.
func (l *Log) Prepare(o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	return recording.Prepare(l.id, hashedrekord.RekorV2, o)
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Attester signs statements that this gateway verified something. It is safe for concurrent use.
type Attester interface {
	// Attest states what receipt says of signature, signers and artifact, signs that, and
	// returns the receipt's log entry (with the DSSE envelope) and what is to be logged.
	Attest(ctx context.Context, receipt *receiptpb.Receipt) (*receiptpb.LogEntry, hashedrekord.Record, error)
}

// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"

	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Attester signs statements that this gateway verified something. It is safe for concurrent use.
type Attester interface {
	// Attest states what receipt says of its one signature, the signers and the artifact, and signs that.
	Attest(ctx context.Context, receipt *receiptpb.Receipt) (SignedStatement, error)
}

// Prober is an Attester that also signs statements which say nothing, to see whether a log takes entries.
type Prober interface {
	// Probe returns a new one. Its predicate type is its own, and it is nobody's receipt.
	Probe(ctx context.Context) (SignedStatement, error)
}

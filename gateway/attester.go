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

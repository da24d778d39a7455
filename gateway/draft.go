// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Draft is a request that was parsed and planned, and waits for its artifact: nothing of it is refused any
// more for what it says by itself. It is submitted once.
type Draft interface {
	// Plan returns how the draft will be recorded.
	Plan() Plan
	// Submit verifies the draft over artifact (the request's digest, if there is one, stands in
	// for it) and stores it. When it returns nil, the submission is durable. Existing is set when
	// the same tenant had submitted the same before.
	Submit(ctx context.Context, artifact formats.Artifact) (Submission, error)
}

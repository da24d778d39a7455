// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// What one SweepBlobs removes at most: no transaction holds up others for long.
const (
	BlobsPerSweep = 256
	PartsPerSweep = 64
)

// CheckPart refuses what is no part of a blob.
func CheckPart(part int, data []byte) error {
	if part < 0 || part > 1<<30 || len(data) == 0 || len(data) > gateway.BlobPart {
		return fmt.Errorf("%w: no blob has a part %d of %d bytes", gateway.ErrBlobGone, part, len(data))
	}
	return nil
}

// WeighBlobs returns the bytes of all artifacts that a submission's entries are sent with, each counted once.
func WeighBlobs(s *gateway.NewSubmission) (bytes int64) {
	seen := map[gateway.BlobID]bool{}
	for _, n := range s.Entries {
		if n.Blob != nil && !seen[n.Blob.ID] {
			seen[n.Blob.ID] = true
			bytes += n.Blob.Size
		}
	}
	return bytes
}

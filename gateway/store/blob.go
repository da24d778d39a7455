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

// FitsBlob reports whether the next part of an open blob may be stored: of so many bytes, where what is enqueued takes pending bytes of limit,
// and all that is open takes open, this blob's parts before included. Open ones together may take half as much as what is enqueued, and one of
// them no more than it leaves: many that are large, or whose senders dawdle, leave room for a small one.
func FitsBlob(limit, pending, open int64, part int, bytes int64) bool {
	before := int64(part) * gateway.BlobPart
	size, others := before+bytes, open-before
	return size <= limit-pending && size <= limit/2-others-size
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

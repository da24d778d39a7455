// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"context"
	"fmt"
)

// ContinuesTree reports whether the log's tree is the one that former keeps a checkpoint of, under another key:
// the checkpoint of now is proven to extend that one. An empty tree, or a larger one that is not shown yet, proves nothing.
// Errors are CurrentCheckpoint's.
func (c *Checkpoints) ContinuesTree(ctx context.Context, former *Checkpoints) (bool, error) {
	if err := former.Guard(ctx); err != nil {
		return false, err
	}
	kept, err := former.readKept(ctx)
	if err != nil || !kept.ours || kept.Size == 0 {
		return false, err
	}
	cp, err := c.CurrentCheckpoint(ctx)
	switch {
	case err != nil || cp.Size < kept.Size:
		return false, err
	case cp.Size == kept.Size:
		return cp.Root == kept.Root, nil
	}
	root, _, err := c.cfg.Reader.ProvePrefix(ctx, kept.Checkpoint, cp)
	if err != nil {
		return false, fmt.Errorf("comparing with the former key's tree of size %d: %w", kept.Size, err)
	}
	return root == kept.Root, nil
}

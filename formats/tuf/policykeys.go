// SPDX-License-Identifier: Apache-2.0

package tuf

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var _ formats.KeyChecker = format{}

// CheckKeys implements formats.KeyChecker. It takes files one by one: that roots follow from each other shows when a
// submission needs them.
func (format) CheckKeys(ctx context.Context, file []byte) error {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return err
	}
	m = m.Unlimited()
	t := &trust{}
	if err := t.addFile(m, file); err != nil {
		return formats.NewFileFault(file, 0, err)
	}
	for _, root := range t.roots {
		if err := checkRoot(m, root); err != nil {
			return formats.NewFileFault(file, 0, err)
		}
	}
	return nil
}

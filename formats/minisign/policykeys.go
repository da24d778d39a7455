// SPDX-License-Identifier: Apache-2.0

package minisign

import (
	"bytes"
	"context"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var _ formats.KeyChecker = format{}

// CheckKeys implements formats.KeyChecker.
func (format) CheckKeys(ctx context.Context, file []byte) error {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return err
	}
	if err := formats.CheckSecret(m.Unlimited(), "as a key", file); err != nil {
		return formats.NewFileFault(file, 0, err)
	}
	_, err = parseKey(file)
	return formats.NewFileFault(file, findKeyLine(file), err)
}

// findKeyLine returns where the line after the comment begins, or 0.
func findKeyLine(file []byte) int {
	if end := bytes.IndexByte(file, '\n'); end >= 0 && end+1 < len(file) && bytes.HasPrefix(file, []byte(commentPrefix)) {
		return end + 1
	}
	return 0
}

// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"bytes"
	"context"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var _ formats.KeyChecker = format{}

// CheckKeys implements formats.KeyChecker. A key of a type that cannot be used is a fault here, since the operator
// thinks that it can.
func (format) CheckKeys(ctx context.Context, file []byte) error {
	found, offset := 0, 0
	for line := range bytes.Lines(file) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if trimmed := bytes.Trim(line, " \t\r\n"); len(trimmed) > 0 && trimmed[0] != '#' {
			if _, err := parseEntry(trimmed); err != nil {
				return formats.NewFileFault(file, offset, err)
			}
			found++
		}
		if found > maxEntries {
			return formats.NewFileFault(file, offset, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("there are more than %d keys", maxEntries), ""))
		}
		offset += len(line)
	}
	if found == 0 {
		return formats.NewFileFault(file, 0, formats.NewError(formats.ReasonMissingKey, "there is no public key", ""))
	}
	return nil
}

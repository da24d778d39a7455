// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/input"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
)

// readKeyFiles reads key files. Of one that is larger than formats take it only what serves signature is returned: the keys
// that it names, and those that these rest on.
func readKeyFiles(ctx context.Context, paths []string, format string, signature []byte) ([][]byte, error) {
	var keys [][]byte
	for _, path := range paths {
		raw, err := input.ReadFile(path, input.MaxKeyring)
		if err != nil {
			return nil, err
		}
		if len(raw) <= formats.MaxKeySize {
			keys = append(keys, raw)
			continue
		}
		selected, err := all.Formats().SelectKeys(ctx, format, signature, raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		keys = append(keys, selected)
	}
	return keys, nil
}

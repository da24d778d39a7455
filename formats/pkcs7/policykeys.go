// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

var _ formats.KeyChecker = format{}

// CheckKeys implements formats.KeyChecker.
func (format) CheckKeys(ctx context.Context, file []byte) error {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return err
	}
	return keyfile.CheckFile(m.Unlimited(), file)
}

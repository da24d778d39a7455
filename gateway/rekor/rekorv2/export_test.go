// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
)

// PrepareRecord lets tests offer records that no projection is.
func (l *Log) PrepareRecord(r hashedrekord.Record) (gateway.Prepared, error) {
	return recording.PrepareRecord(l.id, hashedrekord.RekorV2, r, formats.Projection{})
}

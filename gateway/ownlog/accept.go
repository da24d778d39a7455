// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
)

// Acceptor says what an own log takes, without one: for planning offline.
type Acceptor struct{}

// Accepts reports whether an own log takes o; see gateway.Recorder.
func (Acceptor) Accepts(o gateway.Offer) error { return recording.Accepts(hashedrekord.Own, o) }

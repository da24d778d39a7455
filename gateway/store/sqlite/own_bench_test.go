// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

func BenchmarkOwn(b *testing.B) {
	storetest.BenchmarkOwn(b, func(b *testing.B) gateway.Store { return open(b, "", Options{}) })
}

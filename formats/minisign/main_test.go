// SPDX-License-Identifier: Apache-2.0

package minisign_test

import (
	"os"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
)

func TestMain(m *testing.M) { os.Exit(formatstest.RunRemembering(m)) }

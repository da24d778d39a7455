// SPDX-License-Identifier: Apache-2.0

package run

import (
	"fmt"
	"os"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/formats"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
)

func TestIsForNow(t *testing.T) {
	for _, c := range []struct {
		err    error
		now    bool
		forAll bool
	}{
		{&client.Error{Reason: "QUEUE_FULL", Temporary: true}, true, false},
		{&client.Error{Reason: "UNAUTHENTICATED"}, true, false},
		{&client.Error{Reason: "INTERNAL"}, true, false},
		{fmt.Errorf("x: %w", client.ErrConnection), true, false},
		{gatewayclient.ErrSilent, true, false},
		{&client.TokenError{Err: os.ErrNotExist}, true, false},
		{&client.Error{Reason: "WEAK_ALGORITHM"}, false, false},
		{&client.Error{Reason: "FORBIDDEN"}, false, true},
		{&client.Error{Message: "404"}, false, true},
		{client.ErrUnreadable, false, true},
		{formats.NewError(fault.ReasonFileChanged, "", ""), false, false},
	} {
		if isForNow(c.err) != c.now || isForAll(c.err) != c.forAll {
			t.Errorf("%v: for now %v, for all %v", c.err, isForNow(c.err), isForAll(c.err))
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"errors"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// The hint of a refusal names --at where another time may judge otherwise, and is the format's own where
// the key is not valid for another reason.
func TestHintOf(t *testing.T) {
	const own = "send the authority's key"
	for _, test := range []struct {
		reason formats.Reason
		want   string
	}{
		{formats.ReasonKeyExpired, "with --at TIME"},
		{formats.ReasonSignatureExpired, "with --at TIME"},
		{formats.ReasonMetadataExpired, "with --at TIME"},
		{formats.ReasonSignatureInFuture, "the time of --at"},
		{formats.ReasonKeyRevoked, "--at is no help"},
		{formats.ReasonKeyNotValid, own},
		{formats.ReasonWeakAlgorithm, own},
	} {
		err := signatureError(formats.NewError(test.reason, "message", own))
		var refusal *formats.Error
		if !errors.As(err, &refusal) || !strings.Contains(refusal.Hint, test.want) {
			t.Errorf("%s: the hint of %+v has no %q in it", test.reason, refusal, test.want)
		}
	}
}

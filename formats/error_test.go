// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func TestErrors(t *testing.T) {
	plain := formats.NewError(formats.ReasonMalformedKey, "the key is cut short", "send all of it")
	caused := formats.WrapError(io.ErrUnexpectedEOF, formats.ReasonMalformedKey, "the key is cut short", "")
	wrapped := fmt.Errorf("reading: %w", caused)
	nested := formats.WrapError(plain, formats.ReasonWrongFormat, "another format", "")

	if got := plain.Error(); got != "MALFORMED_KEY: the key is cut short" {
		t.Error(got)
	}
	for name, c := range map[string]struct {
		err    error
		reason formats.Reason
		eof    bool
	}{
		"plain": {plain, formats.ReasonMalformedKey, false}, "caused": {caused, formats.ReasonMalformedKey, true},
		"wrapped": {wrapped, formats.ReasonMalformedKey, true}, "nested": {nested, formats.ReasonWrongFormat, false},
		"foreign": {io.EOF, "", false}, "none": {nil, "", false},
	} {
		if got := formats.ReasonOf(c.err); got != c.reason {
			t.Errorf("%s: reason %q", name, got)
		}
		if errors.Is(c.err, io.ErrUnexpectedEOF) != c.eof {
			t.Errorf("%s: the cause is lost, or made up", name)
		}
		if c.reason != "" && !errors.Is(c.err, formats.NewError(c.reason, "", "")) {
			t.Errorf("%s: no match by reason", name)
		}
		if errors.Is(c.err, formats.NewError(formats.ReasonTooLarge, "", "")) {
			t.Errorf("%s: matches another reason", name)
		}
	}
	if !errors.Is(nested, formats.NewError(formats.ReasonMalformedKey, "", "")) {
		t.Error("a refusal's cause does not match")
	}
	if errors.Is(plain, formats.NewError(formats.ReasonMalformedKey, "the key is cut short", "")) {
		t.Error("matches another refusal with the same words")
	}
}
